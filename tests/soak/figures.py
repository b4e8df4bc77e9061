"""What was relayed, what was broken on the way, and what of it was wrong: added up, and shown as one table."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Verdict:
    """How what arrived differs from what was said. All zero is the only good one."""

    lost: int = 0
    doubled: int = 0
    invented: int = 0
    misplaced: int = 0


def judge(said: Sequence[str], arrived: Sequence[str]) -> Verdict:
    """Compare line by line; equal lines are told apart by how many there are of them."""
    if list(said) == list(arrived):
        return Verdict()
    places: defaultdict[str, deque[int]] = defaultdict(deque)
    for place, line in enumerate(said):
        places[line].append(place)
    doubled = invented = 0
    order = []
    for line in arrived:
        if line not in places:
            invented += 1
        elif not places[line]:
            doubled += 1
        else:
            order.append(places[line].popleft())
    misplaced = sum(a > b for a, b in pairwise(order))
    return Verdict(sum(map(len, places.values())), doubled, invented, misplaced)


@dataclass
class Figures:
    """Adds up over runs, threads' results and tests. `faults` counts by what was done."""

    runs: int = 0
    lines: int = 0
    stream_bytes: int = 0
    places_cut: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    misplaced: int = 0
    wrong_ends: int = 0
    told: list[str] = field(default_factory=list)
    """What was wrong, in words; the first few."""

    def add(self, other: Figures) -> None:
        """Take the figures of `other` in."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def judged(self, verdict: Verdict, where: str) -> None:
        """One stream of one run was compared."""
        for name, value in asdict(verdict).items():
            setattr(self, name, getattr(self, name) + value)
        if verdict != Verdict():
            self.told.append(f"{where}: {verdict}")

    def wrong_end(self, what: str) -> None:
        """A run ended otherwise than it should have."""
        self.wrong_ends += 1
        self.told.append(what)

    @property
    def good(self) -> bool:
        """Whether nothing at all was wrong."""
        return not (self.lost or self.doubled or self.invented or self.misplaced or self.wrong_ends or self.told)

    def table(self) -> str:
        """Markdown."""
        rows = {
            "runs": self.runs,
            "lines relayed": self.lines,
            "bytes of streams": self.stream_bytes,
            "bytes of one stream at which it was cut": self.places_cut,
            "faults injected": self.faults.total(),
            **{f"– {kind}": count for kind, count in sorted(self.faults.items())},
            "**lines lost**": self.lost,
            "**lines doubled**": self.doubled,
            "**lines invented**": self.invented,
            "**lines out of order**": self.misplaced,
            "**wrong ends**": self.wrong_ends,
        }
        shown = [f"| {name} | {value:,} |" for name, value in rows.items() if value or name.startswith("**")]
        wrong = [f"- {one}" for one in self.told[:20]]
        return "\n".join(["| | |", "|---|---:|", *shown, *([""] if wrong else []), *wrong])

    def to_wire(self) -> dict[str, Any]:
        """Plain values, for a test's report."""
        return {**vars(self), "faults": dict(self.faults), "ends": dict(self.ends)}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Figures:
        """The inverse of `to_wire`."""
        return cls(**{**wire, "faults": Counter(wire["faults"]), "ends": Counter(wire["ends"])})
