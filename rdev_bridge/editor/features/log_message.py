"""`window/logMessage`: output for an editor without the `rdev/*` methods, bounded so that no flood freezes it."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from rdev_bridge.editor.peer import notification
from rdev_bridge.editor.sanitize import plain
from rdev_bridge.editor.wording import ending, title_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdev_bridge.model import Run

BURST_LINES = 500
LINES_PER_S = 100.0
LAST_LINES = 20
LINE_CHARS = 2000

_LOG = 4  # MessageType.Log


class Allowance:
    """So many at once, so many a second (a token bucket; `clock` is monotonic, in seconds)."""

    def __init__(self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._left, self._at = float(burst), clock()

    def take(self, wanted: int) -> int:
        """How many of `wanted` may go now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        granted = min(wanted, int(self._left))
        self._left -= granted
        return granted


class LogView:
    """One run's lines as log messages: all of a quiet run; of a flood its start, samples, and its last lines."""

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._log_path = title_of(run), run.log_path
        self._allowance = Allowance(BURST_LINES, LINES_PER_S, clock)
        self._left_out = 0
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    def started(self, run: Run) -> bytes:
        """The message that a run begins."""
        return _message(f"[{self._title}] $ {plain(run.command)}")

    def output(self, lines: list[str]) -> bytes | None:
        """The message for these lines, or None where there is no room for any of them."""
        granted = self._allowance.take(len(lines))
        shown, left_out = lines[:granted], lines[granted:]
        told = self._told() if shown else []
        self._left_out += len(left_out)
        self._last.extend(left_out[-LAST_LINES:])
        return _message("\n".join([*told, *map(_shortened, shown)])) if shown else None

    def finished(self, run: Run) -> bytes:
        """The last lines where some were left out, how the run went, and where all of it is."""
        last = list(map(_shortened, self._last))
        self._left_out -= len(last)
        return _message("\n".join([*self._told(), *last, f"[{self._title}] {ending(run)}; output: {self._log_path}"]))

    def _told(self) -> list[str]:
        left_out, self._left_out = self._left_out, 0
        self._last.clear()
        return [f"… {left_out:,} lines left out here; all are in {self._log_path}"] if left_out > 0 else []


def _shortened(line: str) -> str:
    line = plain(line[: 2 * LINE_CHARS])
    return line if len(line) <= LINE_CHARS else f"{line[:LINE_CHARS]} …"


def _message(text: str) -> bytes:
    params: dict[str, Any] = {"type": _LOG, "message": text}
    return notification("window/logMessage", params)
