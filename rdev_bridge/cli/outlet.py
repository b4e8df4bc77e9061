"""Writing to stdout and stderr so that the mark of what was delivered is exact whatever ends the process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdev_bridge.runs.mark import DeliveredMark

_FILE_BYTES = 64 * 1024


class Outlet:
    """One file descriptor. Nothing here blocks: a pipe or terminal is written to when it has room.

    A pipe that has room takes PIPE_BUF bytes as a whole, so no piece is ever written in part.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._appends = bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND)
        self._piece_bytes = _FILE_BYTES if self._is_file else select.PIPE_BUF
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._turn = asyncio.Lock()

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises BrokenPipeError where nobody reads any more, OSError."""
        async with self._turn:
            view = memoryview(data)
            while view:
                await self._room()
                view = view[os.write(self.descriptor, view[: self._piece_bytes]) :]

    async def write_marked(self, data: bytes, start: int, mark: DeliveredMark, log: int) -> None:
        """`data`, which is at byte `start` of the run's open `log`, without what `mark` says was delivered already."""
        async with self._turn:
            at = max(start, mark.offset)
            if self._is_pipe and at < start + len(data):
                at = await self._splice(at, start + len(data), mark, log)
            view = memoryview(data)[at - start :]
            while view:
                await self._room()
                piece = view[: self._piece_bytes]
                mark.intend(at + len(piece), self._file_at())
                written = os.write(self.descriptor, piece)
                at += written
                mark.advance(at)
                view = view[written:]

    async def _splice(self, at: int, end: int, mark: DeliveredMark, log: int) -> int:
        """Have the kernel move the log's bytes into our pipe; returns how far that went, `end` where it can be done."""
        mark.advance(at)
        while at < end:
            await self._room()
            moved = mark.splice(log, self.descriptor, end - at)
            if moved is None:
                self._is_pipe = False
                break
            if moved == 0:
                await asyncio.sleep(0)
            at += moved
        return at

    async def write_text(self, data: bytes, end: int, mark: DeliveredMark) -> None:
        """`data`, which stands for the log's bytes up to `end` but is not those bytes."""
        async with self._turn:
            mark.text.begin(data, end, self._file_at())
            await self._send_text(data, mark)

    async def finish_text(self, mark: DeliveredMark) -> None:
        """What a process that was killed had begun to write."""
        async with self._turn:
            if rest := mark.text.go_on(self._file_at()):
                await self._send_text(rest, mark)

    async def _send_text(self, data: bytes, mark: DeliveredMark) -> None:
        text, view = mark.text, memoryview(data)
        while view and self._is_pipe:
            await self._room()
            moved = text.splice(self.descriptor, len(view))
            if moved is None:
                self._is_pipe = False
            elif moved == 0:
                await asyncio.sleep(0)
            else:
                view = view[moved:]
        while view:
            await self._room()
            piece, at = view[: self._piece_bytes], text.at
            if not self._is_file:
                text.at = at + len(piece)
            written = os.write(self.descriptor, piece)
            text.at = at + written
            view = view[written:]
        text.done()

    def names_itself_in(self, mark: DeliveredMark) -> None:
        """Let `mark` know the file, so that an interrupted write can be measured afterwards."""
        if self._is_file:
            mark.name_file(self.descriptor)

    async def _room(self) -> None:
        if self._is_file or self._poll.poll(0):
            return
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self.descriptor, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_writer(self.descriptor)

    def _file_at(self) -> int | None:
        if not self._is_file:
            return None
        return os.fstat(self.descriptor).st_size if self._appends else os.lseek(self.descriptor, 0, os.SEEK_CUR)
