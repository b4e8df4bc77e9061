"""The commands of one server: started once, cancelled, found again, and one day forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.server.journal import Journal
from rdev_bridge.server.process import Command, mark_of, marked_streams
from rdev_bridge.server.tree import Tree, end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rdev_bridge.server.limits import Limits

_log = logging.getLogger(__name__)
_UNKILLABLE_S = 15.0
_STREAM_ID = re.compile(r"[0-9a-f]{32}")
_LOST = "the rdev server ended while this command ran; how it ended cannot be known"


class NoSuchCommandError(LookupError):
    """There is no command with this id, or it was forgotten."""


class TooManyRunningError(Exception):
    """The bound on commands that run at once is reached."""


class KeyReusedError(Exception):
    """The Idempotency-Key was used before, for another body."""


class CannotStartError(Exception):
    """The system did not start the process. `users_fault` says that the command text itself is why."""

    def __init__(self, message: str, *, users_fault: bool) -> None:
        super().__init__(message)
        self.users_fault = users_fault


class Started(msgspec.Struct):
    """What is kept of a start call with an Idempotency-Key."""

    id: str
    body_sha256: str


class Commands:
    """`store` is this server's own folder; no other process writes there while this one lives."""

    def __init__(
        self, store: Path, *, root: Path, shell: Sequence[str], environ: Mapping[str, str], limits: Limits
    ) -> None:
        self._journals = store / "journals"
        self._starts = store / "starts"
        for folder in (self._journals, self._starts):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._root = root
        self._shell = tuple(shell)
        self._environ = dict(environ)
        self._limits = limits
        self._running: dict[str, Command] = {}
        self._starting = asyncio.Lock()
        self._leftovers: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def running(self) -> int:
        """How many commands run now, or are being ended."""
        return len(self._running) + len(self._leftovers)

    async def start(self, command: str, idempotency_key: str | None, body: bytes) -> str:
        """Start `command` and return its stream id; with a key that was used before, return what that call started.

        Raises CannotStartError, KeyReusedError, TooManyRunningError.
        """
        if idempotency_key is None:
            return await self._start_new(command, None, "")
        place = self._starts / hashlib.sha256(idempotency_key.encode()).hexdigest()
        digest = hashlib.sha256(body).hexdigest()
        async with self._starting:
            try:
                earlier = msgspec.json.decode(place.read_bytes(), type=Started)
            except FileNotFoundError:
                return await self._start_new(command, place, digest)
            if earlier.body_sha256 != digest:
                raise KeyReusedError
            return earlier.id

    async def _start_new(self, command: str, place: Path | None, digest: str) -> str:
        if len(self._running) >= self._limits.running or self._closing:
            raise TooManyRunningError
        stream_id = secrets.token_hex(16)
        folder = self._journals / stream_id
        try:
            journal = Journal.create(
                folder, segment_bytes=self._limits.segment_bytes, journal_bytes=self._limits.journal_bytes
            )
            if place is not None:
                # Before the process, so that a crash between the two cannot make a second one.
                _write_private(place, msgspec.json.encode(Started(stream_id, digest)))
        except OSError as error:
            _remove(folder, place)
            raise CannotStartError(
                f"the server cannot write its journal: {error.strerror}", users_fault=False
            ) from error
        running = Command(stream_id, journal, self._limits)
        self._running[stream_id] = running
        try:
            await running.start([*self._shell, command], self._root, self._environ, self._forget_running)
        except (OSError, ValueError) as error:
            del self._running[stream_id]
            journal.finish()
            _remove(folder, place)
            raise self._why_not(error) from error
        return stream_id

    def _why_not(self, error: OSError | ValueError) -> CannotStartError:
        if isinstance(error, UnicodeEncodeError):
            return CannotStartError("the command has a character that is no text (a lone surrogate)", users_fault=True)
        if isinstance(error, ValueError):
            return CannotStartError("the command has a NUL character, which no program can be given", users_fault=True)
        if error.errno == errno.E2BIG:
            return CannotStartError("the command is longer than this system can start", users_fault=True)
        if not self._root.is_dir():
            return CannotStartError(f"the folder {self._root} is not there any more", users_fault=False)
        return CannotStartError(f"{self._shell[0]} cannot be started: {error.strerror}", users_fault=False)

    def _forget_running(self, command: Command) -> None:
        del self._running[command.stream_id]

    def journal(self, stream_id: str) -> Journal:
        """The output of a command that runs or has run. Raises NoSuchCommandError.

        Where an earlier server was killed under it, nobody listens to its processes any more: they are ended.
        """
        if not _STREAM_ID.fullmatch(stream_id):
            raise NoSuchCommandError(stream_id)
        if command := self._running.get(stream_id):
            return command.journal
        try:
            journal = Journal.load(self._journals / stream_id, lost_message=_LOST)
        except FileNotFoundError:
            raise NoSuchCommandError(stream_id) from None
        if journal.was_lost:
            self._end_leftovers(stream_id, self._limits.cancel_grace_s)
        return journal

    async def end_orphans(self) -> None:
        """End what commands of an earlier server, which was killed, have left running."""
        for stream_id in await asyncio.to_thread(marked_streams):
            with contextlib.suppress(NoSuchCommandError, OSError):
                self.journal(stream_id)

    def cancel(self, stream_id: str, grace_s: float | None) -> asyncio.Event:
        """End a command with all its processes; of a finished one, what it left behind. Raises NoSuchCommandError.

        The event is set once none of them is left.
        """
        if command := self._running.get(stream_id):
            command.cancel(grace_s)
            return command.done
        self.journal(stream_id)
        return self._end_leftovers(stream_id, self._limits.cancel_grace_s if grace_s is None else grace_s)

    def _end_leftovers(self, stream_id: str, grace_s: float) -> asyncio.Event:
        ended = asyncio.Event()

        async def ending() -> None:
            if await end(Tree(mark_of(stream_id), None), grace_s):
                ended.set()

        task = asyncio.create_task(ending())
        self._leftovers.add(task)
        task.add_done_callback(self._leftovers.discard)
        return ended

    async def close(self, grace_s: float) -> None:
        """Start nothing more, end what runs, and return once all journals have their end, or will never have one."""
        self._closing = True
        commands = list(self._running.values())
        for command in commands:
            command.cancel(grace_s)
        try:
            async with asyncio.timeout(grace_s + _UNKILLABLE_S):
                for command in commands:
                    await command.done.wait()
        except TimeoutError:
            _log.warning("a command cannot be ended; it is left behind")

    async def keep_swept(self, every_s: float) -> None:
        """Forget finished commands past the bounds on age and size, now and then, for as long as the server lives."""
        while True:
            try:
                kept = await asyncio.to_thread(_kept, self._journals)
                for one in forgettable(kept, time.time(), self._limits):
                    if one.folder.name not in self._running:
                        await asyncio.to_thread(shutil.rmtree, one.folder, ignore_errors=True)
                await asyncio.to_thread(_forget_starts, self._starts, time.time() - self._limits.kept_s)
            except OSError as error:
                _log.warning("old journals cannot be removed: %s", error)
            await asyncio.sleep(every_s)


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A journal on disk; times are the wall clock's."""

    written_s: float
    size_bytes: int
    folder: Path


def forgettable(kept: list[Kept], now_s: float, limits: Limits) -> list[Kept]:
    """The oldest ones, until neither age nor size is past its bound."""
    total_bytes = sum(one.size_bytes for one in kept)
    found: list[Kept] = []
    for one in sorted(kept):
        if total_bytes <= limits.kept_bytes and now_s - one.written_s <= limits.kept_s:
            break
        found.append(one)
        total_bytes -= one.size_bytes
    return found


def _kept(journals: Path) -> list[Kept]:
    found: list[Kept] = []
    for folder in journals.iterdir():
        with contextlib.suppress(FileNotFoundError):
            infos = [file.stat() for file in folder.iterdir()] or [folder.stat()]
            found.append(Kept(max(info.st_mtime for info in infos), sum(info.st_size for info in infos), folder))
    return found


def _forget_starts(starts: Path, before_s: float) -> None:
    for place in starts.iterdir():
        if place.stat().st_mtime < before_s:
            place.unlink(missing_ok=True)


def _remove(folder: Path, place: Path | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if place is not None:
        place.unlink(missing_ok=True)


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
