"""A run's output on disk: `output.log` is the text as it came, `index` beside it says what it means.

A record is written after the bytes that it speaks of, so that whatever a crash leaves is a valid prefix: bytes beyond
the last whole record, and a torn or damaged record with all that follows it, count as never written.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.runs.records import Part, Record, decode_records, encode_record, unpack, whole_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rdev_bridge.model import Chunk

LOG_NAME, INDEX_NAME = "output.log", "index"
_READ_BYTES = 256 * 1024
_POINT_BYTES = 64 * 1024
_POINT_LINES = 1000


class Point(msgspec.Struct, frozen=True):
    """A place where no line is in the middle: reading may begin here."""

    log_at: int = 0
    seq: int = 0
    index_at: int = 0


class Entry(msgspec.Struct, frozen=True):
    """One record with its bytes read."""

    record: Record
    log_at: int
    chunks: list[Chunk]


def lines_so_far(folder: Path) -> int:
    """How many lines the log holds, from the newest record that can be read."""
    try:
        with (folder / INDEX_NAME).open("rb") as index:
            index.seek(max(0, index.seek(0, os.SEEK_END) - _READ_BYTES))
            lines = index.read().splitlines(keepends=True)
    except FileNotFoundError:
        return 0
    newest = (record for line in reversed(lines) for record in whole_records([line]))
    return next((record.seq_end for record in newest), 0)


class LogReader:
    """Reads a log that may still grow. `refresh` takes in what was written since."""

    def __init__(self, folder: Path) -> None:
        self._log_path, self._index_path = folder / LOG_NAME, folder / INDEX_NAME
        self._index_at = 0
        self._points = [Point()]
        self.last = Record(0, 0, clean=True, position=None)
        self.position: str | None = None

    @property
    def index_end(self) -> int:
        """The end of the last whole record in the index."""
        return self._index_at

    def refresh(self) -> None:
        """Take in the records that are whole by now. Raises OSError where the files are gone."""
        try:
            index = self._index_path.open("rb")
        except FileNotFoundError:
            return
        with index:
            index.seek(self._index_at)
            while data := index.read(_READ_BYTES):
                whole = data[: data.rfind(b"\n") + 1]
                if not whole:
                    whole = data = data + index.readline()
                    if not data.endswith(b"\n"):
                        return
                lines = whole.splitlines(keepends=True)
                records = whole_records(lines)
                for record, line in zip(records, lines, strict=False):
                    self._index_at += len(line)
                    self._add(record)
                if len(records) < len(lines):
                    return
                index.seek(self._index_at)

    def point_before_seq(self, seq: int) -> Point:
        """The last point from which line `seq` is still ahead."""
        return self._points[bisect_right(self._points, seq, key=lambda point: point.seq) - 1]

    def point_before_offset(self, offset: int) -> Point:
        """The last point at or before byte `offset` of the log."""
        return self._points[bisect_right(self._points, offset, key=lambda point: point.log_at) - 1]

    def entries(self, point: Point) -> Iterator[Entry]:
        """What was written after `point`, up to what `refresh` has seen."""
        if not self._index_at:
            return
        with self._index_path.open("rb") as index, self._log_path.open("rb") as log:
            index.seek(point.index_at)
            log.seek(point.log_at)
            left, at = self._index_at - point.index_at, point.log_at
            while left > 0:
                lines = index.readlines(min(left, _READ_BYTES))
                for line in lines:
                    if left <= 0:
                        return
                    left -= len(line)
                    record = decode_records(line)[0]
                    yield Entry(record, at, unpack(log.read(record.log_end - at), record.parts))
                    at = record.log_end

    def _add(self, record: Record) -> None:
        self.last = record
        self.position = record.position if record.position is not None else self.position
        newest = self._points[-1]
        far = record.log_end - newest.log_at >= _POINT_BYTES or record.seq_end - newest.seq >= _POINT_LINES
        if record.clean and far:
            self._points.append(Point(record.log_end, record.seq_end, self._index_at))


class LogWriter:
    """Appends to the log of a run that this process owns; whatever a crash left unfinished is cut off first."""

    def __init__(self, folder: Path, after: LogReader | None = None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._log = os.open(folder / LOG_NAME, flags, 0o600)
        self._index = os.open(folder / INDEX_NAME, flags, 0o600)
        self.end = after.last.log_end if after else 0
        os.ftruncate(self._log, self.end)
        os.ftruncate(self._index, after.index_end if after else 0)

    def close(self) -> None:
        """Nothing more comes."""
        os.close(self._log)
        os.close(self._index)

    def append(
        self, raw: Sequence[bytes], parts: list[Part], seq_end: int, *, clean: bool, position: str | None
    ) -> None:
        """Keep chunks, as `pack` gives them."""
        data = b"".join(raw)
        _write(self._log, data)
        self.end += len(data)
        self._note(Record(self.end, seq_end, clean, position, parts))

    def append_gap(self, missing: int | None, *, seq_end: int, position: str | None) -> None:
        """Keep that lines are missing here."""
        self._note(Record(self.end, seq_end, clean=True, position=position, gap=-1 if missing is None else missing))

    def _note(self, record: Record) -> None:
        _write(self._index, encode_record(record) + b"\n")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
