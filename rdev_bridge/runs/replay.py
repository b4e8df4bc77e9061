"""Reading a run's log from some line or byte on: for attach, and for a page of output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.model import Chunk
from rdev_bridge.runs.assemble import Assembler, without_first
from rdev_bridge.runs.records import cut, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdev_bridge.runs.log import Entry, LogReader
    from rdev_bridge.runs.relay import Relay


class ReadOutput(msgspec.Struct, frozen=True):
    """Whole lines, the first of which has the number `seq`."""

    seq: int
    chunks: list[Chunk]


class Replay:
    """Stands at the first line that the reader is to get; `seq` is its number. `assembler` goes on with the stream.

    Begins at byte `offset` of the log, or at line `seq`.
    """

    def __init__(self, reader: LogReader, *, offset: int = 0, seq: int | None = None) -> None:
        self._point = reader.point_before_offset(offset) if seq is None else reader.point_before_seq(seq)
        self._entries = reader.entries(self._point)
        self.assembler = Assembler(seq=self._point.seq)
        self.offset = self._point.log_at
        self._first: tuple[int, Sequence[Chunk], Sequence[Chunk]] | None = None
        self._waiting: Entry | None = None
        self._wanted_seq = seq or 0
        if seq is None:
            self._skip_to_offset(offset)
            if offset > reader.last.log_end:  # the last line has no end, and the reader has it all the same
                self._wanted_seq = self.assembler.seq + sum(len(chunk.lines) for chunk in self.assembler.growing())
        else:
            self._skip_to_seq(seq)

    @property
    def seq(self) -> int:
        """The number of the next line that the reader gets."""
        return max(self._wanted_seq, self.assembler.seq if self._first is None else self._first[0])

    async def into(self, relay: Relay) -> None:
        """Hand on everything from here to the log's end. `relay` works with this replay's assembler."""
        relay.from_seq = self._wanted_seq
        if self._first is not None:
            await relay.replay(*self._first, self.offset)
            self._first = None
        while (entry := self._next()) is not None:
            seq = self.assembler.seq
            if entry.record.gap is not None:
                await relay.missing(_missing(entry), entry.record.position)
            else:
                lines = self.assembler.feed(entry.chunks)
                await relay.replay(seq, lines, entry.chunks, entry.record.log_end)
            self.offset = entry.record.log_end

    def page(self, limit: int, *, finished: bool) -> ReadOutput:
        """At most `limit` lines from here, and none beyond a gap; `finished`: a last line without end is one too."""
        first_seq, chunks = self.seq, list(self._first[1]) if self._first else []
        count = sum(len(chunk.lines) for chunk in chunks)
        while count < limit:
            entry, seq = self._next(), self.assembler.seq
            lines: Sequence[Chunk]
            if entry is None:
                lines = without_first(self.assembler.flush(), self._wanted_seq - seq) if finished else ()
            elif entry.record.gap is not None:
                lines = self.assembler.flush()
                self.assembler.seq += _missing(entry) or 0
                if not count and not lines:
                    first_seq = self.assembler.seq
                    continue
            else:
                lines = self.assembler.feed(entry.chunks)
            chunks += [chunk for chunk in lines if chunk.lines]
            count += sum(len(chunk.lines) for chunk in lines)
            if entry is None or entry.record.gap is not None:
                break
        return ReadOutput(first_seq, _first_lines(chunks, limit))

    def _next(self) -> Entry | None:
        entry, self._waiting = self._waiting, None
        return entry or next(self._entries, None)

    def _skip_to_offset(self, offset: int) -> None:
        while (entry := self._next()) is not None:
            if entry.log_at >= offset:
                self._waiting = entry
                return
            before, after = _cut_all(entry.chunks, offset - entry.log_at)
            self._pass(entry, before)
            self.offset = entry.record.log_end
            if after:
                seq = self.assembler.seq
                self._first = seq, self.assembler.feed(after), after
                return

    def _skip_to_seq(self, wanted: int) -> None:
        while self.assembler.seq < wanted or not self.assembler.is_clean:
            entry = self._next()
            if entry is None:
                return
            seq = self.assembler.seq
            lines = self._pass(entry, entry.chunks)
            self.offset = entry.record.log_end
            beyond = self.assembler.seq > wanted and entry.record.gap is None
            if beyond or (self.assembler.seq == wanted and not self.assembler.is_clean):
                rest = without_first(lines, wanted - seq)
                self._first = wanted, rest, [*rest, *self.assembler.growing()]
                return

    def _pass(self, entry: Entry, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        if entry.record.gap is None:
            return self.assembler.feed(chunks)
        lines = self.assembler.flush()
        self.assembler.seq += _missing(entry) or 0
        return lines


def _missing(entry: Entry) -> int | None:
    return None if entry.record.gap is None or entry.record.gap < 0 else entry.record.gap


def _cut_all(chunks: Sequence[Chunk], offset: int) -> tuple[list[Chunk], list[Chunk]]:
    before: list[Chunk] = []
    after: list[Chunk] = []
    at = 0
    for chunk, data in zip(chunks, pack(chunks)[0], strict=True):
        head, tail = (Chunk(chunk.stream, []), chunk) if after else cut(chunk, data, min(offset - at, len(data)))
        before += [head] if head.lines else []
        after += [tail] if tail.lines else []
        at += len(data)
    return before, after


def _first_lines(chunks: Sequence[Chunk], limit: int) -> list[Chunk]:
    kept = []
    for chunk in chunks:
        if limit <= 0:
            break
        kept.append(Chunk(chunk.stream, chunk.lines[:limit]))
        limit -= len(chunk.lines)
    return kept
