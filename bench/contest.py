"""Timing whole commands side by side: rounds alternate between the contestants, medians and ratios come out."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_S = 300.0


@dataclass(slots=True)
class Contestant:
    """One command; its stdout goes to /dev/null unless it reports a figure of its own there.

    `figure`: the last word of its stdout is the result, in seconds, instead of the time that the command took.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    figure: bool = False
    results_s: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One round. Raises RuntimeError where the command fails: a figure of a failure is none."""
        began = time.perf_counter()
        done = subprocess.run(
            self.argv,
            env=os.environ | dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if self.figure else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )
        took_s = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(
                f"{self.name} failed ({done.returncode}): {done.stderr.decode(errors='replace')[-2000:]}"
            )
        self.results_s.append(float(done.stdout.split()[-1]) if self.figure else took_s)

    @property
    def median_s(self) -> float:
        """The median of its rounds."""
        return statistics.median(self.results_s)


def compete(contestants: Sequence[Contestant], rounds: int) -> None:
    """Each contestant once a round, so that a busy moment of the machine hits all of them."""
    for _ in range(rounds):
        for contestant in contestants:
            contestant.run()


def table(title: str, contestants: Sequence[Contestant], reference: str, unit: str = "s") -> str:
    """A Markdown table; the ratio says how many times `reference`'s time each one took."""
    base = next(contestant.median_s for contestant in contestants if contestant.name == reference)
    scale, digits = {"s": (1.0, 2), "ms": (1000.0, 1)}[unit]
    rows = [
        f"| {c.name} | {c.median_s * scale:.{digits}f} {unit} | {c.median_s / base:.2f} | "
        f"{min(c.results_s) * scale:.{digits}f} – {max(c.results_s) * scale:.{digits}f} |"
        for c in contestants
    ]
    return "\n".join([f"### {title}", "", f"| | median | ÷ {reference} | range |", "|---|---|---|---|", *rows, ""])
