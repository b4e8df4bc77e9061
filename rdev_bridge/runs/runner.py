"""The one runner: takes requests from every face, and owns the life of each run from there to its end."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from rdev_bridge.core.busy import Ignore, Queue, Start
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import (
    BusyPolicy,
    Disposition,
    OnClientExit,
    Outcome,
    Run,
    RunState,
    TriggerKind,
)
from rdev_bridge.runs.attach import AttachedRun, attach, end_elsewhere
from rdev_bridge.runs.begin import begin
from rdev_bridge.runs.dependencies import needs_of
from rdev_bridge.runs.flow import carry_out
from rdev_bridge.runs.live import Ending, LiveRun
from rdev_bridge.runs.relay import Audience
from rdev_bridge.runs.store import find_run
from rdev_bridge.runs.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rdev_bridge.model import DiagnosticCounts, RunRequest
    from rdev_bridge.runs.dependencies import Needs
    from rdev_bridge.runs.mark import DeliveredMark
    from rdev_bridge.runs.observer import RunObserver
    from rdev_bridge.runs.surroundings import Surroundings

_log = logging.getLogger(__name__)
_CLOSE_GRACE_S = 0.5
CLOSE_S = 1.2
"""How long `close` waits for runs to be known dead: an editor gives its server two seconds in all."""


class Submission(msgspec.Struct, frozen=True):
    """The answer to a request. Where it was ignored, `run_id` is the run that was in its way."""

    run_id: str
    disposition: Disposition


class Runner:
    """All runs of one bridge. Its methods belong to the event loop.

    `group` is where its tasks live; whoever builds the runner sets it before the first request. `observers` is read
    at each event, so it may still grow.
    """

    group: asyncio.TaskGroup

    def __init__(self, around: Surroundings, observers: Sequence[RunObserver]) -> None:
        self.around = around
        self.audience = Audience(observers)
        self.live: dict[str, LiveRun] = {}
        self._turns = Turns(self)
        self._closing = False

    # ── what faces ask for ──

    def submit(self, request: RunRequest) -> Submission:
        """Take a request; the run goes on by itself. Raises UsageError, SettingsError for one that can never run."""
        return self._submit(request, needs_of(request.task, self.around.tasks_of(request.folder)))

    def cancel(self, run_id: str, *, is_heard: bool = True) -> bool:
        """Ask for a run's end, whichever bridge it belongs to; false where it is over or unknown.

        Where nobody hears it any more, its output is not read to the end.
        """
        live = self.live.get(run_id)
        if live is None:
            return self._cancel_elsewhere(run_id)
        live.is_heard = live.is_heard and is_heard
        if live.task is None and live.line is not None:
            self._turns.over(live.line, run_id, complete=False)
            self._drop(live, Outcome.CANCELLED)
            return True
        return live.end(Outcome.CANCELLED)

    def detach(self, run_id: str) -> None:
        """Let this run go on when the bridge ends."""
        live = self.live.get(run_id)
        if live is not None:
            live.on_client_exit = OnClientExit.DETACH

    def runs(self) -> list[Run]:
        """Every run of the open folders, newest first."""
        found = {
            folder.run_id: folder.snapshot(stored) for store in self.around.stores() for folder, stored in store.all()
        }
        found |= {run_id: live.run for run_id, live in self.live.items()}
        return [found[run_id] for run_id in sorted(found, reverse=True)]

    async def wait(self, run_id: str) -> Run:
        """The run once it is over and every observer was told. Raises UsageError for one that is not of this bridge."""
        live = self.live.get(run_id)
        if live is not None:
            return await live.wait()
        folder, stored = find_run(run_id, self.around.stores())
        return stored.to_run(folder.log_path)

    async def attach(self, run_id: str, seq: int | None = None, *, finishes_text: bool = False) -> AttachedRun:
        """Tell the observers of this run from line `seq` on; without it, from the line after the last delivered one.

        A run that nobody owns is taken over; one that the observers are told of already goes on, whatever `seq`
        says. `finishes_text`: a text that a killed process had begun to write is finished by an observer (see
        `BegunText`), so the lines in it are delivered. Raises UsageError, RdevError.
        """
        live = self.live.get(run_id)
        if live is not None:
            return AttachedRun(live.run, live.run.lines)
        return await attach(self, run_id, seq, self.audience, finishes_text=finishes_text)

    async def wait_started(self, run_id: str) -> bool:
        """Whether the server has taken the run's command; returns once it has, or once the run is over without."""
        live = self.live.get(run_id)
        if live is None:
            return False
        waits = {asyncio.ensure_future(live.started.wait()), asyncio.ensure_future(live.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return live.started.is_set()

    def mark_of(self, run_id: str) -> DeliveredMark | None:
        """What the reader of a run has, for its face to advance; None for a run that is not ours."""
        live = self.live.get(run_id)
        return live.mark if live is not None else None

    def note_diagnostics(self, run_id: str, counts: DiagnosticCounts) -> None:
        """What was found in a run's output so far."""
        live = self.live.get(run_id)
        if live is not None:
            live.run = replace(live.run, diagnostics=counts)

    def mark_stale(self, run_id: str) -> Run | None:
        """A file that the run's task watches changed after it began; the run as it is now, None for an unknown one."""
        live = self.live.get(run_id)
        if live is not None:
            live.run = replace(live.run, stale=True)
            return live.run
        for store in self.around.stores():
            folder = store.get(run_id)
            stored = folder.load() if folder else None
            if folder and stored:
                stored.stale = True
                if stored.state is RunState.FINISHED:  # else the record is being kept by another bridge
                    folder.save(stored)
                return stored.to_run(folder.log_path)
        return None

    def is_named(self, request: RunRequest) -> bool:
        """Whether the user named this task, or one that needs it: that is consent to it."""
        parent = self.live.get(request.parent_run_id or "")
        if parent is not None and parent.request is not None:
            return self.is_named(parent.request)
        return request.trigger.kind is TriggerKind.REQUEST

    async def close(self, grace_s: float = _CLOSE_GRACE_S) -> None:
        """End what is to end with the bridge, let go of what is to go on; takes no longer than about CLOSE_S."""
        self._closing = True
        self._turns.stop()
        for live in list(self.live.values()):
            if live.task is None and live.line is not None:
                self._drop(live, Outcome.CANCELLED)
            elif live.folder.is_mine and (live.on_client_exit is OnClientExit.CANCEL or live.binding is None):
                live.end(Outcome.CANCELLED, grace_s)
        tasks = [live.task for live in self.live.values() if live.task is not None and live.wanted_end]
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)
        left = [live.task for live in self.live.values() if live.task is not None]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)

    # ── from a request to a run ──

    def submit_child(self, request: RunRequest) -> LiveRun:
        """A run that another one depends on; its own dependencies are that one's business."""
        return self.live[self._submit(request, None).run_id]

    def _submit(self, request: RunRequest, needs: Needs | None) -> Submission:
        if self._closing:
            raise RdevError("the bridge is about to end", reason="closing")
        live = begin(request, needs, self.around, self.audience)
        self.live[live.run_id] = live
        assert live.line is not None
        policy = request.on_busy or (request.task.on_busy if request.task else BusyPolicy.PARALLEL)
        match self._turns.ask(live.line, live.run_id, policy):
            case Start():
                return Submission(live.run_id, Disposition.STARTED)
            case Queue():
                return Submission(live.run_id, Disposition.QUEUED)
            case Ignore(_, busy_with):
                del self.live[live.run_id]
                live.let_go()
                self.around.store(request.folder).remove(live.folder)
                return Submission(busy_with, Disposition.IGNORED)

    def start(self, run_id: str) -> None:
        """See Actions; so are the next three."""
        live = self.live[run_id]
        live.begin()
        self._begin_life(live, self._live(live))

    def queue(self, run_id: str) -> None:
        live = self.live[run_id]
        live.save()
        live.told_queued = self.group.create_task(self.audience.run_queued(live.run))

    def drop(self, run_id: str, by: str) -> None:
        self.live[run_id].give_way(self.live[by])
        self._drop(self.live[run_id], Outcome.SUPERSEDED)

    def supersede(self, run_id: str, by: str) -> None:
        self.live[run_id].give_way(self.live[by])
        self.live[run_id].end(Outcome.SUPERSEDED)

    def _drop(self, live: LiveRun, outcome: Outcome) -> None:
        live.end(outcome)
        self._begin_life(live, self._never_started(live, outcome))

    async def _never_started(self, live: LiveRun, outcome: Outcome) -> None:
        if live.told_queued is not None:
            await live.told_queued
        await self.finish(live, Ending(outcome, message="it was still waiting for its turn"))

    # ── the life of one ──

    def _begin_life(self, live: LiveRun, life: Coroutine[Any, Any, None]) -> None:
        live.task = self.group.create_task(self._contained(live, life), name=f"run {live.run_id}")

    async def _contained(self, live: LiveRun, life: Coroutine[Any, Any, None]) -> None:
        """A fault of ours ends this run alone; the others go on, and so does the bridge."""
        try:
            await life
        except Exception as error:
            _log.exception("run %s broke", live.run_id)
            if live.run_id not in self.live:
                return  # everybody has been told of its end
            if live.run.state is RunState.FINISHED:
                await self.retell(live)
            else:
                await self.finish(live, Ending(Outcome.LOST, message=f"the bridge failed: {error}"))

    async def _live(self, live: LiveRun) -> None:
        try:
            if live.told_queued is not None:
                await live.told_queued
            live.save()
            await live.audience.run_started(live.run, live.trigger)
            ending = await carry_out(self, live)
        except asyncio.CancelledError:
            live.let_go()
            raise
        await self.finish(live, ending)

    async def finish(self, live: LiveRun, ending: Ending) -> None:
        """The end of a run, on disk first, then to every observer, then to whoever waits for it or for its turn."""
        live.finish(ending)
        live.save()
        await self.retell(live)
        if live.line is not None:
            complete = ending.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)
            self._turns.over(live.line, live.run_id, complete=complete)
        if live.request is not None and not self._closing:
            await self._prune(live)

    async def _prune(self, live: LiveRun) -> None:
        """Old runs go; that some cannot is no run's fault."""
        store, now = self.around.store(live.run.folder), datetime.now(UTC)
        try:
            if store.is_overfull(now):
                await asyncio.to_thread(store.prune, now)
        except OSError as error:
            _log.warning("old runs cannot be removed: %s", error)

    async def retell(self, live: LiveRun) -> None:
        """Tell everybody of an end that is on disk."""
        await live.audience.run_finished(lambda: live.run)
        live.save()
        live.let_go()
        live.over()
        self.live.pop(live.run_id, None)

    def adopt(self, live: LiveRun, life: Coroutine[Any, Any, None]) -> None:
        """A run that was started earlier lives on here."""
        self.live[live.run_id] = live
        self._begin_life(live, life)

    def _cancel_elsewhere(self, run_id: str) -> bool:
        for store in self.around.stores():
            folder = store.get(run_id)
            stored = folder.load() if folder else None
            if folder and stored and stored.state is not RunState.FINISHED:
                self.group.create_task(self._try_to_end(run_id), name=f"cancel {run_id}")
                return True
        return False

    async def _try_to_end(self, run_id: str) -> None:
        try:
            await end_elsewhere(self, run_id)
        except (RdevError, UsageError) as error:
            _log.warning("cannot cancel %s: %s", run_id, error)
        except Exception:
            _log.exception("cannot cancel %s", run_id)
