"""Bytes of an rdev stream to what they mean, many events at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from rdev_bridge.model import Chunk, Stream
from rdev_bridge.remote.events import read_output, stream_named
from rdev_bridge.remote.sse import Decoder, SentEvent

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Lines:
    """Consecutive `output` events, column-wise. `ids` are their own ids, "" where an event carries none."""

    texts: list[str] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    open_ends: set[int] = field(default_factory=set)
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
        made: list[Chunk] = []
        start, count = 0, len(self.texts)
        for index in range(1, count + 1):
            open_end = index - 1 in self.open_ends
            if index == count or open_end or self.streams[index] is not self.streams[start]:
                made.append(Chunk(self.streams[start], self.texts[start:index], not open_end))
                start = index
        return made


@dataclass(frozen=True, slots=True)
class Other:
    """Any other event; also an `output` that cannot be read (`event` is "output" then)."""

    event: str
    data: str
    id: str
    numbered: bool


class BulkDecoder:
    """`Decoder`, and the payloads of `output` events on top."""

    def __init__(self, last_event_id: str = "") -> None:
        self._decoder = Decoder(last_event_id)

    @property
    def retry_ms(self) -> int | None:
        """The reconnection time that the server asked for."""
        return self._decoder.retry_ms

    def feed(self, data: bytes) -> list[Lines | Other]:
        """What `data` completed, in order. Raises StreamTooLargeError."""
        made: list[Lines | Other] = []
        lines: Lines | None = None
        for event in cast("list[SentEvent]", self._decoder.feed(data)):
            output = read_output(event.data) if event.event == "output" else None
            if output is None:
                made.append(Other(event.event, event.data, event.id, event.numbered))
                lines = None
                continue
            if lines is None:
                lines = Lines()
                made.append(lines)
            if output.partial:
                lines.open_ends.add(len(lines.texts))
            lines.texts.append(output.line)
            lines.streams.append(stream_named(output.stream))
            lines.ids.append(event.id if event.numbered else "")
        return made
