"""One command's output on disk, as the very bytes that its streams send.

A journal is a folder of segment files `<offset>-<lines>.sse`: where in the stream the segment starts, and how many
output events stand before it. An event's id is the offset of its end. The oldest segments go when the journal has
grown past its bound; ids stay what they are.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdev_bridge.server.encode import encode_last

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_EVENT = 64 * 1024
_LAST_EVENTS = (b"event: complete\n", b"event: error\n")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stream in a file of its own."""

    start: int
    lines_before: int
    path: Path


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a reader goes on. `missing` is what it can no longer get: a count, None for unknown, 0 for nothing."""

    offset: int
    missing: int | None = 0


class Journal:
    """Appended to by one writer on the event loop, read by any number of followers on the same loop."""

    def __init__(self, folder: Path, *, segment_bytes: int, journal_bytes: int) -> None:
        self.folder = folder
        self.end = 0
        self.ended = False
        self._lines = 0
        self._segment_bytes = segment_bytes
        self._journal_bytes = journal_bytes
        self._segments: list[Segment] = []
        self._file: int | None = None
        self._last_block = b""
        self._waiting: set[asyncio.Future[None]] = set()

    @classmethod
    def create(cls, folder: Path, *, segment_bytes: int, journal_bytes: int) -> Journal:
        """A new, empty journal. Raises OSError."""
        folder.mkdir(mode=0o700)
        journal = cls(folder, segment_bytes=segment_bytes, journal_bytes=journal_bytes)
        journal._open_segment()
        return journal

    @classmethod
    def load(cls, folder: Path, *, lost_message: str) -> Journal:
        """The journal of a command that an earlier server ran; one without an end gets an `error` that says so.

        Raises FileNotFoundError.
        """
        journal = cls(folder, segment_bytes=1 << 62, journal_bytes=1 << 62)
        for path in folder.glob("*-*.sse"):
            start, _, lines = path.stem.partition("-")
            journal._segments.append(Segment(int(start), int(lines), path))
        if not journal._segments:
            raise FileNotFoundError(folder)
        journal._segments.sort(key=lambda segment: segment.start)
        journal._drop_before_gaps()
        journal._file = os.open(journal._segments[-1].path, os.O_RDWR | os.O_CLOEXEC)
        try:
            journal._repair(lost_message)
        finally:
            journal.finish()
        return journal

    @property
    def oldest(self) -> int:
        """The first offset that can still be read."""
        return self._segments[0].start

    def append(self, block: bytes, lines: int = 0) -> None:
        """Store whole events, which were encoded for offset `end`. Raises OSError, and has stored nothing then."""
        assert self._file is not None, "append after finish"
        if self.end - self._segments[-1].start >= self._segment_bytes:
            self._next_segment()
        place = self.end - self._segments[-1].start
        view = memoryview(block)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, place)
            raise
        self.end += len(block)
        self._lines += lines
        self._last_block = block
        self._wake()

    def finish(self) -> None:
        """Nothing more will come; what is here stays readable."""
        self.ended = True
        self._last_block = b""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._wake()

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset` on (more, if they lie in memory). Raises LookupError if they are gone."""
        if offset >= self.end:
            return b""
        if offset == self.end - len(self._last_block):
            return self._last_block
        segment = next((s for s in reversed(self._segments) if s.start <= offset), None)
        if segment is None:
            raise LookupError(offset)
        if self._file is not None and segment is self._segments[-1]:
            return os.pread(self._file, limit, offset - segment.start)
        try:
            file = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise LookupError(offset) from None
        try:
            return os.pread(file, limit, offset - segment.start)
        finally:
            os.close(file)

    def entry(self, last_event_id: str | None) -> Entry:
        """Where a reader that saw `last_event_id` last goes on. An id that is none of ours means: from the oldest."""
        if not last_event_id:
            return Entry(self.oldest, self._segments[0].lines_before)
        if not last_event_id.isascii() or not last_event_id.isdecimal() or len(last_event_id) > 18:
            return Entry(self.oldest, None)
        offset = int(last_event_id)
        mark = b"\nid: %b\n\n" % last_event_id.encode()
        try:
            whole = self._ends_with(offset, mark)
        except LookupError:
            whole = False
        return Entry(offset) if whole else Entry(self.oldest, None)

    async def grown(self, offset: int) -> None:
        """Return once there is something after `offset`, or the journal has ended."""
        while self.end <= offset and not self.ended:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _ends_with(self, offset: int, mark: bytes) -> bool:
        start = offset - len(mark)
        if start < self.oldest or offset > self.end:
            return False
        found = b""
        while len(found) < len(mark):
            found += self.read(start + len(found), len(mark) - len(found))[: len(mark) - len(found)]
        return found == mark

    def _open_segment(self) -> None:
        path = self.folder / f"{self.end:016}-{self._lines}.sse"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._file is not None:
            os.close(self._file)
        self._file = file
        self._segments.append(Segment(self.end, self._lines, path))

    def _next_segment(self) -> None:
        try:
            self._open_segment()
        except OSError:
            return  # The disk is full or files have run out: the old segment goes on growing until the next try.
        while self.end - self.oldest > self._journal_bytes and len(self._segments) > 1:
            self._segments.pop(0).path.unlink(missing_ok=True)

    def _drop_before_gaps(self) -> None:
        """After a power cut a segment may be shorter than it was: what stands before it cannot be sent any more."""
        for number in range(len(self._segments) - 1, 0, -1):
            before, after = self._segments[number - 1 : number + 1]
            if before.start + before.path.stat().st_size != after.start:
                del self._segments[:number]
                return

    def _repair(self, lost_message: str) -> None:
        """Cut off an event that a crash left half written, and give the journal its end if it has none."""
        assert self._file is not None
        last = self._segments[-1]
        size = os.fstat(self._file).st_size
        tail_start = max(0, size - 2 * _LONGEST_EVENT)
        tail = os.pread(self._file, size - tail_start, tail_start)
        whole = tail.rfind(b"\n\n") + 2 if b"\n\n" in tail else 0
        self.end = last.start + tail_start + whole
        event = tail[: max(whole - 2, 0)].rpartition(b"\n\n")[2]
        if event.startswith(_LAST_EVENTS):
            return
        os.ftruncate(self._file, self.end - last.start)
        os.lseek(self._file, 0, os.SEEK_END)
        self.append(encode_last("error", {"message": lost_message}, self.end))
