"""When a changed file starts a run, and when it must not: pure, with the clock passed in.

Settling. The first few changes after a calm start a run almost at once; what follows within `SETTLE_S`, and whatever
comes in bulk, waits until nothing has changed for that long, but never longer than `LONGEST_WAIT_S`. So ten quick saves
are two runs, and a branch switch is one. A new file waits too: it may be the first half of a save that writes beside
the file and renames, as many tools do under names of their own. What came and went while it waited is no change.

Loops. What a run writes must not start it again, yet an edit during a run counts, and the file system does not say who
wrote. So a change that was written while a run of the task was under way counts, unless that run made the file, or an
earlier run changed the same file too. A task that formats its own sources therefore runs once more, and then is quiet.
A change that an editor vouches for is the user's and always counts. A file stops being held for the task's output
when a run that was started by an edit of it left it alone. A run of another task that was started by what this one
wrote belongs to it in the sense of this rule: two tasks that feed each other do not loop either.

All times are seconds of one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

QUICK_S = 0.003
SETTLE_S = 0.2
LONGEST_WAIT_S = 2.0
BULK_FILES = 4
# Nothing tells when a file went, only when that was noticed.
_GONE_LATE_S = 0.25
_SPANS_KEPT = 64


class Verdict(Enum):
    """What a change means for one task."""

    COUNTS = auto()
    MADE_BY_RUN = auto()
    LOOP = auto()


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that is not what it was.

    `written_s`: when, as far as the file system can tell. `made`: it was not there before. `by_user`: an editor told of
    it, or left its traces beside it. `gone`: it is not there any more. `late_s`: how long it took to be noticed.
    """

    path: Path
    written_s: float
    made: bool = False
    by_user: bool = False
    gone: bool = False
    late_s: float = 0.0


@dataclass(slots=True)
class Settling:
    """Collects the changes of one task until it is time to start."""

    files: dict[Path, bool] = field(default_factory=dict)  # whether it was not there when the waiting began
    _first_s: float = 0.0
    _last_s: float = 0.0
    _late_s: float = 0.0
    _calm: bool = True
    _calm_from_s: float = float("-inf")

    def add(self, change: FileChange, now_s: float) -> None:
        """One more change. Of one that came, or is gone, more is likely to follow: either may be half of a save.

        Where word of it came `late_s` after the change, as on a machine that is busy with a branch switch, word of the
        next may take as long: calm is only what lasts longer than that.
        """
        late_s, quick = change.late_s, not (change.made or change.gone)
        self._late_s = min(self._late_s, late_s) if now_s == self._last_s else late_s
        if not self.files:
            self._first_s = now_s
            self._calm = now_s >= self._calm_from_s
        self._calm = self._calm and quick
        self._last_s = now_s
        if change.gone and self.files.get(change.path):
            del self.files[change.path]
        else:
            self.files[change.path] = self.files.get(change.path, change.made)

    def settle_anew(self, now_s: float) -> None:
        """Whoever changed many files is done; what is still on its way belongs to the same."""
        if len(self.files) >= BULK_FILES:
            self._first_s = self._last_s = now_s

    @property
    def due_s(self) -> float | None:
        """When to start; None while nothing waits."""
        if not self.files:
            return None
        quick = self._calm and len(self.files) < BULK_FILES
        return min(self._last_s + (QUICK_S if quick else max(SETTLE_S, self._late_s)), self._first_s + LONGEST_WAIT_S)

    def take(self, now_s: float) -> tuple[Path, ...]:
        """The files that waited; from here on what comes soon is held to be more of the same."""
        taken = tuple(self.files)
        self.files.clear()
        self._calm_from_s = now_s + SETTLE_S
        return taken


@dataclass(slots=True)
class _Span:
    """A run's life, with the tasks that it belongs to: its own, and those whose output started it."""

    run_id: str
    task: str
    began_s: float
    lineage: frozenset[str]
    edited: frozenset[Path]
    files: tuple[Path, ...]
    ended_s: float = float("inf")
    made: set[Path] = field(default_factory=set)
    changed: set[Path] = field(default_factory=set)

    def covers(self, change: FileChange) -> bool:
        late_s = _GONE_LATE_S if change.gone else 0.0
        return self.began_s <= change.written_s <= self.ended_s + late_s


@dataclass(slots=True)
class _Task:
    settling: Settling = field(default_factory=Settling)
    outputs: dict[Path, str] = field(default_factory=dict)  # path to the first run that changed it
    products: set[Path] = field(default_factory=set)  # those of them that a run made, and nobody edited
    causes: set[str] = field(default_factory=set)
    edited: set[Path] = field(default_factory=set)
    unstarted: dict[Path, None] = field(default_factory=dict)  # asked for, but no run has begun on them yet
    latest: _Span | None = None
    fresh: list[str] = field(default_factory=list)  # runs that nothing has made stale yet


class Triggers:
    """The changes, runs and starts of one workspace; tasks are known by their names."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._spans: dict[str, _Span] = {}
        self.takes_loops = False
        """The user says that what looks like a loop is their own work: such changes count."""

    def changed(self, name: str, change: FileChange, now_s: float, *, starts: bool = True) -> tuple[Verdict, list[str]]:
        """A file that the task watches changed. Returns what it means, and the runs that are stale from now on.

        `starts` is false for a task that is not being watched now: nothing is started, the rest is kept up.
        """
        task = self._tasks.setdefault(name, _Task())
        verdict = self._judge(name, task, change)
        if verdict is Verdict.MADE_BY_RUN:
            return verdict, []
        stale, task.fresh = task.fresh, []  # also of a change held to be its own: it may have been the user's after all
        if starts and verdict is Verdict.COUNTS:
            task.settling.add(change, now_s)
            task.causes.update(*(span.lineage for span in self._spans.values() if span.covers(change)))
        return verdict, stale

    @property
    def due_s(self) -> float | None:
        """When `start` should be called next; None while nothing waits."""
        return min((due for task in self._tasks.values() if (due := task.settling.due_s) is not None), default=None)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The tasks that `start` will name in time."""
        return tuple(name for name, task in self._tasks.items() if task.settling.files)

    def settle_anew(self, now_s: float) -> None:
        """Git let go of the files just now: word of the last of them may still be on its way."""
        for task in self._tasks.values():
            task.settling.settle_anew(now_s)

    def start(self, now_s: float, restarts: Container[str] = ()) -> list[tuple[str, tuple[Path, ...]]]:
        """The tasks to start now, each with every file that changed since its last run began.

        A start of a task in `restarts` cuts off the run that is under way, so it takes over that one's files too.
        """
        ready = []
        for name, task in self._tasks.items():
            due_s = task.settling.due_s
            if due_s is not None and due_s <= now_s:
                if name in restarts and task.latest is not None and task.latest.ended_s == float("inf"):
                    task.unstarted.update(dict.fromkeys(task.latest.files))
                task.unstarted.update(dict.fromkeys(task.settling.take(now_s)))
                ready.append((name, tuple(task.unstarted)))
        return ready

    def forget(self, name: str) -> None:
        """Whatever waits for this task starts nothing any more."""
        if name in self._tasks:
            task = self._tasks[name]
            task.settling, task.unstarted = Settling(), {}

    def knows(self, run_id: str) -> bool:
        """Whether `run_started` was told of this run, and it is remembered."""
        return run_id in self._spans

    def run_started(self, run_id: str, name: str, began_s: float) -> None:
        """A run of this task began, for whatever reason."""
        task = self._tasks.setdefault(name, _Task())
        if task.latest is not None:
            for path in task.latest.edited - task.latest.changed:
                task.outputs.pop(path, None)
        span = _Span(
            run_id, name, began_s, frozenset({name, *task.causes}), frozenset(task.edited), tuple(task.unstarted)
        )
        task.latest = self._spans[run_id] = span
        task.fresh.append(run_id)
        task.causes.clear()
        task.edited.clear()
        task.unstarted.clear()
        if len(self._spans) > _SPANS_KEPT:
            done = next((key for key, old in self._spans.items() if old.ended_s != float("inf")), None)
            self._spans.pop(done or run_id)

    def run_ended(self, run_id: str, now_s: float, *, unserved: bool) -> None:
        """The run is over. One that never came to its command, or was cut off by a newer run, leaves it its files."""
        span = self._spans.get(run_id)
        if span is None:
            return
        span.ended_s = now_s
        if unserved:
            task = self._tasks[span.task]
            task.unstarted = dict.fromkeys((*span.files, *task.unstarted))

    def _judge(self, name: str, task: _Task, change: FileChange) -> Verdict:
        path = change.path
        span = None if change.by_user else self._under_way(name, change)
        if span is None:
            task.edited.add(path)
            task.products.discard(path)
            return Verdict.COUNTS
        first = task.outputs.setdefault(path, span.run_id)
        span.changed.add(path)
        if change.made or path in span.made:
            span.made.add(path)
            task.products.add(path)
            return Verdict.MADE_BY_RUN
        if path in task.products:
            return Verdict.MADE_BY_RUN
        return Verdict.COUNTS if self.takes_loops or first == span.run_id else Verdict.LOOP

    def _under_way(self, name: str, change: FileChange) -> _Span | None:
        spans: Iterable[_Span] = reversed(self._spans.values())
        return next((span for span in spans if name in span.lineage and span.covers(change)), None)
