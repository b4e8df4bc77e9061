"""How the commands that talk to a person look: aligned, and coloured only where somebody looks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from rdev_bridge.core.shown import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def colourful(stream: TextIO) -> bool:
    """Whether colours are wanted there (no-color.org: NO_COLOR, if not empty, says no)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: str, stream: TextIO | None = None) -> str:
    """`text` in one of bold, dim, red, green, yellow, where `stream` (stdout) shows colours."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if colourful(stream or sys.stdout) else text


def print_columns(rows: Sequence[Sequence[str]], *, head: Sequence[str] = ()) -> None:
    """Rows under an optional head, each column as wide as it must be. What does not print is escaped."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*([head] if head else []), *shown, strict=True)]
    for number, row in enumerate(([list(head)] if head else []) + shown):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(painted(line, "dim") if head and number == 0 else line)


def confirmed(question: str) -> bool:
    """Ask on the terminal; only y and yes are a yes. Without a terminal there is nobody to ask: a no."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
