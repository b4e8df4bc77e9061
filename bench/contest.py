"""Side by side: rounds alternate between the contestants, so that a busy moment of the machine hits all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_S = 300.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Contestant:
    """One command. Its stdout goes to /dev/null, unless it reports a figure of its own there.

    `figure`: the last word of its stdout is the result, in seconds, instead of the time that the command took.
    `servers` are the processes that work for it; what they and their children burn counts as its own. `amount` is how
    much it does compared to the others, for one too slow to do it all: its results are scaled up. `every`: it
    takes part in each so-manieth round alone.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    figure: bool = False
    servers: Sequence[int] = ()
    amount: float = 1.0
    every: int = 1
    walls_s: list[float] = field(default_factory=list)
    cpus_s: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One round. Raises RuntimeError where the command fails: a figure of a failure is none."""
        burnt_s = self._burnt_s()
        began_s = time.perf_counter()
        done = subprocess.run(
            self.argv,
            env=os.environ | dict(self.env),
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if self.figure else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )
        took_s = time.perf_counter() - began_s
        if done.returncode:
            said = done.stderr.decode(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} failed ({done.returncode}): {said}")
        self.walls_s.append((float(done.stdout.split()[-1]) if self.figure else took_s) / self.amount)
        self.cpus_s.append((self._burnt_s() - burnt_s) / self.amount)

    def _burnt_s(self) -> float:
        mine = os.times()
        return mine.children_user + mine.children_system + sum(map(cpu_s, self.servers))

    @property
    def median_s(self) -> float:
        """The median of its rounds."""
        return statistics.median(self.walls_s)


def cpu_s(pid: int) -> float:
    """User and system time of a process and the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_PER_S


def compete(contestants: Sequence[Contestant], rounds: int) -> None:
    """Each contestant once a round."""
    for number in range(rounds):
        for contestant in contestants:
            if number % contestant.every == 0:
                contestant.run()
