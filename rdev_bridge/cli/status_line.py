"""The one line of state at the bottom of a terminal, below output that is not ours.

`WatchState` is what there is to say, `describe` says it, `StatusLine` keeps it under the output.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdev_bridge.cli.style import colourful
from rdev_bridge.cli.width import columns, shortened, width, wrapped
from rdev_bridge.model import Outcome

if TYPE_CHECKING:
    from typing import TextIO

    from rdev_bridge.model import Run

KEYS = "r run  p pause  q quit"
KEYS_RUNNING = "r again  c cancel  q quit"
KEYS_RUNNING_SHORT = "c cancel  q quit"
KEY_MINE = "m mine  "
KEYS_PAUSED = "r run  p go on  q quit"
KEYS_CONFLICT = "o overwrite theirs  t leave theirs  q quit"
_NAME_CHARS = 40
_ERASE = "\r\x1b[J"
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_MARKS = {Outcome.SUCCEEDED: ("✓", "32"), Outcome.FAILED: ("✗", "31")}
_WORDS = {
    Outcome.SUCCEEDED: "passed",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "was cancelled",
    Outcome.SUPERSEDED: "was replaced",
    Outcome.TIMED_OUT: "timed out",
    Outcome.LOST: "was lost",
    Outcome.ERROR: "did not start",
}


@dataclass(slots=True)
class WatchState:
    """What `watch` is doing. Times are monotonic seconds."""

    name: str
    running_since_s: float | None = None
    queued: bool = False
    overtaken: bool = False
    cancelling: bool = False
    paused: bool = False
    changed: bool = False
    why: str = ""
    syncing: str = ""
    asks_whose: bool = False
    last: Run | None = None

    @property
    def in_conflict(self) -> bool:
        """Whether the last run waits for a choice: files that it would have pushed changed on the server too."""
        return self.running_since_s is None and self.last is not None and self.last.reason == "syncConflict"


def result(run: Run) -> str:
    """How a run ended: `test passed in 1.2 s`, `test failed (exit 3) in 40 s`."""
    outcome = run.outcome or Outcome.LOST
    code = f" (exit {run.exit_code})" if outcome is Outcome.FAILED and run.exit_code is not None else ""
    took = f" in {seconds(run.duration_ms / 1000)}" if run.duration_ms is not None else ""
    return f"{_WORDS[outcome]}{code}{took}"


def seconds(duration_s: float) -> str:
    """A duration as a person reads it: `0.4 s`, `12 s`, `3 min 05 s`."""
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def describe(state: WatchState, now_s: float) -> tuple[str, str, tuple[str, ...]]:
    """The state as (mark, SGR colour, wordings); each wording is shorter than the one before, the last may be cut."""
    name = shortened(state.name, _NAME_CHARS)
    mine = KEY_MINE if state.asks_whose else ""
    last = f"; last {result(state.last)}" if state.last else ""
    if state.running_since_s is not None:
        took = seconds(now_s - state.running_since_s)
        doing = f"{'cancelling' if state.cancelling else 'running'} {name}, {took}"
        then = "runs again after that" if state.queued else "files changed since" if state.overtaken else ""
        now = _joined(doing, state.syncing, state.why, then) + last
        brief = _joined(doing, state.syncing, then)  # why it runs was said above when it began
        keys = mine + KEYS_RUNNING_SHORT
        return "●", "33", (f"{now}; {mine}{KEYS_RUNNING}", f"{brief}{last}; {keys}", f"{brief}; {keys}", now)
    if state.paused:
        paused = f"{name} paused{', files changed' if state.changed else ''}"
        return "‖", "33", (f"{paused}{last}; {KEYS_PAUSED}", f"{paused}; {KEYS_PAUSED}", paused + last)
    if state.last is None or state.last.outcome is None:
        return "·", "0", (f"{name} waits for changes; {KEYS}", f"{name} waits for changes")
    mark, colour = _MARKS.get(state.last.outcome, ("!", "35"))
    ended = f"{name} {result(state.last)}"
    if state.in_conflict:
        return mark, colour, (f"{ended}: files changed on the server too; {KEYS_CONFLICT}", KEYS_CONFLICT)
    ended += "; files changed since" if state.last.stale else ""
    keys, waits = mine + KEYS, f"{ended}; waits for changes"
    return mark, colour, (f"{waits}; {keys}", f"{ended}; waits; {keys}", waits, ended)


def line_of(wordings: tuple[str, ...], most: int) -> str:
    """The first wording that fits into `most` columns; else the last, cut."""
    return next((words for words in wordings if width(words) <= most), shortened(wordings[-1], most))


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


class StatusLine:
    """Keeps one line below whatever else is written to the same terminal.

    Output that stops in the middle of a line keeps the line away until it goes on, so that nothing is torn. The cursor
    rests at the start of the line: wherever a terminal that became narrower wraps it, all of it is behind the cursor.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""
        self._torn = False
        self._colours = colourful(stream)
        self._plain = "\x1b[0m" if self._colours else ""  # output may have left a colour on

    def show(self, state: WatchState) -> None:
        """Draw the line as it is now, unless the cursor stands in the middle of somebody's line."""
        if self._torn:
            return
        mark, colour, wordings = describe(state, time.monotonic())
        words = line_of(wordings, max(columns() - 5, 8))
        if self._colours:
            mark = f"\x1b[{colour}m{mark}\x1b[0m"
        line = f" {mark} {words}"
        if line != self._shown:
            self._write(f"{self._plain}{_ERASE}{line}\r")
            self._shown = line

    def hide(self) -> None:
        """Make room for output."""
        if self._shown:
            self._write(_ERASE)
            self._shown = ""

    def printed(self, *, ended: bool) -> None:
        """Output was written; `ended` says whether a newline came last."""
        self._torn = not ended

    def say(self, text: str) -> None:
        """A lasting line of our own, above the status."""
        self.hide()
        self.settle()
        self._write(f"{self._plain}{wrapped(text, columns())}\n")

    def clear(self) -> None:
        """Empty the screen and what can be scrolled back to."""
        self.hide()
        self.settle()
        self._write(_CLEAR)

    def settle(self) -> None:
        """No more output comes: end a line that it left in the middle."""
        if self._torn:
            self._write("\n")
        self._torn = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
