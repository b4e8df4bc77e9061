"""The lines of a run's `index`: what the bytes of `output.log` mean. One record for each batch, never changed."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.model import Chunk, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STREAMS = (Stream.STDOUT, Stream.STDERR)
_NUMBER = {Stream.STDOUT: 0, Stream.STDERR: 1}


class Part(msgspec.Struct, array_like=True, omit_defaults=True):
    """One chunk: which stream, how many bytes, and whether its last line was ended.

    `starts` are the byte offsets of its lines where one of them holds a line feed, so that counting those won't do.
    """

    stream: int
    size: int
    ended: bool = True
    starts: list[int] | None = None


class Record(msgspec.Struct, array_like=True, omit_defaults=True):
    """Where log and count stand after this batch, and where the stream goes on from here.

    `clean`: no line is in the middle. `gap`: not output, but lines that are missing (-1: nobody knows how many).
    """

    log_end: int
    seq_end: int
    clean: bool
    position: str | None
    parts: list[Part] = []
    gap: int | None = None


encode_record = msgspec.json.Encoder().encode
decode_records = msgspec.json.Decoder(Record).decode_lines
_decode_record = msgspec.json.Decoder(Record).decode


def whole_records(lines: Sequence[bytes]) -> list[Record]:
    """The records of `lines` up to the first one that is damaged."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        found = decode_records(b"".join(lines))
        if len(found) == len(lines):
            return found
    found = []
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        for line in lines:
            found.append(_decode_record(line))
    return found


def to_utf8(text: str) -> bytes:
    """`text` as bytes; what no UTF-8 can say (a lone surrogate) becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def pack(chunks: Iterable[Chunk]) -> tuple[list[bytes], list[Part]]:
    """Each chunk as the log keeps it, and what it takes to read it again."""
    raw, parts = [], []
    for chunk in chunks:
        data = to_utf8(chunk.text())
        part = Part(_NUMBER[chunk.stream], len(data), chunk.ended)
        if data.count(b"\n") != len(chunk.lines) - (not chunk.ended):
            part.starts = [0]
            for line in chunk.lines[:-1]:
                part.starts.append(part.starts[-1] + len(to_utf8(line)) + 1)
        raw.append(data)
        parts.append(part)
    return raw, parts


def unpack(data: bytes, parts: Sequence[Part]) -> list[Chunk]:
    """The inverse of `pack`."""
    chunks, at = [], 0
    for part in parts:
        piece = data[at : at + part.size]
        at += part.size
        chunks.append(Chunk(_STREAMS[part.stream], _lines(piece, part), part.ended))
    return chunks


def _lines(data: bytes, part: Part) -> list[str]:
    end = len(data) - part.ended
    if part.starts is None:
        return data[:end].decode().split("\n")
    bounds = [*part.starts, end + 1]
    return [data[start : following - 1].decode() for start, following in pairwise(bounds)]


def cut(chunk: Chunk, data: bytes, offset: int) -> tuple[Chunk, Chunk]:
    """`chunk`, whose bytes are `data`, as two that say the same: split before the character at byte `offset`."""
    if offset >= len(data):
        return chunk, Chunk(chunk.stream, [])
    while offset > 0 and data[offset] & 0xC0 == 0x80:
        offset -= 1
    at = 0
    for number, line in enumerate(chunk.lines):
        size = len(to_utf8(line))
        if offset == at:
            return Chunk(chunk.stream, chunk.lines[:number]), Chunk(chunk.stream, chunk.lines[number:], chunk.ended)
        if offset <= at + size:
            head = to_utf8(line)[: offset - at].decode()
            before = Chunk(chunk.stream, [*chunk.lines[:number], head], ended=False)
            return before, Chunk(chunk.stream, [line[len(head) :], *chunk.lines[number + 1 :]], chunk.ended)
        at += size + 1
    return chunk, Chunk(chunk.stream, [])
