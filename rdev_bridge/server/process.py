"""One real process: its pipes into the journal, its end, its cancel."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from rdev_bridge.server.encode import Splitter, Text, encode_last, encode_lines
from rdev_bridge.server.tree import Tree, end, marks
from rdev_bridge.signals import exit_code_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rdev_bridge.server.journal import Journal
    from rdev_bridge.server.limits import Limits

_log = logging.getLogger(__name__)
_DISK_RETRY_S = 1.0
_MARK = "BRIDGE_STREAM_"


def mark_of(stream_id: str) -> str:
    """The environment variable that all processes of a command carry.

    Its name holds the id, so that commands started inside of others carry the marks of both.
    """
    return f"{_MARK}{stream_id}"


def marked_streams() -> set[str]:
    """The commands of all servers that have a living process."""
    return {name.removeprefix(_MARK) for name in marks(_MARK)}


def environment_for(stream_id: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a command gets: `environ` without `RDEV_*`, which holds the key, and its mark."""
    handed_on = {name: value for name, value in environ.items() if not name.startswith("RDEV_")}
    return handed_on | {mark_of(stream_id): "1"}


class Pipe(asyncio.Protocol):
    """One pipe of a process into the journal. Where the disk takes no more, the pipe waits, and so does the process."""

    def __init__(self, stream: str, journal: Journal) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last_data_s = time.monotonic()
        self._stream = stream
        self._journal = journal
        self._splitter = Splitter()
        self._waiting: list[Text] = []
        self._transport: asyncio.ReadTransport | None = None
        self._at_end = False
        self._deaf = False

    @property
    def waits_for_disk(self) -> bool:
        """Whether output was read that the journal could not take yet."""
        return bool(self._waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        assert isinstance(transport, asyncio.ReadTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Asyncio's."""
        self.last_data_s = time.monotonic()
        if not self._deaf:
            self._store(self._splitter.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's."""
        del exc
        self.stop_listening()

    def stop_listening(self) -> None:
        """The end of what is kept. The pipe itself is read on, so that a background child does not die of SIGPIPE."""
        if not self._deaf:
            self._deaf = True
            self._at_end = True
            self._store(self._splitter.close())

    def _store(self, text: Text) -> None:
        if text.escaped:
            self._waiting.append(text)
        try:
            while self._waiting:
                text = self._waiting[0]
                self._journal.append(encode_lines(text, self._stream, self._journal.end), text.lines)
                del self._waiting[0]
        except OSError as error:
            _log.warning("output waits for the disk: %s", error.strerror)
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()
            asyncio.get_running_loop().call_later(_DISK_RETRY_S, self._try_again)
            return
        if self._at_end and not self.closed.done():
            self.closed.set_result(None)

    def _try_again(self) -> None:
        self._store(Text())
        if not self._waiting and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


class Command:
    """A command that runs. `done` is set once its journal has its end."""

    def __init__(self, stream_id: str, journal: Journal, limits: Limits) -> None:
        self.stream_id = stream_id
        self.journal = journal
        self.done = asyncio.Event()
        self._limits = limits
        self._started_s = time.monotonic()
        self._pipes: list[Pipe] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._cancel_once_started_s: float | None = None
        self._supervisor: asyncio.Task[None] | None = None

    async def start(
        self, argv: Sequence[str], folder: Path, environ: Mapping[str, str], on_done: Callable[[Command], None]
    ) -> None:
        """Start the process. Raises OSError or ValueError where it cannot be started, and leaves nothing open."""
        inner: list[int] = []
        transports: list[asyncio.ReadTransport] = []
        loop = asyncio.get_running_loop()
        try:
            for stream in ("stdout", "stderr"):
                ours, theirs = os.pipe()
                inner.append(theirs)
                transport, pipe = await loop.connect_read_pipe(
                    lambda stream=stream: Pipe(stream, self.journal),  # type: ignore[misc]  # mypy loses the default
                    os.fdopen(ours, "rb", buffering=0),
                )
                transports.append(transport)
                self._pipes.append(pipe)
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=folder,
                env=environment_for(self.stream_id, environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=inner[0],
                stderr=inner[1],
                start_new_session=True,
            )
        except BaseException:
            self.done.set()
            for transport in transports:
                transport.close()
            raise
        finally:
            for file in inner:
                os.close(file)
        self._supervisor = asyncio.create_task(self._supervise(self._process, on_done))
        if self._cancel_once_started_s is not None:
            self.cancel(self._cancel_once_started_s)

    def cancel(self, grace_s: float | None = None) -> None:
        """TERM to every process of the command, KILL after the grace; `complete` follows once they are dead."""
        if self.done.is_set():
            return
        grace_s = self._limits.cancel_grace_s if grace_s is None else grace_s
        if self._process is None:
            self._cancel_once_started_s = grace_s
            return
        task = asyncio.create_task(self._end(Tree(mark_of(self.stream_id), self._process.pid), grace_s))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, tree: Tree, grace_s: float) -> None:
        if not await end(tree, grace_s):
            _log.warning("command %s has a process that cannot be killed", self.stream_id)

    async def _supervise(self, process: asyncio.subprocess.Process, on_done: Callable[[Command], None]) -> None:
        status = await process.wait()
        duration_ms = round((time.monotonic() - self._started_s) * 1000)
        await self._drain()
        while self._ending:
            await asyncio.wait(self._ending)
        for pipe in self._pipes:
            pipe.stop_listening()
            await pipe.closed
        exit_code = status if status >= 0 else exit_code_for(-status)
        await self._store_end({"exit_code": exit_code, "duration_ms": duration_ms})
        self.journal.finish()
        on_done(self)
        self.done.set()

    async def _drain(self) -> None:
        """Wait for the pipes' end; where a background child holds them, only until they are quiet."""
        limits = self._limits
        give_up_s = time.monotonic() + limits.linger_s
        while still_open := [pipe.closed for pipe in self._pipes if not pipe.closed.done()]:
            now = time.monotonic()
            quiet_s = max(pipe.last_data_s for pipe in self._pipes) + limits.quiet_s
            if self._ending or any(pipe.waits_for_disk for pipe in self._pipes):
                quiet_s, give_up_s = now + limits.quiet_s, now + limits.linger_s
            wait_s = min(give_up_s, quiet_s) - now
            if wait_s <= 0:
                return
            await asyncio.wait(still_open, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)

    async def _store_end(self, data: dict[str, int]) -> None:
        while True:
            try:
                self.journal.append(encode_last("complete", data, self.journal.end))
            except OSError as error:
                _log.warning("a command's end waits for the disk: %s", error.strerror)
                await asyncio.sleep(_DISK_RETRY_S)
            else:
                return
