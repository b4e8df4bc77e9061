"""Output as it stands on a screen in the end: no escape sequences, and of a line that was overwritten what stays.

`10%\\r20%\\rdone` reads `done`. Within a line carriage return, backspace, erase-in-line and horizontal moves are
obeyed (ECMA-48, sections 8.3.7, 8.3.41, 8.3.9 and others); all other sequences just go. A control string (OSC, DCS)
that no terminator ends goes on into the next lines, but not for ever.
"""

from __future__ import annotations

import re

MAX_STRING_LINES = 64
"""Lines that an unterminated control string may take with it."""

_MAX_CELLS = 4 * 1024
"""How far a sequence may move; no terminal is wider."""

_MAX_CHARS = 128 * 1024
"""Of a longer line only the end is looked at, which decides what stays on the screen."""

_PLAIN_ASCII = bytes([0x09, *range(0x20, 0x7F)])
_SPECIAL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_STRING_END = re.compile("\x07|\x1b\\\\|\x9c")
_TOKEN = re.compile(
    "(?P<text>[^\x00-\x08\x0a-\x1f\x7f-\x9f]+)"
    "|(?P<move>\r|\b)"
    "|(?:\x1b\\[|\x9b)(?P<params>[0-?]*)[ -/]*(?P<final>[@-~])"
    "|(?P<string>\x1b[\\]PX^_])"
    "|[\x90\x98\x9d-\x9f][^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"
    "|(?P<other>.)",
    re.DOTALL,
)


class Cleaner:
    """One stream. How its lines are grouped into calls makes no difference."""

    def __init__(self) -> None:
        self._string_lines = 0  # how many more lines an open control string may take; 0: none is open

    def feed(self, lines: list[str]) -> list[str]:
        """The same lines as they look. A line that holds a line feed of its own becomes several."""
        if not self._string_lines:
            text = "".join(lines)
            if text.isascii():
                if not text.encode().translate(None, _PLAIN_ASCII):
                    return lines
            elif not _SPECIAL.search(text):
                return lines
        return [clean for line in lines for part in line.split("\n") for clean in self._line(part)]

    def _line(self, line: str) -> list[str]:
        """One line without line feed; none where a control string holds all of it."""
        if self._string_lines:
            end = _STRING_END.search(line)
            if end is None:
                self._string_lines -= 1
                return []
            self._string_lines = 0
            line = line[end.end() :]
        if _SPECIAL.search(line) is None:
            return [line]
        return [self._seen(line.rstrip("\r")[-_MAX_CHARS:])]

    def _seen(self, line: str) -> str:
        cells = _Cells()
        at, position = 0, 0
        while position < len(line):
            token = _TOKEN.match(line, position)
            assert token is not None  # `other` takes anything
            position = token.end()
            if text := token["text"]:
                cells.write(at, text)
                at += len(text)
            elif token["move"]:
                at = 0 if token["move"] == "\r" else max(0, at - 1)
            elif token["final"]:
                at = _obey(token["final"], token["params"], cells, at)
            elif token["string"]:
                end = _STRING_END.search(line, position)
                if end is None:
                    self._string_lines = MAX_STRING_LINES
                    break
                position = end.end()
        return cells.text()


class _Cells:
    """The characters of one line. What is erased from the left is only noted, so that no work is done twice."""

    def __init__(self) -> None:
        self._cells: list[str] = []
        self._erased: list[int] = []  # up to which column, one for each time
        self._written: list[int] = []  # how many of these came before each cell; kept once there was a first one

    def write(self, at: int, text: str) -> None:
        cells = self._cells
        if at > len(cells):
            cells += " " * (at - len(cells))
        cells[at : at + len(text)] = text
        if self._erased:
            self._written += [0] * (at - len(self._written))
            self._written[at : at + len(text)] = [len(self._erased)] * len(text)

    def erase_right(self, at: int) -> None:
        del self._cells[at:], self._written[at:]

    def erase_left(self, at: int | None) -> None:
        """Up to and with column `at`; None: all."""
        if not self._erased:
            self._written = [0] * len(self._cells)
        self._erased.append(len(self._cells) if at is None else at)

    def text(self) -> str:
        if not self._erased:
            return "".join(self._cells)
        reach, furthest = [-1], -1  # of all erasures from one on
        for at in reversed(self._erased):
            furthest = max(furthest, at)
            reach.append(furthest)
        reach.reverse()
        gone = [column <= reach[before] for column, before in enumerate(self._written)]
        while gone and gone[-1]:
            gone.pop()
        return "".join(" " if erased else cell for cell, erased in zip(self._cells, gone, strict=False))


def _obey(final: str, params: str, cells: _Cells, at: int) -> int:
    """What a CSI sequence does to one line; the new position."""
    first = params.split(";")[0]
    number = min(int(first), _MAX_CELLS) if first.isascii() and first.isdigit() else 0
    if final == "K":
        if number == 0:
            cells.erase_right(at)
        else:
            cells.erase_left(None if number == 2 else at)
    elif final == "C":
        return min(at + max(1, number), _MAX_CELLS)
    elif final == "D":
        return max(0, at - max(1, number))
    elif final == "G":
        return max(0, number - 1)
    return at
