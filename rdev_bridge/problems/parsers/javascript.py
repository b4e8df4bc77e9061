"""Jest and Vitest: one problem for each test that failed, at the innermost frame that is not of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdev_bridge.problems.parsers.reader import Failure, Reader
from rdev_bridge.problems.regex import compile_js

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdev_bridge.problems.problem import Problem

_FOREIGN = ("node_modules/", "node_modules\\", "node:", "<anonymous>", "internal/")


def take_frame(failure: Failure, frame: tuple[str | None, ...]) -> None:
    """A frame of a stack, as (the whole, function, path, line, column); a library's and Node's own do not count."""
    _, function, path, line, column = frame
    if not any(part in (path or "") for part in _FOREIGN):
        failure.places.insert(0, Failure.at((path or "").removeprefix("async "), line or "1", function or "", column))


class Jest(Reader):
    """`● suite › test`, the message, a code frame, and the stack."""

    wake = r"^\s*(?:● .|FAIL )"

    def __init__(self) -> None:
        super().__init__()
        self._failure: Failure | None = None
        self._file = ""
        self._framed = False  # the message is over: code and stack follow

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        text = line.strip()
        if text.startswith("● ") and line.startswith(" "):
            yield from self._end(number)
            self._failure, self._framed = Failure(text[2:]), False
            self.awake = True
        elif line.startswith(("FAIL ", "PASS ", "Test Suites:", "Summary of all")):
            yield from self._end(number)
            file = compile_js(r"^FAIL (.+?)(?: \([\d.]+ m?s\))?$").match(line)
            self._file = (file[1] or "").split(" ")[-1] if file else ""
            self.awake = False
        elif self._failure is not None:
            self._read(line, text)

    def _read(self, line: str, text: str) -> None:
        failure = self._failure
        assert failure is not None
        frame = compile_js(r"^\s+at (?:(.*) \()?(.+?):(\d+):(\d+)\)?$").match(line)
        if frame:
            self._framed = True
            take_frame(failure, frame)
        elif compile_js(r"^\s*>?\s*\d+ \|").match(line):
            self._framed = True
        elif not self._framed and not compile_js(r"^\s*\|").match(line):
            if failure.message or text:
                failure.say(line.removeprefix("    "))
            syntax = compile_js(r"^SyntaxError: (.+?): .*\((\d+):(\d+)\)$").match(text)
            if syntax:
                failure.place(syntax[1] or "", syntax[2] or "1", "", str(int(syntax[3] or "0") + 1))

    def finish(self) -> Iterator[Problem]:
        """The last test."""
        return self._end(self.number)

    def _end(self, number: int) -> Iterator[Problem]:
        failure, self._failure = self._failure, None
        if failure is None:
            return
        if not failure.places and self._file:
            failure.place(self._file, "1")  # a suite that did not run names no place of its own
        problem = failure.problem("jest", number)
        if problem:
            yield problem


class Vitest(Reader):
    """` FAIL  file > suite > test`, the message, and `❯` before each frame."""

    wake = r"^\s*FAIL\s+\S"

    def __init__(self) -> None:
        super().__init__()
        self._failure: Failure | None = None
        self._file = ""

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        title = compile_js(r"^\s*FAIL\s+(.+?)(?: \[ .+ \])?$").match(line)
        if title:
            yield from self._end(number)
            self._file, *names = (title[1] or "").removeprefix("|").split(" > ")
            self._failure = Failure(" > ".join(names) or self._file)
            self.awake = True
        elif line.startswith("⎯") or compile_js(r"^\s+Test Files\s").match(line):
            yield from self._end(number)
            self.awake = False
        elif self._failure is not None:
            self._read(self._failure, line)

    @staticmethod
    def _read(failure: Failure, line: str) -> None:
        frame = compile_js(r"^\s*❯ (?:(.+) )?(.+?):(\d+):(\d+)$").match(line)
        if frame:
            take_frame(failure, frame)
        elif not failure.places:
            failure.say(line)

    def finish(self) -> Iterator[Problem]:
        """The last test."""
        return self._end(self.number)

    def _end(self, number: int) -> Iterator[Problem]:
        failure, self._failure = self._failure, None
        if failure is None:
            return
        if not failure.places:
            failure.place(self._file, "1")
        problem = failure.problem("vitest", number)
        if problem:
            yield problem
