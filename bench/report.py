"""Results as Markdown: tables, and for each goal whether it is met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contest import Contestant

_UNITS = {"s": (1.0, 2), "ms": (1000.0, 1)}


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` ought to be at most `limit`, or with `at_least` not below it."""

    what: str
    value: float
    limit: float
    unit: str = "×"
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Judged on the value as it is printed."""
        shown = float(f"{self.value:.2f}")
        return shown >= self.limit if self.at_least else shown <= self.limit

    def __str__(self) -> str:
        bound = "≥" if self.at_least else "≤"
        verdict = "met" if self.is_met else "**missed**"
        return f"- {self.what}: {self.value:.2f} {self.unit}, goal {bound} {self.limit:g} {self.unit}: {verdict}"


@dataclass(frozen=True, slots=True)
class Report:
    """One table and its goals. `note` says what was done, in a sentence or two."""

    title: str
    note: str
    table: str
    goals: Sequence[Goal]

    def __str__(self) -> str:
        return "\n".join([f"### {self.title}", "", self.note, "", self.table, "", *map(str, self.goals), ""])


def rows(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def race(contestants: Sequence[Contestant], reference: str, unit: str = "s") -> str:
    """Times of `contestants`; the ratio says how many times `reference`'s median each one took."""
    base_s = median_of(contestants, reference)
    body = []
    for one in contestants:
        times = [shown(value, unit) for value in (one.median_s, min(one.walls_s), max(one.walls_s))]
        cpu = shown(statistics.median(one.cpus_s), unit)
        body.append([one.name, times[0], f"{one.median_s / base_s:.2f}", f"{times[1]} – {times[2]}", cpu])
    return rows(["", "median", f"÷ {reference}", "range", "CPU, both ends"], body)


def median_of(contestants: Sequence[Contestant], name: str) -> float:
    """The median of the contestant of that name, in seconds."""
    return next(one.median_s for one in contestants if one.name == name)


def shown(value_s: float, unit: str) -> str:
    """Seconds in `unit`."""
    scale, digits = _UNITS[unit]
    return f"{value_s * scale:.{digits}f} {unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
