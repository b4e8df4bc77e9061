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
    """How many entries are kept in all, and by whom."""

    used: int = 0
    slots: list[Slot] = field(default_factory=list)

    def make_way(self, slot: Slot, generation: int) -> list[Path]:
        """Let `slot` have one entry more: what it is about to replace goes first, then of who holds most the newest.

        The files that changed; none where `slot` holds most itself.
        """
        oldest = next(iter(slot.files), None)  # what is said anew goes to the end
        if oldest is not None and slot.files[oldest].generation < generation:
            slot.drop(oldest)
            return [oldest]
        largest = max(self.slots, key=lambda one: one.held)
        return largest.give_up() if largest.held > slot.held + 1 else []


class Slot:
    """What one owner (a tool) of one task has reported, by file; `held` are its entries."""

    def __init__(self, room: _Room) -> None:
        self.files: dict[Path, _OnFile] = {}
        self.held = 0
        self._room = room
        self._last: Path | None = None
        self._cycles: dict[int, tuple[int, Path | None]] = {}  # by the run's generation: the cycle's, and its only file
        room.slots.append(self)

    def put(self, placed: PlacedProblem, run_generation: int) -> list[Path] | None:
        """Add a problem; the files whose entries it changed, or None where it was said before."""
        cycle = self._cycles.get(run_generation)
        generation = cycle[0] if cycle else run_generation
        standing = self.files.get(placed.path)
        if standing is not None and standing.generation > generation:
            return []  # a newer run spoke of this file already
        if standing is not None and standing.generation < generation:
            self.drop(placed.path)
            standing = None
        key = placed.key()
        if standing is not None and key in standing.entries:
            if len(placed.related) <= len(standing.entries[key].related):
                return None
            standing.entries[key] = placed
            return [placed.path]
        if standing is not None and len(standing.entries) >= PER_FILE:
            standing.more += 1
            return [placed.path]
        changed = [placed.path]
        if self._room.used >= IN_ALL:
            changed += self._room.make_way(self, generation)
        if self._room.used >= IN_ALL and self._last is not None:
            self.files[self._last].more += 1
            return [self._last]
        if standing is None:
            standing = self.files[placed.path] = _OnFile(generation)
        standing.entries[key] = placed
        self._count(1)
        self._last = placed.path
        return changed

    def sweep(self, run_generation: int, only: Path | None = None) -> list[Path]:
        """Take away what is older than a complete generation; the files that changed."""
        stale = [
            path
            for path, standing in self.files.items()
            if standing.generation < run_generation and (only is None or path == only)
        ]
        for path in stale:
            self.drop(path)
        return stale

    def begin_cycle(self, run_generation: int, cycle_generation: int, only: Path | None) -> None:
        """What that run reports from now on is of a new generation."""
        self._cycles = {run_generation: (cycle_generation, only)}

    def end_cycle(self, run_generation: int) -> list[Path]:
        """The cycle is complete; the files that changed."""
        return self.sweep(*self._cycles.get(run_generation, (run_generation, None)))

    def clear(self) -> list[Path]:
        """Take everything away, for good; the files that changed."""
        self._room.slots.remove(self)
        return self.sweep(2**63)

    def give_up(self) -> list[Path]:
        """Take the newest entry away and count it among those that are not shown; the files that changed."""
        path = self._last
        assert path is not None
        standing = self.files[path]
        standing.entries.popitem()
        standing.more += 1
        self._count(-1)
        if standing.entries:
            return [path]
        self.drop(path)
        if self._last is None:
            return [path]
        self.files[self._last].more += standing.more
        return [path, self._last]

    def drop(self, path: Path) -> None:
        """Take away what stands on one file."""
        self._count(-len(self.files.pop(path).entries))
        if self._last == path:
            self._last = next(reversed(self.files), None)

    def _count(self, entries: int) -> None:
        self.held += entries
        self._room.used += entries


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
