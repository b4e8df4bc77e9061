"""What all readers share: asleep until a line wakes them (RE2 finds it in bulk), then line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rdev_bridge.problems.definition import MAX_MESSAGE
from rdev_bridge.problems.problem import Problem, Related
from rdev_bridge.problems.regex import compile_js, line_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdev_bridge.problems.block import Block

MAX_LINES = 400
"""Lines of one message, and places that belong to one problem, that are kept."""


class Reader:
    """`wake` is a JavaScript pattern for the lines that begin something; `step` reads a line and says what it ends."""

    wake: ClassVar[str]

    def __init__(self) -> None:
        self.awake = False
        self.number = 0
        """Of the line that was read last."""

    def feed(self, block: Block) -> Iterator[Problem]:
        """See `definition.Parser`."""
        wakes = block.hits(line_filter(compile_js(self.wake)))
        waking = next(wakes, None)
        number = 0
        while number < len(block.lines):
            while waking is not None and waking < number:
                waking = next(wakes, None)
            if not self.awake:
                if waking is None:
                    return
                number = waking
                self.awake = True
            self.number = block.first + number
            yield from self.step(block.lines[number], self.number)
            number += 1

    def step(self, line: str, number: int) -> Iterator[Problem]:
        """Read one line; sets `awake` to False where only a waking line can matter next."""
        raise NotImplementedError

    def settle(self) -> Iterator[Problem]:
        """See `definition.Parser`; most readers can only wait."""
        return iter(())

    def finish(self) -> Iterator[Problem]:
        """See `definition.Parser`."""
        return iter(())


class Failure:
    """One failure while it is read: its message and the places it names, the innermost last."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.message: list[str] = []
        self.places: list[Related] = []

    def say(self, line: str) -> None:
        """Add a line to the message."""
        if len(self.message) < MAX_LINES:
            self.message.append(line)

    def place(self, path: str, line: str, message: str = "", column: str | None = None) -> None:
        """Add a place; of very many the first and the last ones are kept."""
        if len(self.places) >= MAX_LINES:
            del self.places[MAX_LINES // 2]
        self.places.append(self.at(path, line, message, column))

    @staticmethod
    def at(path: str, line: str, message: str = "", column: str | None = None) -> Related:
        """A place from captured digits."""
        return Related(path, _number(line), message, _number(column) if column else None, leads=True)

    def problem(self, source: str, number: int, code: str | None = None) -> Problem | None:
        """The whole as a problem at its innermost place; None where it named no place."""
        if not self.places:
            return None
        *outer, inner = self.places
        return Problem(
            path=inner.path,
            line=inner.line,
            column=inner.column,
            message=self.text()[:MAX_MESSAGE],
            code=code,
            source=source,
            owner=source,
            related=tuple(outer),
            output_line=number,
        )

    def text(self) -> str:
        """Title and message without the blank lines around them."""
        said = "\n".join(self.message).strip()
        return ": ".join(part for part in (self.title, said) if part) or "failed"


def _number(digits: str) -> int:
    return max(1, min(int(digits[:10]), 2**31 - 1))
