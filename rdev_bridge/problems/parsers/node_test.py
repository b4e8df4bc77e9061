"""Node's own test runner (`node --test`): one problem for each test that failed, at its innermost frame that is ours.

Without a terminal it speaks TAP up to Node 22 and its `spec` form from Node 23 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdev_bridge.problems.parsers.javascript import take_frame
from rdev_bridge.problems.parsers.reader import Failure, Reader
from rdev_bridge.problems.regex import compile_js

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdev_bridge.problems.problem import Problem

_FRAME = r"^\s+(?:at )?(?:async )?(?:(.+) \()?(?:file://)?(.+?):(\d+):(\d+)\)?(?: \{)?$"
_QUOTED = (("\\'", "'"), ('\\"', '"'), ("\\\\", "\\"))


class _NodeTest(Reader):
    """What both forms share: a failure, and where its test stands, which is told before its frames."""

    def __init__(self) -> None:
        super().__init__()
        self._failure: Failure | None = None
        self._test = ("", "1", "1")

    def _frame(self, line: str) -> bool:
        """Take a frame of the stack; whether the line is one."""
        frame = compile_js(_FRAME).match(line)
        if frame and self._failure:
            take_frame(self._failure, frame)
        return frame is not None

    def finish(self) -> Iterator[Problem]:
        """The last test."""
        return self._end(self.number)

    def _end(self, number: int) -> Iterator[Problem]:
        failure, self._failure, self.awake = self._failure, None, False
        if failure is None:
            return
        if not failure.places and self._test[0]:
            path, line, column = self._test
            failure.place(path, line, "", column)
        problem = failure.problem("node-test", number)
        if problem:
            yield problem


class NodeSpec(_NodeTest):
    """`test at FILE:LINE:COLUMN`, `✖ test (1.2ms)`, then the error as `util.inspect` prints it, set in by two."""

    wake = r"^test at .+:\d+:\d+$"

    def __init__(self) -> None:
        super().__init__()
        self._framed = False  # the message is over

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        test = compile_js(r"^test at (.+):(\d+):(\d+)$").match(line)
        title = compile_js(r"^✖ (.+?)(?: \([\d.]+ms\))?$").match(line)
        if test:
            yield from self._end(number)
            self._failure, self._test = Failure(), (test[1] or "", test[2] or "1", test[3] or "1")
            self._framed = False
            self.awake = True
        elif self._failure is not None and title and not self._failure.title:
            self._failure.title = title[1] or ""
        elif line[:1].strip():
            if self._failure is not None and not self._failure.title:
                self._failure = None  # `⚠`: it was expected to fail
            yield from self._end(number)
        elif self._failure is not None:
            if self._frame(line):
                self._framed = True
            elif not self._framed:
                self._failure.say(line[2:] if self._failure.message else _unquoted(line[2:]))


class NodeTap(_NodeTest):
    """`not ok 1 - test`, and a block of YAML between `---` and `...`, set in by two more than that line."""

    wake = r"^\s*not ok \d+ - "

    def __init__(self) -> None:
        super().__init__()
        self._inset = 2
        self._key = self._name = ""

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line."""
        title = compile_js(r"^(\s*)not ok \d+ - (.+)$").match(line)
        if title:
            yield from self._end(number)
            self._inset = len(title[1] or "") + 2
            self._key, self._name, self._test = "", "", ("", "1", "1")
            is_expected = compile_js(r"^.* # (?:TODO|SKIP)\b.*$").match(title[2] or "") is not None
            self._failure = None if is_expected else Failure(title[2] or "")
            self.awake = True
        elif line == f"{' ' * self._inset}...":
            yield from self._end(number)
        elif self._failure is not None:
            self._read(self._failure, line)

    def _read(self, failure: Failure, line: str) -> None:
        pair = compile_js(r"^(\w+): ?(.*)$").match(line[self._inset :]) if line[: self._inset].isspace() else None
        if pair:
            self._key = pair[1] or ""
            self._value(failure, _unquoted(pair[2] or ""))
        elif self._key == "error":
            failure.say(line[self._inset + 2 :])
        elif self._key == "stack":
            self._frame(line)

    def _value(self, failure: Failure, value: str) -> None:
        place = compile_js(r"^(.+):(\d+):(\d+)$").match(value)
        if self._key == "error" and value != "|-":
            failure.say(value)
        elif self._key == "name":
            self._name = value
        elif self._key == "location" and place:
            self._test = (place[1] or "", place[2] or "1", place[3] or "1")
        elif self._key == "failureType" and value == "subtestsFailed":
            self._failure = None  # they have told of themselves

    def _end(self, number: int) -> Iterator[Problem]:
        if self._failure and self._name and self._failure.message:
            self._failure.message[0] = f"{self._name}: {self._failure.message[0]}"
        return super()._end(number)


def _unquoted(value: str) -> str:
    """A string as `util.inspect` quotes it; anything else as it stands."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"`":
        return value
    value = value[1:-1]
    for quoted, meant in _QUOTED:
        value = value.replace(quoted, meant)
    return value
