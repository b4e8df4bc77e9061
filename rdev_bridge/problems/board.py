"""What stands on each file: the problems of every task's newest run, published at a bounded pace.

A problem belongs to a folder, a task and a generation. Each run is a generation, and so is each cycle of a tool that
watches. The first problem that a generation reports on a file replaces what older ones reported there; what a complete
generation did not report again is taken away at its end. A run that was cut short, or whose output has a hole, takes
away nothing. Several tasks on one file are a union.
"""

from __future__ import annotations

import asyncio
import logging
import time
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
    from rdev_bridge.problems.problem import Event, FileLocation
    from rdev_bridge.runs.observer import OutputBatch

_log = logging.getLogger(__name__)
_SLICE_LINES = 2000
_SLICE_PROBLEMS = 500
_QUIET_S = 0.3  # a problem that may still grow is complete after that long without output
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
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    fed_s: float = 0.0
    touched: set[Path] = field(default_factory=set)
    complete: bool = True
    dropped: bool = False  # its task is gone
    errors: int = 0
    warnings: int = 0
    unmapped: int = 0

    def stream(self, stream: Stream) -> tuple[Cleaner, Matcher]:
        """Each stream has its own state: what stderr says never breaks a problem of stdout apart."""
        if stream not in self.streams:
            self.streams[stream] = (Cleaner(), self.matcher.fresh())
        return self.streams[stream]

    @property
    def of_cycles(self) -> FileLocation:
        """How the file that a cycle is about is found."""
        return self.matcher.definitions[0].location

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
        self._newest: dict[tuple[Path, str], _Reading] = {}
        self._generation = 0
        self._publisher = Publisher(publish, self._shown_on, self._settle, interval_s)

    # ── RunObserver ──

    async def run_queued(self, run: Run) -> None:
        """Nothing yet."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """A new generation of its task; that of a run that is read once more stays, and an older run says nothing."""
        if run.task is None:
            return
        newest = self._newest.get((run.folder, run.task))
        if newest is not None and run.started_at < newest.run.started_at:
            return
        try:
            matched = self._reading_of(run)
            matcher = matchers.resolve(matched.spec) if matched else None
        except UsageError as error:
            _log.warning("task %s: %s", run.task, error)
            return
        if matched is None or matcher is None or not matcher.definitions:
            return
        if newest is not None and newest.run.run_id == run.run_id:
            generation = newest.generation
        else:
            self._generation += 1
            generation = self._generation
        reading = _Reading(run, matcher, Locator(matched.paths, matched.cwd), generation)
        self._readings[run.run_id] = self._newest[run.folder, run.task] = reading

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Read it, in slices between which the event loop goes on."""
        reading = self._readings.get(run.run_id)
        if reading is None:
            return
        if batch.seq > 0 and not reading.streams:
            reading.complete = False  # attached in the middle
        async with reading.lock:
            for chunk in batch.lines:
                cleaner, matcher = reading.stream(chunk.stream)
                for start in range(0, len(chunk.lines), _SLICE_LINES):
                    events = matcher.events(cleaner.feed(chunk.lines[start : start + _SLICE_LINES]))
                    await self._take(reading, events)
                    if start + _SLICE_LINES < len(chunk.lines):
                        await asyncio.sleep(0)
            reading.fed_s = time.monotonic()
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
        async with reading.lock:
            for _, matcher in reading.streams.values():
                await self._take(reading, list(matcher.finish()))
        if reading.complete and run.outcome in _COMPLETE and not reading.dropped:
            for slot in self._slots.of_task(run.folder, run.task or ""):
                self._changed(reading, slot.sweep(reading.generation))
        self._note(run.run_id, reading.counts())
        await self._publisher.flush(reading.touched)

    async def connection_changed(self, connection: Connection) -> None:
        """Of no interest."""

    # ── what else changes what stands ──

    def retain(self, tasks: Collection[tuple[Path, str]]) -> None:
        """Only these (folder, task) are left: the problems of all others go, runs that go on included."""
        for key in [key for key in self._newest if key not in tasks]:
            del self._newest[key]
        for run_id, reading in list(self._readings.items()):
            if (reading.run.folder, reading.run.task) not in tasks:
                reading.dropped = True
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
            await self._locate(reading, part)
            if reading.dropped:
                return
            for event in part:
                if isinstance(event, Problem):
                    self._problem(reading, event)
                else:
                    self._cycle(reading, event)
            await asyncio.sleep(0)

    @staticmethod
    async def _locate(reading: _Reading, events: Sequence[Event]) -> None:
        """Look at the disk in a thread, and only for names that are new."""
        wanted: set[tuple[str, FileLocation]] = set()
        for event in events:
            if isinstance(event, Problem):
                wanted.update((path, event.location) for path in (event.path, *(one.path for one in event.related)))
            elif isinstance(event, CycleBegan) and event.path is not None:
                wanted.add((event.path, reading.of_cycles))
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
        self._changed(reading, changed)

    def _changed(self, reading: _Reading, paths: Sequence[Path]) -> None:
        reading.touched.update(paths)
        self._publisher.changed(paths)

    def _cycle(self, reading: _Reading, event: CycleBegan | CycleEnded) -> None:
        slot = self._slots.slot(reading.run.folder, reading.run.task or "", event.owner)
        if isinstance(event, CycleBegan):
            self._generation += 1
            only = None
            if event.path is not None:
                only = reading.locator.locate(event.path, reading.of_cycles)
            slot.begin_cycle(reading.generation, self._generation, only)
        else:
            self._changed(reading, slot.end_cycle(reading.generation))

    async def _settle(self) -> bool:
        """Take the problems that only wait for more where output has paused; whether some may wait still."""
        waiting = False
        for reading in list(self._readings.values()):
            if reading.lock.locked() or reading.fed_s + _QUIET_S > time.monotonic():
                waiting = True
                continue
            async with reading.lock:
                for _, matcher in reading.streams.values():
                    await self._take(reading, matcher.settle())
        return waiting

    def _shown_on(self, path: Path) -> list[PlacedProblem]:
        opened = self._is_open(path)
        hidden = ApplyTo.CLOSED if opened else ApplyTo.OPEN
        return [placed for placed in self._slots.on(path) if placed.problem.apply_to is not hidden]


def _placed(problem: Problem, reading: _Reading) -> PlacedProblem | None:
    """The problem in its local file. One in a file of no workspace stands where the way to it last was at home."""
    locate, run = reading.locator.locate, reading.run
    places = [(one, local) for one in problem.related if (local := locate(one.path, problem.location)) is not None]
    path = locate(problem.path, problem.location)
    if path is None:
        if not places:
            return None
        home = max(range(len(places)), key=lambda number: (places[number][0].leads, number))
        there, path = places.pop(home)
        message = f"{problem.message}\n(reported in {problem.path}:{problem.line})"
        problem = replace(
            problem, line=there.line, column=there.column, end_line=None, end_column=None, message=message
        )
    related = tuple(RelatedPlace(local, one.line, one.column, one.message) for one, local in places)
    return PlacedProblem(path, problem, run.folder, run.task or "", run.run_id, related)
