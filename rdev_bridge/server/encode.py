"""Pipe bytes to SSE bytes. Pure, and the one place where the server spends its time, so whole blocks at once.

An event is `event: …`, `data: …`, `id: …`, a blank line. The id is the journal's offset after the event, which is why
encoding needs to know where the block will stand.
"""

from __future__ import annotations

import codecs
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECE_CHARS = 10_000
"""Longest piece of a line. JSON needs at most six bytes for a character, so no line of the stream reaches 64 KiB."""

_PLAIN = bytes(range(0x20, 0x7F)).replace(b'"', b"").replace(b"\\", b"") + b"\n"
_MOST_BYTES_HELD = 4 * PIECE_CHARS


@dataclass(slots=True)
class Pieces:
    """Consecutive lines of one pipe as the insides of JSON strings; no newline ended those at `open_ends`."""

    escaped: list[bytes] = field(default_factory=list)
    open_ends: list[int] = field(default_factory=list)


class Splitter:
    """The bytes of one pipe, cut at newlines alone. Invalid UTF-8 becomes U+FFFD, however the reads are cut."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Pieces:
        """What `data` completed: ended lines, and all but the last piece of a line too long to wait for its end."""
        head, newline, rest = data.rpartition(b"\n")
        if newline:
            # A newline is never part of a longer character, so ended lines decode on their own.
            pieces = _ended(self._held + head if self._held else head)
            self._held = rest
        else:
            pieces = Pieces()
            self._held += data
        if len(self._held) > _MOST_BYTES_HELD:
            self._let_go(pieces)
        return pieces

    def close(self) -> Pieces:
        """The last line, if the process left it unended."""
        held, self._held = self._held, b""
        if not held:
            return Pieces()
        parts = _cut(held.decode("utf-8", "replace"))
        return Pieces(_escape(parts), list(range(len(parts))))

    def _let_go(self, pieces: Pieces) -> None:
        text, used = codecs.utf_8_decode(self._held, "replace", False)
        parts = _cut(text)
        # Decoding the last part again is harmless: U+FFFD is a character like any other by then.
        self._held = parts.pop().encode("utf-8") + self._held[used:]
        pieces.open_ends.extend(range(len(pieces.escaped), len(pieces.escaped) + len(parts)))
        pieces.escaped.extend(_escape(parts))


def _ended(block: bytes) -> Pieces:
    """The lines of `block`, which all had a newline at their end (the last one's is not in it)."""
    if not block.translate(None, _PLAIN):
        lines = block.split(b"\n")
        if len(block) <= PIECE_CHARS or len(max(lines, key=len)) <= PIECE_CHARS:
            return Pieces(lines)
    texts = block.decode("utf-8", "replace").split("\n")
    if len(block) <= PIECE_CHARS or len(max(texts, key=len)) <= PIECE_CHARS:
        return Pieces(_escape(texts))
    parts: list[str] = []
    open_ends: list[int] = []
    for text in texts:
        cut = _cut(text)
        open_ends.extend(range(len(parts), len(parts) + len(cut) - 1))
        parts.extend(cut)
    return Pieces(_escape(parts), open_ends)


def _cut(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)] or [text]


def _escape(texts: list[str]) -> list[bytes]:
    # One call for all. Inside a JSON string every quote has a backslash before it, so `","` stands only between two.
    return msgspec.json.encode(texts)[2:-2].split(b'","') if texts else []


def encode_output(pieces: Pieces, stream: str, start: int) -> bytes:
    """The `output` events of `pieces` as they stand in a journal from offset `start` on."""
    ended = b'event: output\ndata: {"line":"%%b","stream":"%b"}\nid: %%d\n\n' % stream.encode()
    open_end = ended.replace(b"}\n", b',"partial":true}\n')
    around = len(ended) - len(b"%b%d")
    sizes = [len(line) + around for line in pieces.escaped]
    formats = None
    if pieces.open_ends:
        formats = [ended] * len(sizes)
        for index in pieces.open_ends:
            sizes[index] += len(open_end) - len(ended)
            formats[index] = open_end
    made: list[bytes] = []
    done = 0
    digits = len(str(start))
    while done < len(sizes):
        # An id is part of what it measures: as long as ids have `digits` digits, each event is so much longer.
        ends = _ends(sizes, done, start, digits)
        fitting = bisect_left(ends, 10**digits)
        if fitting:
            upto = done + fitting
            template = ended * fitting if formats is None else b"".join(formats[done:upto])
            values: list[Any] = [None] * (2 * fitting)
            values[::2] = pieces.escaped[done:upto]
            values[1::2] = ends[:fitting]
            made.append(template % tuple(values))
            done, start = upto, ends[fitting - 1]
        digits += 1
    return b"".join(made)


def _ends(sizes: Sequence[int], done: int, start: int, digits: int) -> list[int]:
    widened = [size + digits for size in (sizes[done:] if done else sizes)]
    widened[0] += start
    return list(accumulate(widened))


def encode_last(event: str, data: dict[str, Any], start: int) -> bytes:
    """A stored event other than output (`complete`, `error`), with its id."""
    text = b"event: %b\ndata: %b\nid: " % (event.encode(), msgspec.json.encode(data))
    digits = 1
    while len(str(start + len(text) + digits + 2)) != digits:
        digits += 1
    return b"%b%d\n\n" % (text, start + len(text) + digits + 2)


def encode_passing(event: str, data: dict[str, Any]) -> bytes:
    """An event that is made for one reader and never stored (`connected`, `heartbeat`): it has no id."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), msgspec.json.encode(data))
