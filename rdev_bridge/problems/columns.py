"""From a tool's columns to an editor's: what a tool counts, the text of the line, and the encoding that was agreed.

Pure: the caller has the line. Positions in LSP count from 0, in UTF-16 code units unless `positionEncoding` says
UTF-8 or UTF-32 (LSP 3.17, "Position").
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from rdev_bridge.problems.problem import ColumnUnit

if TYPE_CHECKING:
    from rdev_bridge.problems.problem import Problem

_WORD = re.compile(r"\w+|\S")
_TAB = 8


def to_lsp_range(problem: Problem, line_text: str | None, encoding: str, end_text: str | None = None) -> dict[str, Any]:
    """The LSP range of `problem`. `line_text` is its line without line end (None: not known), `end_text` its last one.

    Without a column the line from its first letter on; without an end the word that begins at the column.
    """
    last = problem.end_line or problem.line
    if last == problem.line:
        end_text = line_text
    if problem.column is None:
        start = 0 if line_text is None else len(line_text) - len(line_text.lstrip())
        end = 0 if line_text is None else len(line_text.rstrip())
        last, end_text = problem.line, line_text
    else:
        start = index_of(problem.column, line_text, problem.unit)
        if problem.end_column is not None and last >= problem.line:
            end = index_of(problem.end_column, end_text, problem.unit)
        else:
            last, end_text, end = problem.line, line_text, _word_end(line_text, start)
    if last == problem.line:
        end = max(start, end)
    return {
        "start": {"line": problem.line - 1, "character": units(line_text, start, encoding)},
        "end": {"line": last - 1, "character": units(end_text, end, encoding)},
    }


def position(line: int, column: int | None, text: str | None, unit: ColumnUnit, encoding: str) -> dict[str, int]:
    """The LSP position of a printed line and column."""
    return {"line": line - 1, "character": units(text, index_of(column or 1, text, unit), encoding)}


def index_of(column: int, text: str | None, unit: ColumnUnit) -> int:
    """The index in `text` of the character at `column` (from 1) as a tool counts; at most the line's length."""
    before = max(0, column - 1)
    if text is None:
        return before
    if unit is ColumnUnit.CHARACTERS or (text.isascii() and (unit is not ColumnUnit.DISPLAY or "\t" not in text)):
        return min(before, len(text))
    at = 0
    for index, character in enumerate(text):
        at += _width(character, at, unit)
        if at > before:
            return index
    return len(text)


def units(text: str | None, index: int, encoding: str) -> int:
    """How many units of `encoding` stand before the character `index` of `text`."""
    if text is None or encoding == "utf-32":
        return index
    head = text[:index]
    if head.isascii():
        return len(head)
    if encoding == "utf-8":
        return len(head.encode(errors="replace"))
    return len(head) + sum(character > "\uffff" for character in head)


def _width(character: str, at: int, unit: ColumnUnit) -> int:
    if unit is ColumnUnit.UTF16:
        return 2 if character > "\uffff" else 1
    if unit is ColumnUnit.BYTES:
        return len(character.encode(errors="replace"))
    if character == "\t":
        return _TAB - at % _TAB
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _word_end(text: str | None, start: int) -> int:
    if text is None:
        return start
    word = _WORD.match(text, start)
    return word.end() if word else start
