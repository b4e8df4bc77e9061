"""What stands on the files: values and bookkeeping, no I/O and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rdev_bridge.problems.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator
    from pathlib import Path

PER_FILE = 250
"""Problems of one tool that are kept for one file."""

IN_ALL = 10_000
"""Problems that are kept over all files and tasks."""


@dataclass(frozen=True, slots=True)
class RelatedPlace:
    """A related place in a local file; `line` and `column` as in `Problem`, `text` is that line where it is known."""

    path: Path
    line: int
    column: int | None
    message: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PlacedProblem:
    """A problem and the local file that it is in. `line_text` and `end_text` are its lines where they are known."""

    path: Path
    problem: Problem
    folder: Path
    task: str
    run_id: str
    related: tuple[RelatedPlace, ...] = ()
    line_text: str | None = None
    end_text: str | None = None

    @property
    def source(self) -> str:
        """What an editor shows as its origin."""
        return f"rdev:{self.task}"

    def key(self) -> Hashable:
        """What makes it the same problem said twice."""
        said = self.problem
        return said.line, said.column, said.end_line, said.end_column, said.severity, said.code, said.message


@dataclass(slots=True)
class _OnFile:
    """What one generation reported on one file; `more` are those that were not kept."""

    generation: int
    entries: dict[Hashable, PlacedProblem] = field(default_factory=dict)
    more: int = 0

    def shown(self) -> Iterator[PlacedProblem]:
        yield from self.entries.values()
        if self.more:
            last = next(reversed(self.entries.values()))
            text = f"{self.more} more problem{'s are' if self.more > 1 else ' is'} not shown; the run's output has them"
            said = Problem(path=last.problem.path, line=last.problem.line, message=text, severity=Severity.INFO)
            yield replace(last, problem=said, related=())


@dataclass(slots=True)
class _Room:
    """How many entries are kept in all."""

    used: int = 0


class Slot:
    """What one owner (a tool) of one task has reported, by file."""

    def __init__(self, room: _Room) -> None:
        self.files: dict[Path, _OnFile] = {}
        self._room = room
        self._last: Path | None = None
        self._cycles: dict[int, tuple[int, Path | None]] = {}  # by the run's generation: the cycle's, and its only file

    def put(self, placed: PlacedProblem, run_generation: int) -> Path | None:
        """Add a problem; the file whose entries it changed, or None where it was said before."""
        cycle = self._cycles.get(run_generation)
        generation = cycle[0] if cycle else run_generation
        standing = self.files.get(placed.path)
        if standing is not None and standing.generation > generation:
            return placed.path  # a newer run spoke of this file already
        if standing is not None and standing.generation < generation:
            self._drop(placed.path)
            standing = None
        key = placed.key()
        if standing is not None and key in standing.entries:
            if len(placed.related) <= len(standing.entries[key].related):
                return None
            standing.entries[key] = placed
            return placed.path
        if self._room.used >= IN_ALL:
            last = self.files.get(self._last) if self._last is not None else None
            if last is not None:
                last.more += 1
            return self._last or placed.path
        if standing is None:
            standing = self.files[placed.path] = _OnFile(generation)
        if len(standing.entries) >= PER_FILE:
            standing.more += 1
            return placed.path
        standing.entries[key] = placed
        self._room.used += 1
        self._last = placed.path
        return placed.path

    def sweep(self, run_generation: int, only: Path | None = None) -> list[Path]:
        """Take away what is older than a complete generation; the files that changed."""
        stale = [
            path
            for path, standing in self.files.items()
            if standing.generation < run_generation and (only is None or path == only)
        ]
        for path in stale:
            self._drop(path)
        return stale

    def begin_cycle(self, run_generation: int, cycle_generation: int, only: Path | None) -> None:
        """What that run reports from now on is of a new generation."""
        self._cycles = {run_generation: (cycle_generation, only)}

    def end_cycle(self, run_generation: int) -> list[Path]:
        """The cycle is complete; the files that changed."""
        return self.sweep(*self._cycles.get(run_generation, (run_generation, None)))

    def clear(self) -> list[Path]:
        """Take everything away; the files that changed."""
        return self.sweep(2**63)

    def _drop(self, path: Path) -> None:
        self._room.used -= len(self.files.pop(path).entries)
        if self._last == path:
            self._last = next(reversed(self.files), None)


class Slots:
    """All of them, by folder, task and owner."""

    def __init__(self) -> None:
        self._room = _Room()
        self._slots: dict[tuple[Path, str, str], Slot] = {}

    def slot(self, folder: Path, task: str, owner: str) -> Slot:
        """The one of this owner; made when first asked for."""
        key = (folder, task, owner)
        if key not in self._slots:
            self._slots[key] = Slot(self._room)
        return self._slots[key]

    def of_task(self, folder: Path, task: str) -> list[Slot]:
        """Those of one task."""
        return [slot for key, slot in self._slots.items() if key[:2] == (folder, task)]

    def retain(self, tasks: Collection[tuple[Path, str]]) -> list[Path]:
        """Take away what belongs to other tasks; the files that changed."""
        gone = [key for key in self._slots if key[:2] not in tasks]
        return [path for key in gone for path in self._slots.pop(key).clear()]

    def on(self, path: Path) -> list[PlacedProblem]:
        """What stands on a file: the union of all slots."""
        standing = (slot.files.get(path) for slot in self._slots.values())
        return [placed for one in standing if one is not None for placed in one.shown()]
