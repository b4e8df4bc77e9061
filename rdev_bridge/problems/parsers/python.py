"""pytest, unittest and plain Python tracebacks."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rdev_bridge.problems.parsers.reader import Failure, Reader
from rdev_bridge.problems.regex import compile_js

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdev_bridge.problems.problem import Problem

_FRAME = r'^\s*File "([^"]+)", line (\d+)(?:, in (.+))?$'
_EXCEPTION = r"^([A-Za-z_][\w.]*)(?::|$)"
_CHAINED = ("The above exception was the direct cause of", "During handling of the above exception")


class Pytest(Reader):
    """The sections ERRORS and FAILURES of pytest, in every `--tb` style: one problem for each test that failed.

    It stands where the innermost frame is, says the test and the whole assertion, and names the outer frames.
    """

    wake = r"^=+ (ERRORS|FAILURES) =+$"

    def __init__(self) -> None:
        super().__init__()
        self._failure = Failure()
        self._explained: list[str] = []  # the lines that pytest marks with E
        self._code: str | None = None
        self._captured = False  # what the test itself printed comes next
        self._titled = False
        self._native = False  # `--tb=native`: the exception's own lines have begun

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line of a section."""
        if line.startswith(("===", "!!!")):
            yield from self._end(number)
            self.awake = compile_js(self.wake).match(line) is not None
            self._titled = False
        elif line.startswith("___") and (title := compile_js(r"^_{3,} (.+) _{3,}$").match(line)):
            yield from self._end(number)
            self._failure = Failure((title[1] or "").removeprefix("ERROR at ").removeprefix("ERROR "))
            self._titled = True
        elif self._captured:
            return
        elif line.startswith("---") and compile_js(r"^-{3,} Captured .+ -{3,}$").match(line):
            self._captured = True
        elif line.startswith("E ") or line == "E":
            self._explain(line[1:])
        elif line.startswith((*_CHAINED, "Traceback (most")):
            self._explained.clear()
            self._native = False
        else:
            yield from self._place(line, number)

    def finish(self) -> Iterator[Problem]:
        """The last test of an output that broke off."""
        yield from self._end(self.number)

    def _explain(self, text: str) -> None:
        if len(self._explained) < 400:
            self._explained.append(text)
        frame = compile_js(_FRAME).match(text)  # a syntax error is where its own text says
        if frame:
            self._failure.place(frame[1] or "", frame[2] or "")

    def _place(self, line: str, number: int) -> Iterator[Problem]:
        if frame := compile_js(_FRAME).match(line):
            self._failure.place(frame[1] or "", frame[2] or "", frame[3] or "")
        elif self._native or (line[:1].isspace() and self._explained and not self._titled):
            self._explain(line if self._native else line[1:])
        elif line[:1].isspace():
            return
        elif place := compile_js(r"^((?:[A-Za-z]:[\\/])?[^\s:][^:=]*):(\d+): ?(.*)$").match(line):
            what = place[3] or ""
            if not what.startswith("in "):
                self._code = what.split(":")[0] or self._code
            self._failure.place(place[1] or "", place[2] or "", what)
            if not self._titled:  # `--tb=line`: such a line is all there is
                if not self._explained:
                    self._explained.append(what)
                yield from self._end(number)
        elif self._failure.places and not self._explained and compile_js(_EXCEPTION).match(line):
            self._native = True
            self._explain(line)

    def _end(self, number: int) -> Iterator[Problem]:
        failure, self._failure = self._failure, Failure()
        said = textwrap.dedent("\n".join(self._explained))
        failure.say(said)
        names = [found[1] for text in said.split("\n") if (found := compile_js(_EXCEPTION).match(text))]
        code = next((name for name in (self._code, *names) if name and name.replace(".", "").isidentifier()), None)
        problem = failure.problem("pytest", number, code)
        self._explained, self._code, self._captured, self._native = [], None, False, False
        if problem:
            yield problem


class Traceback(Reader):
    """Tracebacks as Python itself prints them, with the titles that unittest puts before them."""

    wake = r"^(?:Traceback \(most recent call last\):|(?:FAIL|ERROR): .+)$"
    source = "python"
    ruled = False  # whether a ruler ends a message; else a blank line or the next traceback does

    def __init__(self) -> None:
        super().__init__()
        self._failure = Failure()
        self._said = False  # the exception's own lines have begun

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line from a title, or from `Traceback`, to the line that ends the message."""
        if line.startswith(("FAIL: ", "ERROR: ")):
            yield from self._end(number)
            self.awake = True
            self._failure.title = line.split(": ", 1)[1].split(" (")[0]
        elif line.startswith("Traceback (most"):
            if self._said and not self.ruled:
                yield from self._end(number)
                self.awake = True
            self._failure.message.clear()  # chained: what counts is the last one
            self._said = False
        elif frame := compile_js(_FRAME).match(line) if line.lstrip().startswith("File ") else None:
            self._failure.place(frame[1] or "", frame[2] or "", frame[3] or "")
        elif not self._said:
            if not line[:1].isspace() and compile_js(_EXCEPTION).match(line) and self._failure.places:
                self._said = True
                self._failure.say(line)
        elif line.startswith(_CHAINED):
            self._said = False
        elif self._ends(line):
            yield from self._end(number)
        else:
            self._failure.say(line)

    def _ends(self, line: str) -> bool:
        return not line

    def finish(self) -> Iterator[Problem]:
        """A traceback is often the last thing that a program says."""
        yield from self._end(self.number)

    def settle(self) -> Iterator[Problem]:
        """The same, while something else goes on."""
        if self._said:
            yield from self._end(self.number)

    def _end(self, number: int) -> Iterator[Problem]:
        failure, self._failure = self._failure, Failure()
        self._said = self.awake = False
        code = failure.message[0].split(":")[0] if failure.message else None
        problem = failure.problem(self.source, number, code)
        if problem and failure.message:
            yield problem


class Unittest(Traceback):
    """The same; a message may hold blank lines, since a ruler ends it, or a runner of somebody's own that has none."""

    source = "unittest"
    ruled = True

    def _ends(self, line: str) -> bool:
        return line.startswith(("=" * 70, "-" * 70)) or compile_js(r"^Ran \d+ tests? in ").match(line) is not None

    def settle(self) -> Iterator[Problem]:
        """A ruler always comes."""
        return iter(())
