"""What `watch` shows: output as it comes, and around it a line of state, or plain lines, or nothing."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rdev_bridge.cli.jsonl import JsonlFace
from rdev_bridge.cli.status_line import StatusLine, WatchState, result
from rdev_bridge.cli.terminal import TerminalFace, say
from rdev_bridge.cli.width import shortened
from rdev_bridge.core.progress import PATIENCE_S, in_words
from rdev_bridge.core.shown import one_line
from rdev_bridge.model import Outcome, TriggerKind
from rdev_bridge.runs.observer import SyncObserver
from rdev_bridge.sync.errors import without_choice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdev_bridge.model import Connection, Run, SyncProgress, Trigger
    from rdev_bridge.runs.observer import OutputBatch, RunObserver

_NAMED_FILES = 3
_NAME_CHARS = 60
_SYNC_EVERY_S = 0.1


class WatchFace:
    """A `RunObserver` around `printer`, which writes the output. `form` is `status` (a terminal), `plain` or `jsonl`.

    `on_idle` is called whenever nothing runs or waits any more.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        form: str,
        printer: RunObserver,
        *,
        clear: bool,
        on_idle: Callable[[], None],
    ) -> None:
        self.state = WatchState(name)
        self._name = shortened(name, _NAME_CHARS)
        self._folder, self._form, self._printer, self._on_idle = folder, form, printer, on_idle
        self._line = StatusLine(sys.stderr) if form == "status" else None
        if isinstance(printer, TerminalFace):  # whose words stand beside ours then
            printer.say = self.say
        self._clear = clear and form == "status"
        self._unfinished: dict[str, bool] = {}  # run id to whether it runs; the runs that somebody asked for
        self._sync_from_s: float | None = None
        self._writing = False
        self._closed = False

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The runs that run or wait, without those that only serve another one."""
        return tuple(self._unfinished)

    def draw(self) -> None:
        """Show the state as it is now."""
        if self._line is not None and not self._writing and not self._closed:
            self._line.show(self.state)

    def redraw(self) -> None:
        """The terminal may have another size now."""
        if self._line is not None and not self._writing and not self._closed:
            self._line.hide()
            self._line.show(self.state)

    def say(self, text: str) -> None:
        """A line of our own that stays; what it quotes (names of files, words of a server) steers no terminal."""
        if self._line is not None:
            self._line.say(f"── {one_line(text)}")
            self.draw()
        else:
            say(text)

    async def run_stale(self, run: Run) -> None:
        """Files changed after this run began."""
        if self.state.last is not None and self.state.last.run_id == run.run_id:
            self.state.last = replace(self.state.last, stale=True)
        self.state.overtaken = self.state.overtaken or run.run_id in self._unfinished
        self.draw()
        if isinstance(self._printer, JsonlFace):
            await self._printer.run_stale(run)

    def cancelling(self) -> None:
        """A person cancels what runs."""
        self.state.cancelling = bool(self._unfinished)
        if isinstance(self._printer, TerminalFace):
            self._printer.cancelling()

    def close(self) -> None:
        """Leave the terminal with the cursor at the start of an empty line."""
        self._closed = True
        if self._line is not None:
            self._line.hide()

    async def run_queued(self, run: Run) -> None:
        """A run waits for its turn."""
        if run.parent_run_id is None:
            self._unfinished[run.run_id] = False
            self._update()

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """A run began: say why."""
        await self._printer.run_started(run, trigger)
        if run.parent_run_id is not None:
            if self._form != "jsonl":
                self.say(f"{time.strftime('%H:%M:%S')} {run.task} runs, for {self._name}")
            return
        self._unfinished[run.run_id] = True
        self.state.running_since_s, self.state.why = time.monotonic(), self._why(trigger)
        self.state.cancelling = self.state.overtaken = self.state.asks_whose = False
        why = f": {self.state.why}" if self.state.why else ""
        if self._form != "jsonl":
            if self._line is not None and self._clear:
                self._line.clear()
            self.say(f"{time.strftime('%H:%M:%S')} {self._name} runs{why}")
        self._update()

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Output goes on."""
        pieces = [chunk for chunk in batch.pieces if chunk.lines]
        is_hushed = isinstance(self._printer, TerminalFace) and self._printer.is_hushed
        if self._line is None or not pieces or is_hushed:
            if is_hushed and self._line is not None:
                self._line.settle()
            await self._printer.output(run, batch)
            return
        self._line.hide()
        self._writing = True
        try:
            await self._printer.output(run, batch)
        finally:
            self._writing = False
        self._line.printed(ended=pieces[-1].ended)
        self.draw()

    def sync_progressed(self, run: Run, progress: SyncProgress) -> None:
        """Files are on their way: part of the state, where it takes a while."""
        if self._line is None:
            if isinstance(self._printer, SyncObserver):  # not where stdout is for programs
                self._printer.sync_progressed(run, progress)
            return
        now_s = time.monotonic()
        if progress.phase == "done":
            self._sync_from_s, self.state.syncing = None, ""
        elif self._sync_from_s is None:
            self._sync_from_s = now_s + PATIENCE_S
        elif now_s >= self._sync_from_s:
            self._sync_from_s = now_s + _SYNC_EVERY_S
            self.state.syncing = in_words(progress)
            self.draw()

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """Lines are gone for good."""
        await self._printer.output_gap(run, seq, missing)

    async def run_finished(self, run: Run) -> None:
        """A run ended."""
        await self._printer.run_finished(run)
        ran = self._unfinished.pop(run.run_id, None)
        if run.parent_run_id is None and ran is not None:
            if self._line is not None and not self._unfinished:
                self._line.settle()
            if ran:  # one that another took the place of while it waited is not worth a word
                if run.message and run.outcome is not Outcome.SUPERSEDED and self._form != "jsonl":
                    by_key = self._line is not None and run.reason == "syncConflict"
                    self.say(without_choice(run.message) if by_key else run.message)
                self.state.last = run
                if self._form == "plain":
                    self.say(f"{self._name} {result(run)}{'' if self._unfinished else '; waits for changes'}")
        self._update()
        if not self._unfinished:
            self._on_idle()

    async def connection_changed(self, connection: Connection) -> None:
        """The stream to a server is lost or back."""
        await self._printer.connection_changed(connection)

    def _update(self) -> None:
        running = [run_id for run_id, runs in self._unfinished.items() if runs]
        self.state.queued = len(running) < len(self._unfinished)
        if not running:
            self.state.running_since_s, self.state.cancelling = None, False
            self._sync_from_s, self.state.syncing = None, ""
        self.draw()

    def _why(self, trigger: Trigger) -> str:
        if trigger.kind not in {TriggerKind.CHANGE, TriggerKind.SAVE}:
            return ""
        names = [str(path.relative_to(self._folder)) for path in trigger.files[:_NAMED_FILES]]
        more = len(trigger.files) - len(names)
        return f"{', '.join(names)}{f' and {more} more' if more else ''} changed"
