"""A checked problem matcher: VS Code's object with everything resolved and compiled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rdev_bridge.errors import UsageError
from rdev_bridge.problems.problem import LAST_COLUMN, ApplyTo, ColumnUnit, FileLocation, Problem, Severity
from rdev_bridge.settings.source import show_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rdev_bridge.problems.block import Block
    from rdev_bridge.problems.regex import Regex

MAX_MESSAGE = 16 * 1024
"""Characters of a message that are kept."""

_NUMBER = re.compile(r"\s*(\d+)", re.ASCII)
_WORDS = {
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "info": Severity.INFO,
    "hint": Severity.INFO,
    "note": Severity.INFO,
    "information": Severity.INFO,
    "message": Severity.INFO,
    "style": Severity.INFO,
    "invalid-syntax": Severity.ERROR,  # Ruff's code for what is no lint
}
_LETTERS = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}


class MatcherError(UsageError):
    """A matcher is wrong: `keys` say where inside of what the user wrote, `problem` what is the matter there."""

    def __init__(self, problem: str, *keys: str | int) -> None:
        self.problem, self.keys = problem, keys
        super().__init__(f"{show_key(keys)}: {problem}" if keys else problem)

    def under(self, *keys: str | int) -> MatcherError:
        """The same, seen from further outside."""
        return MatcherError(self.problem, *keys, *self.keys)


class Parser(Protocol):
    """Reads output whose problems no list of patterns describes."""

    def feed(self, block: Block) -> Iterator[Problem]:
        """The problems that these lines complete."""

    def settle(self) -> Iterator[Problem]:
        """Output pauses: what is complete already, and was only waiting for lines that might add to it."""

    def finish(self) -> Iterator[Problem]:
        """What is left at the end of the output."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line's pattern; `groups` says which group of `regex` holds which property."""

    regex: Regex
    groups: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Background:
    """How a tool that never ends says that it starts over, and that it is done for now."""

    begins: Regex
    ends: Regex
    begins_file: int = 1
    active_on_start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """`patterns` match consecutive lines, the last one again and again if `loop`; or `parser` makes a reader.

    Beyond VS Code, for built-ins: lines after a match that `more` finds go on with its message (group 1; group 2 is a
    code), and `inclusive_end` says that the end column is the last one of the range and not the one behind it.
    """

    owner: str
    source: str | None = None
    severity: Severity | None = None
    apply_to: ApplyTo = ApplyTo.ALL
    location: FileLocation = field(default_factory=FileLocation)
    patterns: tuple[Pattern, ...] = ()
    loop: bool = False
    whole_file: bool = False
    background: Background | None = None
    unit: ColumnUnit = ColumnUnit.UTF16
    parser: Callable[[], Parser] | None = None
    more: Regex | None = None
    inclusive_end: bool = False

    def problem(self, values: Mapping[str, str], output_line: int) -> Problem | None:
        """The problem that these captured `values` make; None where file, place or message is missing."""
        place = (1, 1, 1, 1) if self.whole_file else _place(values)
        path, message = values.get("file"), values.get("message")
        if not path or not message or place is None:
            return None
        line, column, end_line, end_column = place
        if self.inclusive_end and end_column is not None:
            end_column += 1
        return Problem(
            path=path,
            line=line,
            column=column,
            end_line=end_line,
            end_column=end_column,
            message=message[:MAX_MESSAGE],
            severity=severity_of(values.get("severity")) or self.severity or Severity.ERROR,
            code=values.get("code"),
            source=self.source,
            owner=self.owner,
            unit=self.unit,
            apply_to=self.apply_to,
            location=self.location,
            output_line=output_line,
        )


@dataclass(slots=True)
class Captured:
    """Properties gathered over the lines of one problem: the first value wins, messages are put together."""

    values: dict[str, str] = field(default_factory=dict)

    def take(self, pattern: Pattern, found: Sequence[str | None]) -> None:
        """Add what `pattern` captured in one line."""
        for name, group in pattern.groups.items():
            text = found[group] if group < len(found) else None
            if text is None:
                continue
            text = text.strip()
            if name not in self.values:
                self.values[name] = text
            elif name == "message" and len(self.values[name]) < MAX_MESSAGE:
                self.values[name] += "\n" + text

    def copy(self) -> Captured:
        """An independent one, for the next round of a loop."""
        return Captured(dict(self.values))


def severity_of(word: str | None) -> Severity | None:
    """What VS Code takes a severity's word for, case aside; None where it does not know it."""
    if not word:
        return None
    return _WORDS.get(word.lower()) or _LETTERS.get(word)


def _place(values: Mapping[str, str]) -> tuple[int, int | None, int | None, int | None] | None:
    """(line, column, end line, end column) from a `location` capture, or from those of its parts."""
    if values.get("location"):
        parts = [_number(part) for part in values["location"].split(",")]
        line, column = parts[0], parts[1] if len(parts) > 1 else None
        end_line, end_column = (parts[2], parts[3]) if len(parts) > 3 else (None, None)
    else:
        line, column, end_line, end_column = (
            _number(values.get(name, "")) for name in ("line", "column", "endLine", "endColumn")
        )
    if line is None:
        return None
    if column is None:
        return line, None, None, None
    return (line, column, None, None) if end_column is None else (line, column, end_line or line, end_column)


def _number(text: str) -> int | None:
    found = _NUMBER.match(text)
    return min(int(found[1][:12]), LAST_COLUMN) if found else None
