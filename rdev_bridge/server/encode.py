"""Pipe bytes to what the journal stores, and that to what a reader is sent. Pure.

Stored is one `lines` event for each read of a pipe: `{"stream", "text"}` and an id. A bridge that asks for them gets
them as they are; any other reader gets an `output` event for each line. An id is a position in the journal: where the
event ends, and for one of several lines, where that line ends inside of it.

Per million lines a `lines` event of each 64 KiB costs 40 ms here and as much at the reader; an `output` event each
costs 200 ms and at the fastest reader 400.
"""

from __future__ import annotations

import codecs
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_CHARS = 10_000
"""Longest piece of a line. JSON needs at most six bytes for a character, so no line of the stream reaches 64 KiB."""

LONGEST_EVENT_BYTES = 2 * 1024 * 1024
"""Of what is stored: a pipe's read of 256 KiB at most, and six bytes for each of its characters."""

_MOST_BYTES_HELD = 4 * PIECE_CHARS
_HEAD = b'event: lines\ndata: {"stream":"%b","text":"'
_HEADS = {_HEAD % stream: stream for stream in (b"stdout", b"stderr")}
_TAIL = b'"}\nid: '


@dataclass(frozen=True, slots=True)
class Text:
    """Output of one pipe as the inside of a JSON string; `lines` newlines are in it."""

    escaped: bytes = b""
    lines: int = 0


class Splitter:
    """The bytes of one pipe, let go at newlines alone. Invalid UTF-8 becomes U+FFFD, however the reads are cut."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Text:
        """What `data` completed: ended lines, and all but the last piece of a line too long to wait for its end."""
        head, newline, rest = data.rpartition(b"\n")
        if newline:
            # A newline is never part of a longer character, so ended lines decode on their own.
            text = (self._held + head + newline).decode("utf-8", "replace")
            self._held = rest
        else:
            text = ""
            self._held += data
        if len(self._held) > _MOST_BYTES_HELD:
            text += self._let_go()
        return _escaped(text)

    def close(self) -> Text:
        """The last line, if the process left it unended."""
        held, self._held = self._held, b""
        return _escaped(held.decode("utf-8", "replace"))

    def _let_go(self) -> str:
        text, used = codecs.utf_8_decode(self._held, "replace", False)
        kept = (len(text) - 1) % PIECE_CHARS + 1
        # Decoding the last piece again is harmless: U+FFFD is a character like any other by then.
        self._held = text[-kept:].encode("utf-8") + self._held[used:]
        return text[:-kept]


def _escaped(text: str) -> Text:
    return Text(msgspec.json.encode(text)[1:-1], text.count("\n")) if text else Text()


def encode_lines(text: Text, stream: str, start: int) -> bytes:
    """The `lines` event of `text` as it stands in a journal from offset `start` on."""
    return _with_id(_HEAD % stream.encode() + text.escaped + _TAIL, start)


def encode_last(event: str, data: dict[str, Any], start: int) -> bytes:
    """A stored event other than output (`complete`, `error`), with its id."""
    return _with_id(b"event: %b\ndata: %b\nid: " % (event.encode(), msgspec.json.encode(data)), start)


def _with_id(text: bytes, start: int) -> bytes:
    """The id is a part of what it measures."""
    digits = 1
    while len(str(start + len(text) + digits + 2)) != digits:
        digits += 1
    return b"%b%d\n\n" % (text, start + len(text) + digits + 2)


def encode_passing(event: str, data: dict[str, Any]) -> bytes:
    """An event that is made for one reader and never stored (`connected`, `heartbeat`): it has no id."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), msgspec.json.encode(data))


@dataclass(slots=True)
class Pieces:
    """A `lines` event taken apart: what each `output` event holds, as the inside of a JSON string, and its id.

    No newline ended those at `open_ends`: pieces of a line too long for one event, or a last line without an end.
    """

    stream: bytes
    escaped: list[bytes] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    open_ends: list[int] = field(default_factory=list)

    def after(self, position: int) -> Pieces:
        """Only what follows the event with that id."""
        first = bisect_right(self.ends, position)
        open_ends = [index - first for index in self.open_ends if index >= first]
        return Pieces(self.stream, self.escaped[first:], self.ends[first:], open_ends)

    def encode(self) -> bytes:
        """The `output` events."""
        ended = b'event: output\ndata: {"line":"%%b","stream":"%b"}\nid: %%d\n\n' % self.stream
        count = len(self.ends)
        template = ended * count
        if self.open_ends:
            formats = [ended] * count
            for index in self.open_ends:
                formats[index] = ended.replace(b"}\n", b',"partial":true}\n')
            template = b"".join(formats)
        values: list[Any] = [None] * (2 * count)
        values[::2] = self.escaped
        values[1::2] = self.ends
        return template % tuple(values)  # one format for all: a third of the time that one a line takes


def take_apart(event: bytes, start: int) -> Pieces | None:
    """A stored event that stands at offset `start`; None where it is not of lines."""
    head = event[: len(_HEAD) + len(b"stdout") - 2]
    stream = _HEADS.get(head)
    if stream is None:
        return None
    pieces = Pieces(stream)
    lines = _split(event[len(head) : event.rindex(_TAIL)])
    last = lines.pop()
    at = start + len(head)
    if len(max(lines, key=len, default=b"")) <= PIECE_CHARS:
        pieces.escaped = lines
        pieces.ends = list(accumulate([len(line) + 2 for line in lines], initial=at))[1:]
    else:
        for line in lines:
            _add(pieces, at, line)
            at = pieces.ends[-1] = pieces.ends[-1] + 2
            pieces.open_ends.pop()
    if last:
        _add(pieces, pieces.ends[-1] if lines else at, last)
    pieces.ends[-1] = start + len(event)
    return pieces


def _add(pieces: Pieces, at: int, line: bytes) -> None:
    """Add a line without its end, in pieces."""
    for piece in _cut(line):
        at += len(piece)
        pieces.open_ends.append(len(pieces.ends))
        pieces.escaped.append(piece)
        pieces.ends.append(at)


def _split(escaped: bytes) -> list[bytes]:
    r"""At its newlines, which are written `\n`; after a backslash that is itself escaped an n is an n."""
    if b"\\\\" not in escaped:
        return escaped.split(b"\\n")
    lines = escaped.replace(b"\\\\", b"\0").split(b"\\n")  # JSON holds no NUL
    return [line.replace(b"\0", b"\\\\") for line in lines]


def _cut(line: bytes) -> list[bytes]:
    if len(line) <= PIECE_CHARS:
        return [line]
    text: str = msgspec.json.decode(b'"%b"' % line)
    parts = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
    return [msgspec.json.encode(part)[1:-1] for part in parts]


def line_by_line(events: bytes, start: int, after: int = 0) -> bytes:
    """Whole stored events from offset `start` on as any rdev client reads them, without those up to id `after`."""
    return b"".join(_line_by_line(events, start, after))


def _line_by_line(events: bytes, start: int, after: int) -> Iterator[bytes]:
    at = 0
    while at < len(events):
        end = events.index(b"\n\n", at) + 2
        event = events[at:end]
        pieces = take_apart(event, start + at)
        if pieces is None:
            yield event
        else:
            yield (pieces.after(after) if after > start + at else pieces).encode()
        at = end
