"""A run that is under way in this process: the object that changes, and how its end is asked for."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from rdev_bridge.core.shown import named
from rdev_bridge.model import Outcome, Run, RunState
from rdev_bridge.runs.records import to_utf8
from rdev_bridge.runs.stored import StoredRun

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rdev_bridge.model import OnClientExit, RunRequest, SyncResult, Target, Trigger
    from rdev_bridge.remote.items import Binding, CommandSpec
    from rdev_bridge.runs.dependencies import Needs
    from rdev_bridge.runs.mark import DeliveredMark
    from rdev_bridge.runs.relay import Audience
    from rdev_bridge.runs.store import RunFolder
    from rdev_bridge.runs.stored import StoredTarget
    from rdev_bridge.runs.turns import Line

T = TypeVar("T")
_log = logging.getLogger(__name__)
CANCEL_GRACE_S = 5.0


class EndedEarlyError(Exception):
    """The run's end was asked for before its command had started."""


class Ending(msgspec.Struct, frozen=True):
    """How a run ended."""

    outcome: Outcome
    exit_code: int | None = None
    duration_ms: int | None = None
    message: str | None = None
    reason: str | None = None


class LiveRun(msgspec.Struct, eq=False):
    """`run` is the snapshot of this moment. `line` is whose turn it waits for; None for a run that was attached to.

    `mark` is kept only where this process owns the run. `started` is set once the server has taken the command.
    `needed_by` are the runs that depend on this one; a newer run that does the same takes them over, as `replaced_by`.
    `is_heard`: somebody wants what it said before its end.
    """

    run: Run
    folder: RunFolder
    trigger: Trigger
    target: Target
    stored_target: StoredTarget
    on_client_exit: OnClientExit
    audience: Audience
    mark: DeliveredMark | None = None
    timeout_s: float | None = None
    command_started_at: datetime | None = None
    request: RunRequest | None = None
    spec: CommandSpec | None = None
    needs: Needs | None = None
    line: Line | None = None
    binding: Binding | None = None
    grace_s: float = CANCEL_GRACE_S
    is_heard: bool = True
    wanted_end: Outcome | None = None
    task: asyncio.Task[None] | None = None
    told_queued: asyncio.Task[None] | None = None
    needed_by: set[str] = msgspec.field(default_factory=set)
    replaced_by: LiveRun | None = None
    began_s: float = msgspec.field(default_factory=time.monotonic)
    started: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _end_wanted: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _finished: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    @property
    def run_id(self) -> str:
        """Its name."""
        return self.run.run_id

    def end(self, outcome: Outcome, grace_s: float | None = None) -> bool:
        """Ask for the end; the first who asks decides what it is called. False where it is over already."""
        if self._finished.is_set():
            return False
        self.wanted_end = self.wanted_end or outcome
        self.grace_s = self.grace_s if grace_s is None else min(grace_s, self.grace_s)
        self._end_wanted.set()
        return True

    async def end_wanted(self) -> Outcome:
        """Wait until somebody asks for the end."""
        await self._end_wanted.wait()
        assert self.wanted_end is not None
        return self.wanted_end

    async def pause(self, delay_s: float) -> None:
        """Wait. Raises EndedEarlyError as soon as the end is asked for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._end_wanted.wait()
            raise EndedEarlyError

    async def unless_ended(self, work: Coroutine[Any, Any, T], *, patience_s: float = 0.0) -> T:
        """The result of `work`; where the end is asked for first, `work` gets `patience_s` and is then cancelled.

        What work that was given patience makes of its cancellation counts: a result or an error.
        Raises EndedEarlyError.
        """
        working = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self._end_wanted.wait())
        try:
            await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done() and patience_s:
                await asyncio.wait({working}, timeout=patience_s)
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
                if working.cancelled() or not patience_s:
                    raise EndedEarlyError
            return working.result()
        finally:
            asked.cancel()
            working.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await working

    def counted(self, lines: int) -> Run:
        """The snapshot with so many lines."""
        if lines != self.run.lines:
            self.run = replace(self.run, lines=lines)
        return self.run

    def finish(self, ending: Ending) -> Run:
        """Turn the snapshot into the last one."""
        message = to_utf8(ending.message).decode() if ending.message else self.run.message  # it goes out as JSON
        duration_ms = ending.duration_ms
        if duration_ms is None and self.run.state is RunState.RUNNING:
            duration_ms = round((time.monotonic() - self.began_s) * 1000)
        self.run = replace(
            self.run,
            state=RunState.FINISHED,
            outcome=ending.outcome,
            exit_code=ending.exit_code,
            duration_ms=duration_ms,
            message=message,
            reason=ending.reason,
        )
        return self.run

    def begin(self) -> None:
        """Its turn has come."""
        self.began_s = time.monotonic()
        self.run = replace(self.run, state=RunState.RUNNING, started_at=datetime.now(UTC))

    def time_left_s(self) -> float | None:
        """What is left of its time limit, if it has one."""
        if self.timeout_s is None or self.command_started_at is None:
            return self.timeout_s
        return max(0.0, self.timeout_s - max(0.0, (datetime.now(UTC) - self.command_started_at).total_seconds()))

    def save(self) -> None:
        """Keep the snapshot on disk, unless that is another bridge's business. A full disk costs the history alone."""
        if not self.folder.is_mine:
            return
        stored = StoredRun.of(
            self.run,
            self.stored_target,
            on_client_exit=self.on_client_exit,
            timeout_s=self.timeout_s,
            command_started_at=self.command_started_at,
            binding=None if self.binding is None else self.binding.to_wire(),
        )
        try:
            self.folder.save(stored)
        except OSError as error:
            _log.warning("the record of %s cannot be written: %s", self.run_id, error)

    def note(self, synced: SyncResult) -> None:
        """The state that the run sees, and what the barrier could not bring over, belong to the run's story."""
        self.run = replace(self.run, workspace_state=synced.state)
        told = [f"left alone on the server: {named(synced.kept)}"] if synced.kept else []
        told += [f"not brought over: {named(synced.refused)}"] if synced.refused else []
        if told:
            self.run = replace(self.run, message="; ".join(told))

    def let_go(self) -> None:
        """Own it no more; what it is on disk is enough to go on with it.

        The mark is not closed: an editor may still have to take the last messages that carry it.
        """
        self.folder.release()
        self.mark = None

    def over(self) -> None:
        """Everybody was told."""
        self._finished.set()

    def give_way(self, newer: LiveRun) -> None:
        """Whoever waits for this run waits for the newer one instead, where that does the same."""
        if (self.spec, self.target) == (newer.spec, newer.target):
            self.replaced_by = newer
            newer.needed_by |= self.needed_by

    @property
    def newest(self) -> LiveRun:
        """The run that stands for this one by now."""
        return self if self.replaced_by is None else self.replaced_by.newest

    async def wait(self) -> Run:
        """The last snapshot, once everybody was told of it."""
        await self._finished.wait()
        return self.run
