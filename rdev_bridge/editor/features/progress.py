"""Work-done progress: one bar a run, with its last line, its count, and a cancel button that works."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rdev_bridge.editor.peer import Unanswered
from rdev_bridge.editor.sanitize import plain
from rdev_bridge.editor.wording import ending, title_of

if TYPE_CHECKING:
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.model import Run

REPORT_EVERY_S = 0.25
_MESSAGE_CHARS = 80


class Progress:
    """The bars of all runs of one editor that supports them."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._bars: dict[str, _Bar] = {}

    def started(self, run: Run) -> None:
        """Ask the editor for a bar; it may refuse or say nothing, and then there is none."""
        bar = self._bars[run.run_id] = _Bar(self._peer, run)
        self._peer.spawn(bar.open())

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
        if (bar := self._bars.pop(run.run_id, None)) is not None:
            bar.close(ending(run))

    def run_of(self, token: Any) -> str | None:
        """The run that `window/workDoneProgress/cancel` speaks of."""
        return next((run_id for run_id, bar in self._bars.items() if bar.token == token), None)


class _Bar:
    def __init__(self, peer: Peer, run: Run) -> None:
        self.token = f"rdev-{run.run_id}"
        self._peer, self._title = peer, title_of(run)
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
        self._send({"kind": "begin", "title": self._title, "cancellable": True})
        if self._ending is None:
            self._flush()
        else:  # a quick run was over first; its end is still worth seeing
            self._send({"kind": "end", "message": self._ending})

    def say(self, message: str, *, now: bool = False) -> None:
        self._pending = message
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
            self._send({"kind": "report", "message": self._pending})
            self._pending = None
            self._timer = asyncio.get_running_loop().call_later(REPORT_EVERY_S, self._flush)

    def _send(self, value: dict[str, Any]) -> None:
        self._peer.notify("$/progress", {"token": self.token, "value": value})
