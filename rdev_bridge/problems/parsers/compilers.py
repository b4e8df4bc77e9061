"""GCC and Clang; rustc, cargo and the panics of Rust's tests; ShellCheck's own format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rdev_bridge.problems.definition import severity_of
from rdev_bridge.problems.parsers.reader import MAX_LINES, Reader
from rdev_bridge.problems.problem import ColumnUnit, FileLocation, Problem, Related, Severity
from rdev_bridge.problems.regex import compile_js

if TYPE_CHECKING:
    from collections.abc import Iterator


class Compiler(Reader):
    """Notes and instantiation stacks become related places, so that an error in a foreign header leads back home."""

    wake = (
        r"^(?:In file included from .|(?:[A-Za-z]:)?[^:]+:\d+:.*(?:error|warning|note|required (?:from|by))"
        r"|(?:g?make(?:\[\d+\])?|ninja): (?:Entering|Leaving) directory .)"
    )
    _complaint = (
        r"^((?:[A-Za-z]:)?[^:]+):(\d+):(?:(\d+):)?\s+(?:fatal\s+)?(error|warning|note|remark):\s+"
        r"(.*?)(?:\s+\[(-W[^\]]+)\])?$"
    )
    _moved = r"^(?:g?make(?:\[\d+\])?|ninja): (Entering|Leaving) directory [`'\"‘](.+)['\"’]$"
    _included = r"^(?:In file included from|\s+from) ((?:[A-Za-z]:)?[^:]+):(\d+)(?::(\d+))?[:,]$"
    _required = r"^((?:[A-Za-z]:)?[^:]+):(\d+):(?:(\d+):)?\s+(required (?:from|by) .*|  (?:recursively )?required .*)$"

    def __init__(self, source: str, unit: ColumnUnit) -> None:
        super().__init__()
        self._source, self._unit = source, unit
        self._before: list[Related] = []  # the way to the complaint that comes next
        self._open: Problem | None = None
        self._folders: list[str] = []  # where make says that it is, the innermost last

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        if line.startswith(" ") and not line.lstrip().startswith("from "):
            return  # the source line and its carets
        if moved := compile_js(self._moved).match(line) if " directory " in line else None:
            yield from self._end()
            self.awake, self._before = False, []
            self._move(moved[2] or "", enters=moved[1] == "Entering")
            return
        if found := compile_js(self._complaint).match(line):
            _, path, at, column, word, message, flag = found
            if word == "note" and self._open is not None:
                self._note(Related(path or "", int((at or "1")[:9]), message or "", _int(column)))
                self._before = []
                return
            yield from self._end()
            if word != "note":
                self._open = self._problem(found, number, flag)
                self._before = []
        elif found := compile_js(self._included).match(line):
            self._lead(Related(found[1] or "", int((found[2] or "1")[:9]), "included from here", leads=True))
        elif found := compile_js(self._required).match(line):
            message = (found[4] or "").strip()
            self._lead(Related(found[1] or "", int((found[2] or "1")[:9]), message, _int(found[3]), leads=True))
        else:
            yield from self._end()
            self.awake = bool(self._before)
            if ": In " not in line and ": At " not in line:  # GCC names the function in between
                self._before = []

    def _problem(self, found: tuple[str | None, ...], number: int, flag: str | None) -> Problem:
        return Problem(
            path=found[1] or "",
            line=int((found[2] or "1")[:9]),
            column=_int(found[3]),
            message=found[5] or "",
            severity=severity_of(found[4]) or Severity.INFO,
            code=flag,
            source=self._source,
            owner=self._source,
            unit=self._unit,
            location=FileLocation(told=self._folders[-1] if self._folders else None),
            related=tuple(self._before),
            output_line=number,
        )

    def _move(self, folder: str, *, enters: bool) -> None:
        if enters and len(self._folders) < MAX_LINES:
            self._folders.append(folder)
        elif not enters and folder in self._folders:  # with `make -j` the innermost is not always the first to leave
            del self._folders[len(self._folders) - 1 - self._folders[::-1].index(folder)]

    def _note(self, note: Related) -> None:
        if self._open and len(self._open.related) < MAX_LINES:
            self._open = replace(self._open, related=(*self._open.related, note))

    def _lead(self, place: Related) -> None:
        if len(self._before) < MAX_LINES:
            self._before.append(place)

    def _end(self) -> Iterator[Problem]:
        if self._open is not None:
            yield self._open
        self._open = None

    def settle(self) -> Iterator[Problem]:
        """Notes come at once or never."""
        return self._end()

    def finish(self) -> Iterator[Problem]:
        """The last complaint."""
        return self._end()


class Rust(Reader):
    """`error[E0308]: …`, its place, its notes; and `thread '…' panicked at …`."""

    wake = r"^(?:(?:error|warning)(?:\[[^\]]+\])?: .|thread '.*' .*panicked at .)"
    _header = r"^(error|warning)(?:\[([^\]]+)\])?: (.+)$"
    _arrow = r"^\s*(?:-->|:::) (.+?):(\d+):(\d+)$"
    _panic = r"^thread '(.*)' (?:\(\d+\) )?panicked at (?:'(.*)', )?([^']+?):(\d+):(\d+):?$"

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source
        self._open: Problem | None = None
        self._placed = False
        self._aside: str | None = None  # a note that may name a place of its own
        self._panicked = False

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        if header := compile_js(self._header).match(line) if line.startswith(("error", "warning")) else None:
            yield from self._end()
            self._begin(number, header[3] or "", severity_of(header[1]) or Severity.ERROR, header[2])
        elif panic := compile_js(self._panic).match(line) if line.startswith("thread '") else None:
            yield from self._end()
            self._begin(number, f"{panic[1]}: {panic[2]}" if panic[2] else f"{panic[1]}:", Severity.ERROR, "panic")
            self._panicked = not panic[2]
            self._place(panic[3] or "", panic[4] or "1", panic[5])
        elif not line or (self._panicked and line.startswith(("stack backtrace:", "note: "))):
            yield from self._end()
        elif self._panicked:
            self._say(line)
        else:
            self._detail(line)

    def _begin(self, number: int, message: str, severity: Severity, code: str | None) -> None:
        self._placed, self._panicked, self._aside = False, False, None
        self.awake = True
        self._open = Problem(
            path="",
            line=1,
            message=message,
            severity=severity,
            code=code,
            source=self._source,
            owner=self._source,
            unit=ColumnUnit.CHARACTERS,
            output_line=number,
        )

    def _detail(self, line: str) -> None:
        text = line.strip()
        if arrow := compile_js(self._arrow).match(line):
            self._place(arrow[1] or "", arrow[2] or "1", arrow[3])
        elif text.startswith(("= note: ", "= help: ")):
            self._say(text[2:])
        elif line.startswith(("note: ", "help: ")):
            self._aside = text
        elif self._open and self._open.column and self._open.end_column is None and self._aside is None:
            carets = compile_js(r"^\s*\|\s+[^\^]*?(\^+)(?:[- ].*)?$").match(line)
            if carets:
                self._open = replace(
                    self._open, end_line=self._open.line, end_column=self._open.column + len(carets[1] or "")
                )

    def _place(self, path: str, line: str, column: str | None) -> None:
        if self._open is None:
            return
        if not self._placed:
            self._placed = True
            self._open = replace(self._open, path=path, line=int(line[:9]), column=_int(column))
        elif len(self._open.related) < MAX_LINES:
            message = (self._aside or "see also").removeprefix("note: ").removeprefix("help: ")
            self._open = replace(
                self._open, related=(*self._open.related, Related(path, int(line[:9]), message, _int(column)))
            )

    def _say(self, text: str) -> None:
        if self._open and len(self._open.message) < 4096:
            self._open = replace(self._open, message=f"{self._open.message}\n{text}")

    def _end(self) -> Iterator[Problem]:
        if self._open is not None and self._placed:
            yield self._open
        self._open = None
        self.awake = self._panicked = False

    def finish(self) -> Iterator[Problem]:
        """The last complaint."""
        return self._end()


class ShellCheck(Reader):
    """ShellCheck's own format: a file and line, the source line, and carets under it."""

    wake = r"^In .+ line \d+:$"

    def __init__(self) -> None:
        super().__init__()
        self._path, self._line = "", 1
        self._text: str | None = None

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        if place := compile_js(r"^In (.+) line (\d+):$").match(line):
            self._path, self._line, self._text = place[1] or "", int((place[2] or "1")[:9]), None
        elif not line:
            self.awake = False
        elif self._text is None:
            self._text = line
        elif found := compile_js(r"^( *)\^(-*\^)?-* (SC\d+) \((\w+)\): (.*)$").match(line):
            indent = len(found[1] or "")
            yield Problem(
                path=self._path,
                line=self._line,
                column=_character_at(self._text, indent),
                end_line=self._line if found[2] else None,
                end_column=_character_at(self._text, indent + len(found[2])) + 1 if found[2] else None,
                message=found[5] or "",
                severity=severity_of(found[4]) or Severity.ERROR,
                code=found[3],
                source="shellcheck",
                owner="shellcheck",
                unit=ColumnUnit.CHARACTERS,
                output_line=number,
            )


def _character_at(text: str, cell: int) -> int:
    """The number (from 1) of the character at terminal cell `cell` (from 0), a tab reaching to the next eighth."""
    at = 0
    for number, character in enumerate(text, 1):
        at += 8 - at % 8 if character == "\t" else 1
        if at > cell:
            return number
    return len(text) + 1


def _int(digits: str | None) -> int | None:
    return int(digits[:9]) or None if digits else None
