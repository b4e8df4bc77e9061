"""What stands on each file: the problems of every task's newest run, published at a bounded pace.

A problem belongs to a folder, a task and a generation. Each run is a generation, and so is each cycle of a tool that
watches. The first problem that a generation reports on a file replaces what older ones reported there; what a complete
generation did not report again is taken away at its end. A run that was cut short, or whose output has a hole, takes
away nothing. Several tasks on one file are a union.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rdev_bridge.errors import UsageError
from rdev_bridge.model import DiagnosticCounts, Outcome
from rdev_bridge.problems import matchers
from rdev_bridge.problems.ansi import Cleaner
from rdev_bridge.problems.locate import Locator
from rdev_bridge.problems.problem import ApplyTo, CycleBegan, CycleEnded, Problem, Severity
from rdev_bridge.problems.publisher import Publisher
from rdev_bridge.problems.standing import PlacedProblem, RelatedPlace, Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from rdev_bridge.core.paths import PathMap
    from rdev_bridge.model import Connection, Run, Stream, Trigger
    from rdev_bridge.problems.matchers import Matcher
    from rdev_bridge.problems.problem import Event
    from rdev_bridge.runs.observer import OutputBatch

_log = logging.getLogger(__name__)
_SLICE_LINES = 2000
_SLICE_PROBLEMS = 500
_COMPLETE = {Outcome.SUCCEEDED, Outcome.FAILED}


@dataclass(frozen=True, slots=True)
class MatchedRun:
    """How the output of one run is read: its task's `problem_matcher`, the path map, and the folder it runs in."""

    spec: tuple[str | Mapping[str, Any], ...]
    paths: PathMap
    cwd: str | None = None


@dataclass(slots=True)
class _Reading:
    """One run while it goes on."""

    run: Run
    matcher: Matcher
    locator: Locator
    generation: int
    streams: dict[Stream, tuple[Cleaner, Matcher]] = field(default_factory=dict)
    complete: bool = True
    errors: int = 0
    warnings: int = 0
    unmapped: int = 0

    def stream(self, stream: Stream) -> tuple[Cleaner, Matcher]:
        """Each stream has its own state: what stderr says never breaks a problem of stdout apart."""
        if stream not in self.streams:
            self.streams[stream] = (Cleaner(), self.matcher.fresh())
        return self.streams[stream]

    def counts(self) -> DiagnosticCounts:
        return DiagnosticCounts(self.errors, self.warnings, self.unmapped)


class ProblemBoard:
    """A RunObserver. It must stand before the faces: `note` completes the run's snapshot that they are told of.

    `reading_of` says how a run is read (None: not at all). `publish(path, problems)` gets all that stands on a file, in
    the event loop, at most once a second for each file; `is_open` is what `applyTo` asks.
    """

    def __init__(
        self,
        publish: Callable[[Path, Sequence[PlacedProblem]], None],
        reading_of: Callable[[Run], MatchedRun | None],
        note: Callable[[str, DiagnosticCounts], None] = lambda _run_id, _counts: None,
        is_open: Callable[[Path], bool] = lambda _path: False,
        interval_s: float = 1.0,
    ) -> None:
        self._reading_of, self._note, self._is_open = reading_of, note, is_open
        self._slots = Slots()
        self._readings: dict[str, _Reading] = {}
        self._generation = 0
        self._publisher = Publisher(publish, self._shown_on, self._settle, interval_s)

    # ── RunObserver ──

    async def run_queued(self, run: Run) -> None:
        """Nothing yet."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """A new generation of its task."""
        reading = self._reading_of(run)
        if reading is None or not reading.spec or run.task is None:
            return
        try:
            matcher = matchers.resolve(reading.spec)
        except UsageError as error:
            _log.warning("task %s: %s", run.task, error)
            return
        self._generation += 1
        locator = Locator(reading.paths, reading.cwd)
        self._readings[run.run_id] = _Reading(run, matcher, locator, self._generation)

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Read it, in slices between which the event loop goes on."""
        reading = self._readings.get(run.run_id)
        if reading is None:
            return
        if batch.seq > 0 and not reading.streams:
            reading.complete = False  # attached in the middle
        for chunk in batch.lines:
            cleaner, matcher = reading.stream(chunk.stream)
            for start in range(0, len(chunk.lines), _SLICE_LINES):
                events = matcher.events(cleaner.feed(chunk.lines[start : start + _SLICE_LINES]))
                await self._take(reading, events)
                if start + _SLICE_LINES < len(chunk.lines):
                    await asyncio.sleep(0)
        self._publisher.wake()

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """What was in the hole is not known, so its end clears nothing."""
        reading = self._readings.get(run.run_id)
        if reading is not None:
            reading.complete = False

    async def run_finished(self, run: Run) -> None:
        """The last problems, the sweep, and the counts; all of it is published when this returns."""
        reading = self._readings.pop(run.run_id, None)
        if reading is None:
            return
        for _, matcher in reading.streams.values():
            await self._take(reading, list(matcher.finish()))
        if reading.complete and run.outcome in _COMPLETE:
            for slot in self._slots.of_task(run.folder, run.task or ""):
                self._publisher.changed(slot.sweep(reading.generation))
        self._note(run.run_id, reading.counts())
        await self._publisher.flush()

    async def connection_changed(self, connection: Connection) -> None:
        """Of no interest."""

    # ── what else changes what stands ──

    def counts(self, run_id: str) -> DiagnosticCounts | None:
        """What a run that goes on has reported so far."""
        reading = self._readings.get(run_id)
        return reading.counts() if reading else None

    def retain(self, tasks: Collection[tuple[Path, str]]) -> None:
        """Only these (folder, task) are left: the problems of all others go, runs that go on included."""
        gone = [key for key, one in self._readings.items() if (one.run.folder, one.run.task or "") not in tasks]
        for run_id in gone:
            del self._readings[run_id]
        self._publisher.changed(self._slots.retain(tasks))

    def refresh(self, path: Path) -> None:
        """The document was opened or closed, or its columns must be counted again."""
        self._publisher.changed([path])

    def on(self, path: Path) -> list[PlacedProblem]:
        """All that stands on a file now."""
        return self._slots.on(path)

    async def aclose(self) -> None:
        """Publish nothing more."""
        await self._publisher.aclose()

    # ── inside ──

    async def _take(self, reading: _Reading, events: Sequence[Event]) -> None:
        for start in range(0, len(events), _SLICE_PROBLEMS):
            part = events[start : start + _SLICE_PROBLEMS]
            await self._locate(reading, [event for event in part if isinstance(event, Problem)])
            for event in part:
                if isinstance(event, Problem):
                    self._problem(reading, event)
                else:
                    self._cycle(reading, event)
            await asyncio.sleep(0)

    @staticmethod
    async def _locate(reading: _Reading, problems: Sequence[Problem]) -> None:
        """Look at the disk in a thread, and only for names that are new."""
        wanted = {(p.path, p.location) for p in problems} | {(r.path, p.location) for p in problems for r in p.related}
        strange = [one for one in wanted if not reading.locator.known(*one)]
        if strange:
            await asyncio.to_thread(lambda: [reading.locator.locate(*one) for one in strange])

    def _problem(self, reading: _Reading, problem: Problem) -> None:
        placed = _placed(problem, reading)
        if placed is None:
            reading.unmapped += 1
            return
        changed = self._slots.slot(reading.run.folder, placed.task, problem.owner).put(placed, reading.generation)
        if changed is None:
            return  # said before
        reading.errors += problem.severity is Severity.ERROR
        reading.warnings += problem.severity is Severity.WARNING
        self._publisher.changed([changed])

    def _cycle(self, reading: _Reading, event: CycleBegan | CycleEnded) -> None:
        slot = self._slots.slot(reading.run.folder, reading.run.task or "", event.owner)
        if isinstance(event, CycleBegan):
            self._generation += 1
            only = None
            if event.path is not None:
                only = reading.locator.locate(event.path, reading.matcher.definitions[0].location)
            slot.begin_cycle(reading.generation, self._generation, only)
        else:
            self._publisher.changed(slot.end_cycle(reading.generation))

    async def _settle(self) -> None:
        for reading in list(self._readings.values()):
            for _, matcher in list(reading.streams.values()):
                waiting = matcher.settle()
                if waiting:
                    await self._locate(reading, waiting)
                    for problem in waiting:
                        self._problem(reading, problem)

    def _shown_on(self, path: Path) -> list[PlacedProblem]:
        opened = self._is_open(path)
        hidden = ApplyTo.CLOSED if opened else ApplyTo.OPEN
        return [placed for placed in self._slots.on(path) if placed.problem.apply_to is not hidden]


def _placed(problem: Problem, reading: _Reading) -> PlacedProblem | None:
    """The problem in its local file. One in a file of no workspace stands where its own places last lead back home."""
    locate, run = reading.locator.locate, reading.run
    related = tuple(
        RelatedPlace(path, one.line, one.column, one.message)
        for one in problem.related
        if (path := locate(one.path, problem.location)) is not None
    )
    path = locate(problem.path, problem.location)
    if path is None:
        if not related:
            return None
        *related_before, home = related
        path, related = home.path, tuple(related_before)
        message = f"{problem.message}\n(reported in {problem.path}:{problem.line})"
        problem = replace(problem, line=home.line, column=home.column, end_line=None, end_column=None, message=message)
    return PlacedProblem(path, problem, run.folder, run.task or "", run.run_id, related)
