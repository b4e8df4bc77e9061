"""Carries out what `core.busy` decides: one line for each task, with the clock and the timers that the lines need."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from rdev_bridge.core.busy import BusyLine, Cancel, Decision, Drop, Ignore, Queue, Start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rdev_bridge.model import BusyPolicy

Line = tuple["Path", str, bool]
"""Who waits for whom: a folder, a task's name or a command's text, and whether it is a task."""


class Actions(Protocol):
    """What a decision sets off. None of it may ask for a turn again at once."""

    def start(self, run_id: str) -> None:
        """It is this run's turn."""

    def queue(self, run_id: str) -> None:
        """It has to wait."""

    def drop(self, run_id: str, by: str) -> None:
        """A newer run took its place in the queue."""

    def supersede(self, run_id: str, by: str) -> None:
        """A newer run wants it ended."""


class Turns:
    """The lines of all tasks."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._lines: dict[Line, BusyLine] = {}
        self._patience: dict[Line, asyncio.TimerHandle] = {}
        self._stopped = False

    def ask(self, line: Line, run_id: str, policy: BusyPolicy) -> Start | Queue | Ignore:
        """A new run wants its turn; what became of that."""
        busy = self._lines.setdefault(line, BusyLine())
        decisions = busy.requested(run_id, policy, time.monotonic())
        self._carry_out(line, decisions)
        return next(one for one in decisions if isinstance(one, Start | Queue | Ignore) and one.run_id == run_id)

    def over(self, line: Line, run_id: str, *, complete: bool) -> None:
        """The run has ended, or was withdrawn while it waited."""
        busy = self._lines.get(line)
        if not self._stopped and busy is not None and (run_id in busy.running or run_id == busy.waiting):
            self._carry_out(line, busy.ended(run_id, time.monotonic(), complete=complete))

    def stop(self) -> None:
        """Nobody gets a turn any more."""
        self._stopped = True
        for timer in self._patience.values():
            timer.cancel()

    def _carry_out(self, line: Line, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Start(run_id):
                    self._actions.start(run_id)
                case Queue(run_id):
                    self._actions.queue(run_id)
                case Drop(run_id, by):
                    self._actions.drop(run_id, by)
                case Cancel(run_id, by):
                    self._actions.supersede(run_id, by)
                case Ignore():
                    pass
        self._arm(line)

    def _arm(self, line: Line) -> None:
        """Have the line looked at when the patience with a run that was left alone is used up."""
        busy = self._lines[line]
        if (timer := self._patience.pop(line, None)) is not None:
            timer.cancel()
        if (due_s := busy.patience_ends_s) is not None:
            delay_s = max(0.0, due_s - time.monotonic())
            self._patience[line] = asyncio.get_running_loop().call_later(delay_s, self._patience_ended, line)
        _, _, is_task = line
        if not is_task and not busy.running and busy.waiting is None:
            del self._lines[line]  # a task's line remembers how long its runs take; commands are without number

    def _patience_ended(self, line: Line) -> None:
        self._carry_out(line, self._lines[line].patience_ended(time.monotonic()))
