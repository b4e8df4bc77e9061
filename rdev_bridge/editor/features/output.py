"""`rdev/output`: a run's lines as frames, encoded straight from lists of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.editor.sanitize import clean_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdev_bridge.model import Chunk

# Small enough that an answer never waits long behind a frame, large enough that its cost is nothing.
FRAME_LINES = 2000
FRAME_CHARS = 64 * 1024


class OutputChunk(msgspec.Struct):
    """Consecutive lines of one stream."""

    stream: str
    lines: list[str]


class _Params(msgspec.Struct, rename="camel"):
    run_id: str
    seq: int
    chunks: list[OutputChunk]


class _Notification(msgspec.Struct):
    params: _Params
    jsonrpc: str = "2.0"
    method: str = "rdev/output"


_encode = msgspec.json.Encoder().encode


def output_frames(run_id: str, seq: int, chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """Bodies of `rdev/output`; each starts where the last ended."""
    for group in _grouped(clean_chunks(chunks)):
        yield _encode(_Notification(_Params(run_id, seq, group)))
        seq += sum(len(chunk.lines) for chunk in group)


def clean_chunks(chunks: Iterable[Chunk]) -> Iterator[OutputChunk]:
    """The same lines, safe for an editor."""
    return (OutputChunk(chunk.stream.value, clean_lines(chunk.lines)) for chunk in chunks)


def _grouped(chunks: Iterable[OutputChunk]) -> Iterator[list[OutputChunk]]:
    group: list[OutputChunk] = []
    lines = chars = 0
    for chunk in chunks:
        for part in _pieces(chunk.lines):
            size = sum(map(len, part))
            if group and (lines + len(part) > FRAME_LINES or chars + size > FRAME_CHARS):
                yield group
                group, lines, chars = [], 0, 0
            if group and group[-1].stream == chunk.stream:
                group[-1].lines.extend(part)
            else:
                group.append(OutputChunk(chunk.stream, list(part)))
            lines, chars = lines + len(part), chars + size
    if group:
        yield group


def _pieces(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """`lines` in parts that each fit a frame (a single line may be longer than one)."""
    if len(lines) <= FRAME_LINES and sum(map(len, lines)) <= FRAME_CHARS:
        yield lines
        return
    start = chars = 0
    for number, line in enumerate(lines):
        if number > start and (number - start >= FRAME_LINES or chars + len(line) > FRAME_CHARS):
            yield lines[start:number]
            start, chars = number, 0
        chars += len(line)
    yield lines[start:]
