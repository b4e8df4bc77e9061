"""How many columns of a terminal a text takes, so that a line of ours never wraps."""

from __future__ import annotations

import os
import sys
import unicodedata

_FALLBACK_COLUMNS = 80
_INDENT = "   "


def columns() -> int:
    """The width of the terminal behind stderr, now."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _FALLBACK_COLUMNS
    except (OSError, ValueError):
        return _FALLBACK_COLUMNS


def width(text: str) -> int:
    """Columns of `text`: wide East Asian characters take two, combining ones none (UAX 11)."""
    return sum(map(_width, text))


def shortened(text: str, most: int) -> str:
    """One line of at most that many columns."""
    line = " ".join(text.split())
    if width(line) <= most:
        return line
    kept, used = [], 1  # the ellipsis
    for character in line:
        used += _width(character)
        if used > most:
            break
        kept.append(character)
    return "".join(kept) + "…"


def fitted(text: str) -> str:
    """One line that leaves the last column free, where some terminals wrap."""
    return shortened(text, max(columns() - 1, 8))


def wrapped(text: str, most: int) -> str:
    """`text` broken between words into lines of at most that many columns; what follows is set in."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line.strip() and width(longer) > most:
            lines.append(line)
            line = f"{_INDENT}{word}"
        else:
            line = longer
    return "\n".join([*lines, line])


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
