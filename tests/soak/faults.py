"""Random faults, the same for the same seed and the same requests."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal

from tests.faults.cuts import after_bytes
from tests.faults.proxy import PASS, Fault, Request

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSALS = (429, 500, 502, 503)
_HEARTBEAT = b"event: heartbeat"
_SCRIPT = re.compile(rb"script\.py (\d+)")


def refusal(status: int, retry_after: str | None) -> bytes:
    """A whole answer of a server, or of something in front of it, that wants to be left alone for a while."""
    header = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    return f"HTTP/1.1 {status} X\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()


def silent_after_heartbeats(count: int) -> Callable[[bytes], int | None]:
    """Not another word after so many heartbeats: by then the bridge knows how long a silence may be."""
    heard = 0

    def cut(piece: bytes) -> int | None:
        nonlocal heard
        heard += piece.count(_HEARTBEAT)
        return len(piece) if heard >= count else None

    return cut


class RandomFaults:
    """A plan for `FaultProxy`. `counts` says what was done, `lost_starts` the scripts whose starts nobody heard of."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.lost_starts: set[int] = set()
        self._dice = random.Random(seed)

    def __call__(self, request: Request) -> Fault:
        if request.is_stream:
            return self._for_stream(request)
        if request.method == "POST" and b"script.py" in request.body:
            return self._for_start(request)
        return PASS

    def _for_start(self, request: Request) -> Fault:
        dice = self._dice
        match dice.randrange(12):
            case 0:
                return self._count(
                    "start refused", Fault(answer=refusal(dice.choice([429, 503]), dice.choice(["0", None])))
                )
            case 1:
                found = _SCRIPT.search(request.body)
                assert found is not None
                self.lost_starts.add(int(found[1]))
                return self._count("answer to a start lost", Fault(cut_at=dice.randrange(100), how=self._end()))
            case _:
                return PASS

    def _for_stream(self, request: Request) -> Fault:
        dice = self._dice
        moved: dict[str, Any] = {}
        if "last-event-id" in request.headers and dice.random() < 0.25:
            moved = dice.choice([{"rewind": dice.randrange(1, 40)}, {"forget": True}])
            self.counts["resume answered with what was known"] += 1
        match dice.randrange(20):
            case 0:
                return self._count("stream refused", Fault(answer=refusal(dice.choice(REFUSALS), self._retry_after())))
            case 1:
                return self._count("no answer", Fault(cut_at=0, how=self._end(), **moved))
            case 2:
                return self._count("silence", Fault(cut_when=silent_after_heartbeats(2), how="silence", **moved))
            case 3:
                size = dice.choice([1, 7, 100, 5000])
                return self._count("sliced", Fault(slice_bytes=size, delay_s=0.0, cut_at=2000 * size, **moved))
            case 4:
                return self._count("slow", Fault(slice_bytes=4000, delay_s=0.003, **moved))
            case 5 | 6 | 7:
                return Fault(**moved)
            case _:
                at = int(10 ** dice.uniform(1.5, 6))
                how = self._end()
                return self._count(
                    "reset" if how == "reset" else "cut", Fault(cut_when=after_bytes(at), how=how, **moved)
                )

    def _end(self) -> Literal["end", "reset"]:
        return "reset" if self._dice.random() < 0.4 else "end"

    def _retry_after(self) -> str | None:
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        return self._dice.choice([None, "0", "1", soon])

    def _count(self, kind: str, fault: Fault) -> Fault:
        self.counts[kind] += 1
        return fault
