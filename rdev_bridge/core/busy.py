"""What a request does while a run of its task is under way: one `BusyLine` per task, a pure state machine.

The four policies, in the words of `on_busy`:

- `queue`: one runs, one waits. A newer request takes the waiting one's place, which then ends `superseded`.
- `restart`: the running one is cancelled and ends `superseded`; the new one starts only when it is known dead.
- `ignore`: while one runs or waits, nothing new starts.
- `parallel`: every request starts at once.

Each request carries its own policy (`rdev/run` may differ from the task), so policies mix: `restart` cancels everything
that runs, and whatever waits starts when nothing runs any more.

An endless stream of saves under `restart` would never let a run end. So, after `CUTS_IN_A_ROW` runs in a row were cut
off young, the next one is left alone: requests wait (the newest wins, as under `queue`) until it ends, or until its
patience is used up. A run is young for ten seconds, or for twice what the task's longest complete run took. The
patience is at least half a minute and doubles each time it was not enough, up to ten minutes, so that a task which
takes long is finished in the end, while a development server, which never ends, is still restarted.
"""

from __future__ import annotations

import msgspec

from rdev_bridge.model import BusyPolicy

CUTS_IN_A_ROW = 4
YOUNG_S = 10.0
FIRST_PATIENCE_S = 30.0
LONGEST_PATIENCE_S = 600.0


class Start(msgspec.Struct, frozen=True):
    """Start this run now."""

    run_id: str


class Queue(msgspec.Struct, frozen=True):
    """The run waits for its turn."""

    run_id: str


class Drop(msgspec.Struct, frozen=True):
    """The waiting run will never start: it ends `superseded`, since `by` waits now. No `ended` is expected for it."""

    run_id: str
    by: str


class Ignore(msgspec.Struct, frozen=True):
    """Nothing comes of this request, because `busy_with` runs or waits already."""

    run_id: str
    busy_with: str


class Cancel(msgspec.Struct, frozen=True):
    """Cancel this running run, for which `by` waits; it ends `superseded`. `ended` is called once it is known dead."""

    run_id: str
    by: str


Decision = Start | Queue | Drop | Ignore | Cancel


class BusyLine:
    """Who runs and who waits, for one task.

    Every run id given to `requested` is answered with exactly one of Start, Queue and Ignore; one that was queued later
    gets Start or Drop, or is taken back by `ended`. Carry decisions out in the order given. `now_s` is any monotonic
    clock.
    """

    def __init__(self) -> None:
        self._running: dict[str, float] = {}  # run id to the time of its Start
        self._cancelled: set[str] = set()
        self._waiting: str | None = None
        self._waiting_restarts = False
        self._cuts = 0
        self._longest_s = 0.0
        self._patience_s = FIRST_PATIENCE_S

    @property
    def running(self) -> tuple[str, ...]:
        """What runs, oldest first; a cancelled run counts until it has ended."""
        return tuple(self._running)

    @property
    def waiting(self) -> str | None:
        """The one that waits."""
        return self._waiting

    @property
    def patience_ends_s(self) -> float | None:
        """When to call `patience_ended`, in the time of `now_s`; None while nobody waits for a run left alone."""
        if self._waiting is None or not self._waiting_restarts:
            return None
        spared = [began_s for run_id, began_s in self._running.items() if run_id not in self._cancelled]
        return max(spared) + self._patience() if spared else None

    def requested(self, run_id: str, policy: BusyPolicy, now_s: float) -> list[Decision]:
        """Somebody wants this run."""
        if policy is BusyPolicy.PARALLEL or (not self._running and self._waiting is None):
            return [self._start(run_id, now_s)]
        if policy is BusyPolicy.IGNORE:
            return [Ignore(run_id, self._waiting or next(reversed(self._running)))]
        decisions: list[Decision] = [] if self._waiting is None else [Drop(self._waiting, by=run_id)]
        restarts = policy is BusyPolicy.RESTART
        self._waiting, self._waiting_restarts = run_id, restarts
        decisions.append(Queue(run_id))
        if restarts and not self._lets_through(now_s):
            decisions += self._cut(run_id, now_s)
        return decisions

    def ended(self, run_id: str, now_s: float, *, complete: bool = True) -> list[Decision]:
        """The run is over and nothing of it is alive, or its wish was withdrawn before it started.

        `complete`: it came to an end by itself, rather than by a cancel or a lost server.
        """
        if run_id == self._waiting:
            self._waiting = None
            return []
        began_s = self._running.pop(run_id)
        if run_id in self._cancelled:
            self._cancelled.discard(run_id)
        elif complete:
            self._cuts = 0
            self._patience_s = FIRST_PATIENCE_S
            self._longest_s = max(self._longest_s, now_s - began_s)
        if self._running or self._waiting is None:
            return []
        next_id, self._waiting = self._waiting, None
        return [self._start(next_id, now_s)]

    def patience_ended(self, now_s: float) -> list[Decision]:
        """The time of `patience_ends_s` has come: the run that was left alone makes room now."""
        due_s = self.patience_ends_s
        if self._waiting is None or due_s is None or now_s < due_s:
            return []
        self._patience_s = min(self._patience() * 2, LONGEST_PATIENCE_S)
        return self._cut(self._waiting, now_s, counts=False)

    def _start(self, run_id: str, now_s: float) -> Start:
        self._running[run_id] = now_s
        return Start(run_id)

    def _patience(self) -> float:
        return max(self._patience_s, 2 * self._longest_s)

    def _lets_through(self, now_s: float) -> bool:
        due_s = self.patience_ends_s
        return self._cuts >= CUTS_IN_A_ROW and due_s is not None and now_s < due_s

    def _cut(self, by: str, now_s: float, *, counts: bool = True) -> list[Decision]:
        """Cancel what runs, for `by`; `_cuts` counts the runs in a row that were cut off young."""
        victims = [run_id for run_id in self._running if run_id not in self._cancelled]
        if not victims:
            return []
        age_s = now_s - max(self._running[run_id] for run_id in victims)
        young = age_s < max(YOUNG_S, 2 * self._longest_s)
        self._cuts = self._cuts + 1 if counts and young else 0
        self._cancelled.update(victims)
        return [Cancel(run_id, by) for run_id in victims]
