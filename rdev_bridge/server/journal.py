"""One command's output on disk, as events that are ready to be sent (see `encode`).

A journal is a folder of segment files `<offset>-<lines>.sse`: where in the stream the segment starts, and how many
lines stand before it. The oldest segments go when the journal has grown past its bound; ids stay what they are.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdev_bridge.server.encode import LONGEST_EVENT_BYTES, encode_last, take_apart

if TYPE_CHECKING:
    from pathlib import Path

_POSITION = re.compile(r"[1-9][0-9]{0,17}")
_TAIL_BYTES = 64 * 1024
_LAST_EVENTS = (b"event: complete\n", b"event: error\n")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stream in a file of its own."""

    start: int
    lines_before: int
    path: Path


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a reader goes on: with the event at `offset`, and of that, only with what follows the id `after`.

    `missing` is what it can no longer get: a count, None for unknown, 0 for nothing.
    """

    offset: int
    missing: int | None = 0
    after: int = 0


class Journal:
    """Appended to by one writer on the event loop, read by any number of followers on the same loop."""

    def __init__(self, folder: Path, *, segment_bytes: int, journal_bytes: int) -> None:
        self.folder = folder
        self.end = 0
        self.ended = False
        self.was_lost = False
        """Whether `load` had to write its end."""
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

    def read_events(self, offset: int, limit: int) -> bytes:
        """Whole events from `offset` on, about `limit` bytes of them. Raises LookupError if they are gone."""
        found = self.read(offset, limit)
        while found and not found.endswith(b"\n\n"):
            whole = found.rfind(b"\n\n") + 2
            if whole > 1:
                return found[:whole]
            more = self.read(offset + len(found), limit)
            if not more:
                raise LookupError(offset)
            found += more
        return found

    def entry(self, last_event_id: str | None) -> Entry:
        """Where a reader that saw `last_event_id` last goes on. An id that is none of ours means: from the oldest."""
        if not last_event_id:
            return Entry(self.oldest, self._segments[0].lines_before)
        if not _POSITION.fullmatch(last_event_id):
            return Entry(self.oldest, None)
        position = int(last_event_id)
        try:
            return self._entry_at(position) or Entry(self.oldest, None)
        except LookupError:
            return Entry(self.oldest, None)

    def _entry_at(self, position: int) -> Entry | None:
        if position == self.oldest:  # the end of the event before it, which is gone
            return Entry(position)
        if not self.oldest < position <= self.end:
            return None
        mark = b"\nid: %d\n\n" % position
        if self._bytes(position - len(mark), position) == mark:
            return Entry(position)
        first = max(self.oldest, position - LONGEST_EVENT_BYTES)
        around = self._bytes(first, min(self.end, position + LONGEST_EVENT_BYTES))
        # Before the first whole event may stand the rest of one that is too far away to hold the position.
        start = around.rfind(b"\n\n", 0, position - first) + 2
        start = start if start > 1 else 0
        end = around.find(b"\n\n", position - first) + 2
        pieces = take_apart(around[start:end], first + start) if end > 1 else None
        if pieces is None or position not in pieces.ends:
            return None
        return Entry(first + start, after=position)

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

    def _bytes(self, start: int, stop: int) -> bytes:
        """Raises LookupError where they are gone."""
        found = b""
        start = max(start, self.oldest)
        while start + len(found) < stop:
            more = self.read(start + len(found), stop - start - len(found))
            if not more:
                raise LookupError(start)
            found += more[: stop - start - len(found)]
        return found

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
        for reach in (_TAIL_BYTES, 2 * LONGEST_EVENT_BYTES):
            tail_start = max(0, size - reach)
            tail = os.pread(self._file, size - tail_start, tail_start)
            if tail.count(b"\n\n") > 1:
                break
        whole = tail.rfind(b"\n\n") + 2 if b"\n\n" in tail else 0
        self.end = last.start + tail_start + whole
        event = tail[: max(whole - 2, 0)].rpartition(b"\n\n")[2]
        if event.startswith(_LAST_EVENTS):
            return
        os.ftruncate(self._file, self.end - last.start)
        os.lseek(self._file, 0, os.SEEK_END)
        self.append(encode_last("error", {"message": lost_message}, self.end))
        self.was_lost = True
