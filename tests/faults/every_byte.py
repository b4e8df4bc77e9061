"""A plan that cuts one recorded stream at every byte of it, over as many connections as that takes.

A connection that goes on after event *k* is cut somewhere in a later event, at a byte that was never cut before; so
each of them delivers something and uses up one byte. Connections that begin at the start cut what stands before the
first event's end, too: the response's head, `connected` and the chunk framing around them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.cuts import Payload, after_bytes, after_payload
from tests.faults.proxy import Fault, Request

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_FARTHEST_EVENTS = 12
_ID = re.compile(rb"^id: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Recording:
    """One response from the stream's start: its first `head_bytes` raw, and what stands in it without the framing.

    `events` is all that follows `connected`; `ends` are where each of them ends in there, `places` its place by its id.
    """

    head_bytes: int
    connected: bytes
    events: bytes
    ends: Sequence[int]
    places: dict[str, int]

    @classmethod
    def of(cls, response: bytes) -> Recording:
        """`response` is raw: head, chunk framing and all."""
        parts = list(Payload().parts(response))
        payload = b"".join(part for _, part in parts)
        connected, _, events = payload.partition(b"\n\n")
        ends = [match.end() for match in re.finditer(rb"\n\n", events)]
        ids = [match[1].decode() for match in _ID.finditer(events)]
        assert len(ids) == len(ends) == len(set(ids)), "each event has an id"
        first_event = next(at for at, part in parts if not part.startswith(b"event: connected"))
        return cls(first_event, connected + b"\n\n", events, ends, {one: place for place, one in enumerate(ids)})

    def from_event(self, place: int) -> tuple[int, bytes]:
        """What a connection that begins with this event brings: where that is in `events`, and all of its payload."""
        start = self.ends[place - 1] if place else 0
        return start, self.connected + self.events[start:]


class EveryByte:
    """`left` cuts are still to be made. `share` keeps only such a part of them, for a sample.

    `plain`: the recording is of a server that sends an event for each line. Whatever passed otherwise than it was
    recorded is told in `strange`.
    """

    def __init__(
        self, recording: Recording, start_answer: bytes, dice: random.Random, share: float = 1.0, *, plain: bool = False
    ) -> None:
        self.recording = recording
        self.cut: set[int] = set()
        """Cut so far: bytes of the events, and those before them counted down from -1."""
        self.strange: list[str] = []
        self.compared_bytes = 0
        self._start_answer = start_answer
        self._dice = dice
        self._plain = plain
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
        last_id = request.headers.get("last-event-id")
        first = 0 if last_id is None else self.recording.places.get(last_id, -1) + 1
        if last_id is not None and not first:
            self.strange.append(f"a resume after {last_id!r}, which is no event's id")
        if last_id is None and self._dice.random() < 0.5 and (self._before or self._places[0]):
            return self._cut_at_the_start()
        place = self._next_place(first)
        return self._watched(first, None) if place is None else self._cut(first, place)

    def _cut_at_the_start(self) -> Fault:
        if not self._before:
            return self._cut(0, self._places[0].pop())
        place = self._before.pop()
        self._count(-1 - place)
        return self._watched(0, after_bytes(place))

    def _next_place(self, first: int) -> int | None:
        """A byte that was never cut, in an event after the one that is delivered next."""
        at = bisect_left(self._open, first + 1)
        if at == len(self._open):
            return None
        number = self._open[min(at + self._dice.randrange(_FARTHEST_EVENTS), len(self._open) - 1)]
        place = self._places[number].pop()
        if not self._places[number]:
            self._open.remove(number)
        return place

    def _cut(self, first: int, place: int) -> Fault:
        self._count(place)
        start, _ = self.recording.from_event(first)
        return self._watched(first, after_payload(len(self.recording.connected) + place - start))

    def _count(self, place: int) -> None:
        assert place not in self.cut
        self.cut.add(place)
        self.left -= 1

    def _watched(self, first: int, cut: Callable[[bytes], int | None] | None) -> Fault:
        """`cut`, and a look at all that passes before it: it must be what was recorded from event `first` on."""
        payload, passed = Payload(), 0
        _, wanted = self.recording.from_event(first)

        def look(piece: bytes) -> int | None:
            nonlocal passed
            place = None if cut is None else cut(piece)
            for _, data in payload.parts(piece[:place]):
                if data != wanted[passed : passed + len(data)]:
                    self.strange.append(f"{data[:200]!r}… at byte {passed} after {first} events")
                passed += len(data)
                self.compared_bytes += len(data)
            return place

        return Fault(cut_when=look, plain=self._plain)
