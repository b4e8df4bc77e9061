"""Where the keys of a TOML text stand, since tomllib does not tell.

One pass over a text that tomllib has accepted, so nothing is checked again here. A key is known by its path: the names
that lead to it, with a number for each element of an array (`("tasks", "test", "depends_on", 0)`, `("paths", 1)`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

KeyPath = tuple[str | int, ...]


class Span(NamedTuple):
    """A piece of one line; line and columns count from 0, columns in characters."""

    line: int
    start: int
    end: int


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[^\s,\[\]{}=#\"'.]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # the delimiter may follow on up to two quotes of the text
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


def locate(text: str) -> dict[KeyPath, Span]:
    """Every key, table header and array element of a valid TOML `text`, and where it is first written.

    Raises RecursionError where tomllib would, too.
    """
    return _Locator(text.replace("\r\n", "\n")).spans


class _Locator:
    def __init__(self, text: str) -> None:
        self.spans: dict[KeyPath, Span] = {}
        self._text, self._at = text, 0
        self._line, self._counted = 0, 0
        self._arrays: dict[KeyPath, int] = {}  # arrays of tables: how many there are so far
        table: KeyPath = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _skip_blank(self) -> bool:
        """Go to what comes next; false at the end."""
        self._at = self._end_of(_BLANK)
        return self._at < len(self._text)

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        return found.end() if found else self._at + 1

    def _header(self) -> KeyPath:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        names = self._dotted()
        self._at += 2 if is_array else 1
        parents: KeyPath = ()
        for name in names[:-1]:
            parents = self._current((*parents, name))
        path: KeyPath = (*parents, names[-1])
        if is_array:
            self._note(path, start)
            self._arrays[path] = self._arrays.get(path, 0) + 1
        path = self._current(path)
        self._note(path, start)
        return path

    def _current(self, path: KeyPath) -> KeyPath:
        """`path` itself, or the latest element where it is an array of tables."""
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = table
        for name in self._dotted():
            path = (*path, name)
            self._note(path, start)
        self._at += 1  # the equals sign
        self._skip_blank()
        self._value(path)

    def _dotted(self) -> list[str]:
        """The names of a key, up to what follows it (`=` or `]`)."""
        names = []
        while True:
            self._skip_blank()
            end = self._end_of(_STRING if self._text[self._at] in "\"'" else _BARE)
            names.append(_unquoted(self._text[self._at : end]))
            self._at = end
            self._skip_blank()
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._many(path, "]")
        elif opening == "{":
            self._many(path, "}")
        else:
            self._at = self._end_of(_STRING if opening in "\"'" else _SCALAR)

    def _many(self, path: KeyPath, closing: str) -> None:
        """An array's elements, or an inline table's pairs."""
        self._at += 1
        count = 0
        while self._skip_blank() and self._text[self._at] != closing:
            if self._text[self._at] == ",":
                self._at += 1
            elif closing == "}":
                self._pair(path)
            else:
                self._note((*path, count), self._at)
                self._value((*path, count))
                count += 1
        self._at += 1

    def _note(self, path: KeyPath, start: int) -> None:
        """`path` begins at `start`, and ends where we stand, or at the end of that line."""
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        line_start = self._text.rfind("\n", 0, start) + 1
        line_end = self._text.find("\n", start)
        end = max(start, min(self._at, line_end if line_end >= 0 else len(self._text)))
        self.spans.setdefault(path, Span(self._line, start - line_start, end - line_start))


def _unquoted(name: str) -> str:
    if name.startswith("'"):
        return name[1:-1]
    if name.startswith('"'):
        return _ESCAPE.sub(
            lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _ESCAPED.get(m[3], m[3]), name[1:-1]
        )
    return name
