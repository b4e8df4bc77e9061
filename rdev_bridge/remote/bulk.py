"""Bytes of an rdev stream to what they mean, many events at a time.

Three ways over the same bytes, the fastest that can prove that it accounts for every one of them:

1. blocks that differ in nothing but id, text and stream, with no escape in any text: one `split`;
2. blocks of one shape with any JSON: one `split`, and one decode of all payloads as an array, whose count must fit;
3. anything else: the complete `Decoder`.

The shape (where the id stands, which blanks are used) is taken from the first block at hand.

A server of ours sends `lines` events instead, if it is asked to: all that it read at once, in one text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import msgspec

from rdev_bridge.errors import RdevError
from rdev_bridge.model import Chunk, Stream
from rdev_bridge.remote.events import Output, Printed, read_output, stream_named
from rdev_bridge.remote.sse import Decoder, SentEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

_STREAMS = {"stdout": Stream.STDOUT, "stderr": Stream.STDERR}
_CONTROLS = bytes(set(range(0x20)) - {0x0A})
_FEW_BYTES = 512
_HELD_BYTES = 96 * 1024
_VALUE = r"([^ \n][^\n]*)"
_FIRST_BLOCK = re.compile(
    r"(?P<before>id: ?)?(?(before)[^ \n][^\n]*\n)(?P<event>event: ?output\n)"
    r"(?P<between>id: ?)?(?(between)[^ \n][^\n]*\n)"
    r'(?P<data>data: ?)\{(?P<line>"line": ?")?[^\n]*?'
    r'(?P<stream>", ?"stream": ?")?(?(stream)(?P<name>std(?:out|err))")\}\n'
    r"(?P<after>id: ?)?(?(after)[^ \n][^\n]*\n)\n"
)


class Lines(msgspec.Struct):
    """Consecutive `output` events, column-wise. `ids` are their own ids, "" where an event carries none."""

    texts: list[str] = msgspec.field(default_factory=list)
    streams: list[Stream] = msgspec.field(default_factory=list)
    ids: list[str] = msgspec.field(default_factory=list)
    open_ends: set[int] = msgspec.field(default_factory=set)
    """Indexes of the pieces that no newline ended."""

    def kept(self, keep: Sequence[bool]) -> Lines:
        """Only the events whose flag is set."""
        places = [index for index, flag in enumerate(keep) if flag]
        return Lines(
            [self.texts[i] for i in places],
            [self.streams[i] for i in places],
            [self.ids[i] for i in places],
            {new for new, old in enumerate(places) if old in self.open_ends},
        )

    def chunks(self) -> list[Chunk]:
        """The same by stream, each chunk ending where the stream changes or a line stays open."""
        count = len(self.texts)
        if not self.open_ends and count and self.streams.count(self.streams[0]) == count:
            return [Chunk(self.streams[0], self.texts)]
        made: list[Chunk] = []
        start = 0
        for index in range(1, count + 1):
            open_end = index - 1 in self.open_ends
            if index == count or open_end or self.streams[index] is not self.streams[start]:
                made.append(Chunk(self.streams[start], self.texts[start:index], not open_end))
                start = index
        return made

    def extend(self, more: Lines) -> None:
        """Append what followed."""
        self.open_ends.update(place + len(self.texts) for place in more.open_ends)
        self.texts += more.texts
        self.streams += more.streams
        self.ids += more.ids


class Other(msgspec.Struct, frozen=True):
    """Any other event; also an `output` that cannot be read (`event` is "output" then)."""

    event: str
    data: str
    id: str
    numbered: bool


class Text(msgspec.Struct, frozen=True):
    """A `lines` event: output of one stream, and one id for all of it."""

    chunk: Chunk
    id: str


class BulkDecoder:
    """`Decoder`, and the payloads of `output` events on top; with `knows_lines`, those of `lines` events too."""

    def __init__(self, last_event_id: str = "", *, knows_lines: bool = False) -> None:
        self._decoder = Decoder(last_event_id)
        self._knows_lines = knows_lines
        self._held = b""  # the start of a block whose end has not come yet; the decoder has not seen it

    @property
    def retry_ms(self) -> int | None:
        """The reconnection time that the server asked for."""
        return self._decoder.retry_ms

    def feed(self, data: bytes) -> list[Lines | Text | Other]:
        """What `data` completed, in order. Raises StreamTooLargeError."""
        made: list[Lines | Text | Other] = []
        if self._held:
            data, self._held = self._held + data, b""
        if self._decoder.between_events and not self._knows_lines:
            end = data.rfind(b"\n\n") + 2
            if end > 1:
                self._region(data[:end], made)
                data = data[end:]
                # A line feed may still follow a blank line: nothing but the decoder cares.
            if len(data) < _HELD_BYTES and b"\r" not in data:
                self._held = data
                return made
        self._completely(data, made)
        return made

    def _region(self, region: bytes, made: list[Lines | Text | Other]) -> None:
        """`region` starts a block and ends one. Where it is mixed, its halves are tried: most of them are pure.

        What stands before a last block of more than half is at most half: it goes no deeper than two calls a halving.
        """
        lines = _at_once(region) if self._decoder.between_events else None
        if lines is not None:
            if lines.ids[-1]:
                self._decoder.went_on(lines.ids[-1])
            _append(made, lines)
            return
        half = len(region) // 2
        middle = region.find(b"\n\n", half) + 2
        if middle >= len(region):  # the last block is larger than half of it
            middle = region.rfind(b"\n\n", 0, half + 1) + 2
        if len(region) <= _FEW_BYTES or middle < 2:
            self._completely(region, made)
            return
        self._region(region[:middle], made)
        self._region(region[middle:], made)

    def _completely(self, data: bytes, made: list[Lines | Text | Other]) -> None:
        for event in cast("list[SentEvent]", self._decoder.feed(data)):
            if self._knows_lines and event.event == "lines" and event.numbered:
                made.append(_text(event))
                continue
            output = read_output(event.data) if event.event == "output" else None
            if output is None:
                made.append(Other(event.event, event.data, event.id, event.numbered))
            else:
                own_id = event.id if event.numbered else ""
                _append(made, Lines([output.line], [stream_named(output.stream)], [own_id], _ends([output])))


def _text(event: SentEvent) -> Text:
    """Raises RdevError where our own server does not keep its word."""
    try:
        found = _printed.decode(event.data)
    except msgspec.DecodeError as error:
        raise RdevError(f"the server sent output that cannot be read: {error}", reason="badAnswer") from None
    lines = found.text.split("\n")
    ended = not lines[-1]
    if ended:
        lines.pop()
    return Text(Chunk(stream_named(found.stream), lines, ended), event.id)


def _append(made: list[Lines | Text | Other], lines: Lines) -> None:
    if made and isinstance(made[-1], Lines):
        made[-1].extend(lines)
    else:
        made.append(lines)


class _Seam(msgspec.Struct, frozen=True):
    """What stands between two payloads, as a pattern, and what a block begins with, as a pattern and as a sample."""

    start: re.Pattern[str]
    sample: str
    between: re.Pattern[str]

    def split(self, text: str) -> tuple[str | None, list[str]] | None:
        """The first id (where ids come first) and the pieces and groups of all blocks; None where they do not fit.

        The sample at the end makes the last block end like the others; then an empty piece is left over.
        """
        first = self.start.match(text)
        if first is None:
            return None
        parts = self.between.split(text[first.end() :] + self.sample)
        if parts.pop():
            return None
        return first[1] if self.start.groups else None, parts


class _Plain(msgspec.Struct, frozen=True):
    """Blocks whose payload is the simple `{"line":…,"stream":…}`.

    `alike` fits blocks of `stream` alone; the text `other` shows that there are others too, and `mixed` fits both. No
    name of a stream for each line is a quarter of way 1 saved.
    """

    stream: Stream
    alike: _Seam
    other: str
    mixed: _Seam


class _Shape(msgspec.Struct, frozen=True):
    """How a server writes an output event."""

    any: _Seam
    plain: _Plain | None
    numbered: bool

    @property
    def line_ends(self) -> int:
        return 4 if self.numbered else 3


@lru_cache(maxsize=32)
def _shape(before: str, event: str, between: str, data: str, after: str, line: str, stream: str, name: str) -> _Shape:
    def seam(opening: str, closing: str) -> _Seam:
        head = (re.escape(before) + _VALUE + "\n" if before else "") + re.escape(event)
        head += (re.escape(between) + _VALUE + "\n" if between else "") + re.escape(data + opening)
        sample = (before + "0\n" if before else "") + event + (between + "0\n" if between else "") + data + opening
        tail = closing + "\n" + (re.escape(after) + _VALUE + "\n" if after else "") + "\n"
        return _Seam(re.compile(head), sample, re.compile(tail + head))

    plain = None
    if line and stream:
        alike = seam("{" + line, re.escape(f'{stream}{name}"}}'))
        mixed = seam("{" + line, re.escape(stream) + r'(stdout|stderr)"\}')
        other = "stderr" if name == "stdout" else "stdout"
        plain = _Plain(_STREAMS[name], alike, stream + other, mixed)
    return _Shape(seam("{", r"\}"), plain, numbered=bool(before or between or after))


def _at_once(region: bytes) -> Lines | None:
    """All of `region` as output events, by way 1 or 2; None where neither can prove that it is right."""
    try:
        text = region.decode()
    except UnicodeDecodeError:
        return None
    first = _FIRST_BLOCK.match(text)
    if first is None or sum(first[name] is not None for name in ("before", "between", "after")) > 1:
        return None
    # A carriage return would end a line, a NUL would void an id, and JSON holds none of the others.
    if len(region.translate(None, _CONTROLS)) != len(region):
        return None
    shape = _shape(*first.group("before", "event", "between", "data", "after", "line", "stream", "name"))
    return _plain(shape, text) or _parsed(shape, text)


def _plain(shape: _Shape, text: str) -> Lines | None:
    """Way 1: eight quotes and four (or three) line ends a block, no backslash: then nothing hides in a text."""
    plain = shape.plain
    if plain is None or "\\" in text:
        return None
    alike = plain.other not in text
    found = (plain.alike if alike else plain.mixed).split(text)
    if found is None:
        return None
    first_id, parts = found
    width = 1 + shape.numbered + (not alike)
    texts = parts[::width]
    count = len(texts)
    if text.count('"') != 8 * count or text.count("\n") != shape.line_ends * count:
        return None
    streams = [plain.stream] * count if alike else [_STREAMS[name] for name in parts[1::width]]
    return Lines(texts, streams, _ids(shape, first_id, parts[width - 1 :: width]) or [""] * count)


def _parsed(shape: _Shape, text: str) -> Lines | None:
    """Way 2. JSON strings hold no raw line feed, so none of those that join the array can vanish inside of one."""
    found = shape.any.split(text)
    if found is None:
        return None
    first_id, parts = found
    payloads = parts[::2] if shape.numbered else parts
    count = len(payloads)
    if text.count("\n") != shape.line_ends * count:
        return None
    try:
        outputs = _array.decode("[{" + "}\n,{".join(payloads) + "}]")
    except msgspec.DecodeError:
        return None
    if len(outputs) != count:
        return None
    streams = [stream_named(output.stream) for output in outputs]
    ids = _ids(shape, first_id, parts[1::2]) or [""] * count
    return Lines([output.line for output in outputs], streams, ids, _ends(outputs))


def _ids(shape: _Shape, first_id: str | None, found: list[str]) -> list[str]:
    """The blocks' ids: each seam holds the one before it, or where ids come first, the one after it."""
    if not shape.numbered:
        return []
    return found if first_id is None else [first_id, *found[:-1]]


_array = msgspec.json.Decoder(list[Output])
_printed = msgspec.json.Decoder(Printed)


def _ends(outputs: Sequence[Output]) -> set[int]:
    return {place for place, output in enumerate(outputs) if output.partial}
