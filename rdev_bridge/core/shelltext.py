"""Where in a POSIX shell's text a position stands: outside of quotes, inside of them, or where quoting does not work.

A reader of quotes and nesting (POSIX.1-2017, XCU 2.2, 2.3 and 2.6), not of commands. Where shells differ, or where only
a whole parser could tell, it says `UNCLEAR` from there on: nobody should put a value where it might be run.
"""

from __future__ import annotations

import re
import shlex
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Place(Enum):
    """What the shell makes of a character. LITERAL: it stands in a comment, or after a backslash."""

    PLAIN = auto()
    SINGLE = auto()
    DOUBLE = auto()
    LITERAL = auto()
    HEREDOC = auto()
    BACKTICKS = auto()
    ARITHMETIC = auto()
    EXPANSION = auto()
    PROGRAM = auto()
    UNCLEAR = auto()


# What comes after this is a program's text: `sh -c "`, `bash -lc '`, `python3 -c "`, `perl -ne '`, `eval `, `ssh box `.
_RUNS_TEXT = re.compile(
    r"(?:^|[\s;&|(/!])(?:"
    r"(?:(?:ba|da|z|k|mk|pdk|a|fi|c|tc)?sh|python[\d.]*|pypy3?)(?:\s+-[^\s;&|]+)*?\s+(?:-[A-Za-z]*c|--command)(?:\s+|=)"
    r"|(?:perl|ruby|node|lua|sed)(?:\s+-[^\s;&|]+)*?\s+(?:-[A-Za-z]*e|--eval|--expression)(?:\s+|=)"
    r"|su(?:\s+[^\s;&|]+)*?\s+(?:-c|--command)(?:\s+|=)"
    r"|(?:awk|sed|trap)\s+"
    r"|eval\s+(?:[^;&|\n]*\s)?"
    r")[^\s;&|'\"]*$"
    r"|(?:^|[;&|(\n])\s*ssh\s+(?:[^;&|\n]*\s)[^\s;&|'\"]*$"
)
_RUNS_TEXT_WITHIN = 300  # characters
_WORD_STARTS = frozenset(" \t\n;&|()")
_CASE = re.compile(r"case\s")


class _Level(Enum):
    """An open construct. BRACE and QUOTED_BRACE are `${` outside and inside of double quotes."""

    PAREN = auto()
    DOUBLE = auto()
    BACKTICKS = auto()
    ARITHMETIC = auto()
    BRACE = auto()
    QUOTED_BRACE = auto()


# Bytes of a name that are no UTF-8, as Python holds them (PEP 383). In text sent as JSON only `printf` can say them.
_ODD_BYTES = re.compile("([\udc80-\udcff]+)")


def quoted(text: str) -> str:
    """One word that the shell reads as exactly `text`, whatever bytes a file's name holds."""
    if not _ODD_BYTES.search(text):
        return shlex.quote(text)
    parts = _ODD_BYTES.split(text)  # odd ones are the bytes; none is a newline, which `$(…)` would drop
    return "".join(_printed(part) if n % 2 else shlex.quote(part) for n, part in enumerate(parts) if part)


def _printed(odd: str) -> str:
    octal = "".join(f"\\{byte:03o}" for byte in odd.encode("utf-8", "surrogateescape"))
    return f"\"$(printf '{octal}')\""


def places_of(text: str, positions: Sequence[int]) -> list[Place]:
    """The place of each of the ascending `positions`, at each of which a `$` that the shell shall not see stands."""
    reader = _Reader(text, frozenset(positions))
    return [reader.places.get(position, Place.LITERAL) for position in positions]


class _Reader:
    def __init__(self, text: str, wanted: frozenset[int]) -> None:
        self._text, self._wanted = text, wanted
        self._levels: list[tuple[_Level, bool]] = []  # with whether a double quote holds a program's text
        self._heredoc = self._unclear = False
        self.places: dict[int, Place] = {}
        at = 0
        while at < len(text):
            at = self._step(at)

    def _step(self, at: int) -> int:
        """Read what stands at `at`; returns where the next thing begins."""
        if at in self._wanted:
            self.places[at] = self._place(at)
            return self._text.index("}", at) + 1
        if self._text[at] == "\\":
            return at + 2
        level = self._levels[-1][0] if self._levels else None
        if level in {_Level.DOUBLE, _Level.QUOTED_BRACE}:
            return self._quoted(at, level)
        return self._plain(at, level)

    def _quoted(self, at: int, level: _Level | None) -> int:
        """Inside of double quotes, or of `${` inside of them."""
        character = self._text[at]
        if character == '"' and level is _Level.DOUBLE:
            self._levels.pop()
            return at + 1
        if level is _Level.QUOTED_BRACE:
            if character == "}":
                self._levels.pop()
                return at + 1
            if character in "'\"":
                self._unclear = True  # `"${x#'a'}"` and `"${x:-"a"}"`: shells differ
        return self._substitution(at, quoted=True) or at + 1

    def _plain(self, at: int, level: _Level | None) -> int:
        """Where quotes open."""
        text, character = self._text, self._text[at]
        starts_word = at == 0 or text[at - 1] in _WORD_STARTS
        if character == "'":
            return self._single(at)
        if character == '"':
            self._levels.append((_Level.DOUBLE, self._holds_program(at)))
        elif character == "#" and starts_word and level is not _Level.BRACE:
            return self._comment(at)
        elif character == "}" and level is _Level.BRACE:
            self._levels.pop()
        elif character == "(":
            self._levels.append((_Level.ARITHMETIC if text.startswith("((", at) else _Level.PAREN, False))
        elif character == ")" and level in {_Level.PAREN, _Level.ARITHMETIC}:
            self._levels.pop()
        elif text.startswith("<<", at) and not self._in(_Level.ARITHMETIC):
            self._heredoc = self._heredoc or not text.startswith("<<<", at)
            return at + (3 if text.startswith("<<<", at) else 2)
        elif starts_word and self._in(_Level.DOUBLE) and _CASE.match(text, at):
            self._unclear = True  # the `)` of a pattern would look like the end of `$(`
        else:
            return self._substitution(at, quoted=False) or at + 1
        return at + 1

    def _substitution(self, at: int, *, quoted: bool) -> int:
        """What opens with a dollar sign or a backtick; returns where its inside begins, or 0."""
        text = self._text
        if text[at] == "`":
            if self._in(_Level.BACKTICKS):
                while self._levels.pop()[0] is not _Level.BACKTICKS:
                    pass
            else:
                self._levels.append((_Level.BACKTICKS, False))
            return at + 1
        if text.startswith("$((", at):
            self._levels.append((_Level.ARITHMETIC, False))
            return at + 2  # the second parenthesis opens a level of its own
        if text.startswith("$(", at):
            self._levels.append((_Level.PAREN, False))
            return at + 2
        if text.startswith("${", at):
            self._levels.append((_Level.QUOTED_BRACE if quoted else _Level.BRACE, False))
            return at + 2
        if text.startswith("$[", at) or (text.startswith("$'", at) and not quoted):
            self._unclear = True  # arithmetic and C strings in bash, plain text in dash
            return at + 1
        return 0

    def _single(self, at: int) -> int:
        """Single quotes: to the next one, whatever stands between."""
        is_program = self._holds_program(at)
        end = self._text.find("'", at + 1)
        end = len(self._text) if end < 0 else end
        for position in sorted(position for position in self._wanted if at < position < end):
            place = self._place()
            self.places[position] = (Place.PROGRAM if is_program else Place.SINGLE) if place is Place.PLAIN else place
        return end + 1

    def _comment(self, at: int) -> int:
        end = self._text.find("\n", at)
        return len(self._text) if end < 0 else end

    def _place(self, at: int | None = None) -> Place:
        """What a value would meet here."""
        if self._heredoc:
            return Place.HEREDOC
        if self._unclear:
            return Place.UNCLEAR
        for level, place in (
            (_Level.BACKTICKS, Place.BACKTICKS),
            (_Level.ARITHMETIC, Place.ARITHMETIC),
            (_Level.BRACE, Place.EXPANSION),
            (_Level.QUOTED_BRACE, Place.EXPANSION),
        ):
            if self._in(level):
                return place
        if any(is_program for _, is_program in self._levels):
            return Place.PROGRAM
        if self._levels and self._levels[-1][0] is _Level.DOUBLE:
            return Place.DOUBLE
        return Place.PROGRAM if at is not None and self._holds_program(at) else Place.PLAIN

    def _in(self, level: _Level) -> bool:
        return any(open_level is level for open_level, _ in self._levels)

    def _holds_program(self, at: int) -> bool:
        return _RUNS_TEXT.search(self._text, max(0, at - _RUNS_TEXT_WITHIN), at) is not None
