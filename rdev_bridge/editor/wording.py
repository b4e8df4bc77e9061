"""The few sentences about a run that a person reads in the editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdev_bridge.editor.sanitize import plain
from rdev_bridge.model import Outcome

if TYPE_CHECKING:
    from rdev_bridge.model import Run

_TITLE_CHARS = 60
_HEADLINE_CHARS = 58  # 80 columns, less what Neovim puts before a message and keeps free behind it


def title_of(run: Run) -> str:
    """The task's name, else the start of the command."""
    name = run.task or plain(" ".join(run.command.split()))
    return name if len(name) <= _TITLE_CHARS else f"{name[: _TITLE_CHARS - 1]}…"


def result(run: Run) -> str:
    """The outcome: `failed with exit code 3`."""
    return {
        Outcome.SUCCEEDED: "succeeded",
        Outcome.FAILED: "failed" if run.exit_code is None else f"failed with exit code {run.exit_code}",
        Outcome.CANCELLED: "cancelled",
        Outcome.SUPERSEDED: "replaced by a newer run",
        Outcome.TIMED_OUT: "timed out",
        Outcome.LOST: "lost: its end could not be learnt",
        Outcome.ERROR: "could not start",
        None: "ended",
    }[run.outcome]


def ending(run: Run) -> str:
    """How it went: `failed with exit code 3 after 1.2 s, 2 errors`."""
    words = result(run)
    if run.duration_ms is not None:
        words += f" after {_duration(run.duration_ms)}"
    if run.diagnostics is not None and run.diagnostics.errors:
        words += f", {run.diagnostics.errors} error{'s' if run.diagnostics.errors > 1 else ''}"
    return f"{words}: {plain(run.message)}" if run.message else words


def headline(run: Run) -> str:
    """The title and the ending, in one line of a plain editor's message area, unless there is a reason to tell."""
    title, words = title_of(run), ending(run)
    if run.message or len(title) + 1 + len(words) <= _HEADLINE_CHARS:
        return f"{title} {words}"
    words = result(run)
    room = _HEADLINE_CHARS - 1 - len(words)
    return f"{title if len(title) <= room else f'{title[: room - 1]}…'} {words}"


def _duration(duration_ms: int) -> str:
    seconds = duration_ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
