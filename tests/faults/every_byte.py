"""A plan that cuts one recorded stream at every byte of it, over as many connections as that takes.

A connection that goes on after event *k* is cut somewhere in a later event, at a byte that was never cut before; so
each of them delivers something and uses up one byte. Connections that begin at the start cut what stands before the
first event's end, too: the response's head, `connected` and the chunk framing around them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.cuts import Payload, after_bytes, after_payload
from tests.faults.proxy import PASS, Fault, Request

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_FARTHEST_EVENTS = 12


@dataclass(frozen=True)
class Recording:
    """One response from the stream's start: `connected_bytes` of payload before the first event, and where events end.

    An event's id is the offset of its end, as the embedded server has it for a bridge.
    """

    head_bytes: int
    connected_bytes: int
    ends: Sequence[int]

    @classmethod
    def of(cls, response: bytes) -> Recording:
        """`response` is raw: head, chunk framing and all."""
        parts = list(Payload().parts(response))
        payload = b"".join(part for _, part in parts)
        connected = payload.index(b"\n\n") + 2
        ends, at = [], connected
        while at < len(payload):
            at = payload.index(b"\n\n", at) + 2
            ends.append(at - connected)
        assert f"id: {ends[-1]}\n".encode() in payload[-80:], "ids are offsets"
        first_event = next(at for at, part in parts if not part.startswith(b"event: connected"))
        return cls(first_event, connected, ends)

    @property
    def size(self) -> int:
        """The bytes that one reading of it takes."""
        return self.head_bytes + self.ends[-1]


class EveryByte:
    """`left` cuts are still to be made. `share` keeps only such a part of them, for a sample."""

    def __init__(self, recording: Recording, start_answer: bytes, dice: random.Random, share: float = 1.0) -> None:
        self.recording = recording
        self.cut: set[int] = set()
        """Cut so far: bytes of the journal, and those before it counted down from -1."""
        self._start_answer = start_answer
        self._dice = dice
        starts = [0, *recording.ends[:-1]]
        self._places = [
            [byte for byte in range(start, end) if dice.random() < share]
            for start, end in zip(starts, recording.ends, strict=True)
        ]
        self._before = [byte for byte in range(recording.head_bytes) if dice.random() < share]
        for places in (self._before, *self._places):
            dice.shuffle(places)
        self._open = [number for number, places in enumerate(self._places) if places and number]
        self.left = len(self._before) + sum(map(len, self._places))

    def __call__(self, request: Request) -> Fault:
        """A plan for `FaultProxy`. Start calls are answered with the one command that ran."""
        if request.method == "POST":
            return Fault(answer=self._start_answer)
        if not request.is_stream or not self.left:
            return PASS
        last_id = request.headers.get("last-event-id")
        if last_id is None and self._dice.random() < 0.5 and (self._before or self._places[0]):
            return self._cut_at_the_start()
        offset = int(last_id or 0)
        place = self._next_place(bisect_left(self.recording.ends, offset) + 1 if offset else 0)
        return (
            PASS if place is None else self._cut(place, after_payload(self.recording.connected_bytes + place - offset))
        )

    def _cut_at_the_start(self) -> Fault:
        if self._before:
            place = self._before.pop()
            return self._cut(-1 - place, after_bytes(place))
        place = self._places[0].pop()
        return self._cut(place, after_payload(self.recording.connected_bytes + place))

    def _next_place(self, first_new: int) -> int | None:
        """A byte that was never cut, in an event after the one that is delivered next."""
        at = bisect_left(self._open, first_new + 1)
        if at == len(self._open):
            return None
        number = self._open[min(at + self._dice.randrange(_FARTHEST_EVENTS), len(self._open) - 1)]
        place = self._places[number].pop()
        if not self._places[number]:
            self._open.remove(number)
        return place

    def _cut(self, place: int, cut: Callable[[bytes], int | None]) -> Fault:
        assert place not in self.cut
        self.cut.add(place)
        self.left -= 1
        return Fault(cut_when=cut)
