"""Puts long lines together again: a pure step between the pieces of the stream and the lines that are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.model import Chunk, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE_CHARS = 2 * 1024 * 1024
"""A line longer than this is cut, and says so. The run's log keeps all of it."""


class _Growing(msgspec.Struct):
    """A line whose end has not come yet; what lies beyond the cap is counted, not kept."""

    parts: list[str] = msgspec.field(default_factory=list)
    kept_chars: int = 0
    cut_chars: int = 0

    def add(self, text: str, cap_chars: int) -> None:
        room = cap_chars - self.kept_chars
        self.parts.append(text if len(text) <= room else text[:room])
        self.kept_chars += min(len(text), room)
        self.cut_chars += max(0, len(text) - room)

    def text(self) -> str:
        whole = "".join(self.parts)
        return f"{whole} … [{self.cut_chars} more characters]" if self.cut_chars else whole


class Assembler:
    """Pieces in, whole lines out, one growing line for each stream. `seq` is the number of the next whole line."""

    def __init__(self, *, seq: int = 0, cap_chars: int = LINE_CHARS) -> None:
        self.seq = seq
        self._cap_chars = cap_chars
        self._growing: dict[Stream, _Growing] = {}

    @property
    def is_clean(self) -> bool:
        """Whether no line is in the middle."""
        return not self._growing

    def feed(self, pieces: Sequence[Chunk], size: int | None = None) -> Sequence[Chunk]:
        """The whole lines that `pieces` bring; the very same object where every line came whole.

        `size` is that of all of them in bytes, where it is known: then no line is longer than that, and a fifth of what
        a line costs on its way to a terminal need not be spent on looking at each one's length.
        """
        short = size is not None and size <= self._cap_chars
        if not self._growing and all(chunk.ended and (short or self._fits(chunk.lines)) for chunk in pieces):
            lines = pieces
        else:
            lines = [whole for chunk in pieces if (whole := self._take(chunk)).lines]
        self.seq += sum([len(chunk.lines) for chunk in lines])
        return lines

    def flush(self) -> Sequence[Chunk]:
        """No more comes: the lines in the middle count as they are, in the order in which they began."""
        lines = [Chunk(stream, [growing.text()]) for stream, growing in self._growing.items()]
        self._growing.clear()
        self.seq += len(lines)
        return lines

    def growing(self) -> Sequence[Chunk]:
        """What has come so far of lines in the middle."""
        return [Chunk(stream, [growing.text()], ended=False) for stream, growing in self._growing.items()]

    def _fits(self, lines: list[str]) -> bool:
        return max(map(len, lines), default=0) <= self._cap_chars

    def _cut(self, line: str) -> str:
        growing = _Growing()
        growing.add(line, self._cap_chars)
        return growing.text()

    def _take(self, chunk: Chunk) -> Chunk:
        lines, grown = chunk.lines, []
        if lines and (growing := self._growing.get(chunk.stream)) is not None:
            growing.add(lines[0], self._cap_chars)
            if len(lines) == 1 and not chunk.ended:
                return Chunk(chunk.stream, [])
            del self._growing[chunk.stream]
            lines, grown = lines[1:], [growing.text()]
        if lines and not chunk.ended:
            growing = self._growing[chunk.stream] = _Growing()
            growing.add(lines[-1], self._cap_chars)
            lines = lines[:-1]
        if not self._fits(lines):
            lines = [self._cut(line) for line in lines]
        return Chunk(chunk.stream, [*grown, *lines] if grown else lines)


def without_first(chunks: Sequence[Chunk], count: int) -> list[Chunk]:
    """The lines of `chunks` without the first `count`."""
    kept = []
    count = max(0, count)
    for chunk in chunks:
        rest = chunk.lines[count:]
        count = max(0, count - len(chunk.lines))
        if rest:
            kept.append(Chunk(chunk.stream, rest, chunk.ended))
    return kept
