"""Work-done progress: one bar a run, with its last line, its count, and a cancel button that works.

While a run waits for its files there is a second bar, in percent: LSP lets no bar turn to percent that began without.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from rdev_bridge.core.progress import PATIENCE_S, in_words, percent
from rdev_bridge.editor.peer import Unanswered
from rdev_bridge.editor.sanitize import plain
from rdev_bridge.editor.wording import ending, title_of

if TYPE_CHECKING:
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.model import Run, SyncProgress

REPORT_EVERY_S = 0.25
_MESSAGE_CHARS = 80


class Progress:
    """The bars of all runs of one editor that supports them."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._bars: dict[str, _Bar] = {}
        self._syncing_since_s: dict[str, float] = {}
        self._syncs: dict[str, _Bar] = {}

    def started(self, run: Run) -> None:
        """Ask the editor for a bar; it may refuse or say nothing, and then there is none."""
        bar = self._bars[run.run_id] = _Bar(self._peer, f"rdev-{run.run_id}", title_of(run))
        self._peer.spawn(bar.open())

    def synced(self, run: Run, progress: SyncProgress) -> None:
        """The run's files are on their way; a quick sync gets no bar."""
        if progress.phase == "done":
            self._end_sync(run.run_id, "files are there")
            return
        now_s = time.monotonic()
        if now_s - self._syncing_since_s.setdefault(run.run_id, now_s) < PATIENCE_S:
            return
        bar = self._syncs.get(run.run_id)
        if bar is None:
            title = f"{title_of(run)}: sync"
            bar = self._syncs[run.run_id] = _Bar(self._peer, f"rdev-sync-{run.run_id}", title, counts=True)
            self._peer.spawn(bar.open())
        bar.say(in_words(progress), percentage=percent(progress))

    def _end_sync(self, run_id: str, message: str) -> None:
        self._syncing_since_s.pop(run_id, None)
        if (bar := self._syncs.pop(run_id, None)) is not None:
            bar.close(message)

    def output(self, run: Run, last_line: str) -> None:
        """Say where the run is, a few times a second at most."""
        if (bar := self._bars.get(run.run_id)) is not None:
            counted = f"{run.lines:,} lines" if run.lines != 1 else "1 line"
            bar.say(f"{counted} · {plain(last_line[: 4 * _MESSAGE_CHARS]).strip()}"[:_MESSAGE_CHARS])

    def cancelling(self, run_id: str) -> None:
        """Say so at once: the end follows when the remote command is known dead."""
        if (bar := self._bars.get(run_id)) is not None:
            bar.say("cancelling …", now=True)

    def finished(self, run: Run) -> None:
        """Close the bar with how it went."""
        self._end_sync(run.run_id, "stopped")
        if (bar := self._bars.pop(run.run_id, None)) is not None:
            bar.close(ending(run))

    def run_of(self, token: Any) -> str | None:
        """The run that `window/workDoneProgress/cancel` speaks of."""
        bars = (*self._bars.items(), *self._syncs.items())
        return next((run_id for run_id, bar in bars if bar.token == token), None)


class _Bar:
    def __init__(self, peer: Peer, token: str, title: str, *, counts: bool = False) -> None:
        self.token = token
        self._peer, self._title, self._percentage = peer, title, 0 if counts else None
        self._is_open = False
        self._ending: str | None = None
        self._pending: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        try:
            await self._peer.ask("window/workDoneProgress/create", {"token": self.token})
        except Unanswered:
            return
        self._is_open = True
        self._send({"kind": "begin", "title": self._title, "cancellable": True, **self._counted()})
        if self._ending is None:
            self._flush()
        else:  # a quick run was over first; its end is still worth seeing
            self._send({"kind": "end", "message": self._ending})

    def say(self, message: str, *, now: bool = False, percentage: int = 0) -> None:
        self._pending = message
        if self._percentage is not None:
            self._percentage = max(self._percentage, percentage)
        if now and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_open and self._timer is None:
            self._flush()

    def close(self, message: str) -> None:
        self._ending = message
        if self._timer is not None:
            self._timer.cancel()
        if self._is_open:
            self._send({"kind": "end", "message": message})

    def _flush(self) -> None:
        self._timer = None
        if self._pending is not None and self._ending is None:
            self._send({"kind": "report", "message": self._pending, **self._counted()})
            self._pending = None
            self._timer = asyncio.get_running_loop().call_later(REPORT_EVERY_S, self._flush)

    def _counted(self) -> dict[str, int]:
        return {} if self._percentage is None else {"percentage": self._percentage}

    def _send(self, value: dict[str, Any]) -> None:
        self._peer.notify("$/progress", {"token": self.token, "value": value})
