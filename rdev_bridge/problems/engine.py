"""Runs patterns over lines the way VS Code does, as fast as RE2 finds their candidates.

As in VS Code, of all matchers that could end on a line the longest wins, then the one listed first; the lines that it
took are gone for the others; a looping last pattern goes on until a line breaks it. The lines of a problem may arrive
in different batches: what was found never depends on how the output was cut.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rdev_bridge.problems.block import Block
from rdev_bridge.problems.definition import MAX_MESSAGE, Captured, Definition, Pattern
from rdev_bridge.problems.problem import CycleBegan, CycleEnded, Event, Problem
from rdev_bridge.problems.regex import line_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdev_bridge.problems.regex import Regex

_SAMPLE = ("", "x", "    x", "src/main.c", "a b c 1 2 3", "[12:00:00] x: y", "    at f (x.js:1:2)", "- 1: x")


class PatternEngine:
    """One stream of lines against several definitions."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._definitions = sorted(
            (one for one in definitions if one.parser is None), key=lambda one: len(one.patterns), reverse=True
        )
        self._keep = max((len(one.patterns) for one in self._definitions), default=1) - 1
        self._tail: list[str] = []  # lines of earlier batches that may still begin a problem
        self._looping: tuple[Definition, Captured] | None = None
        self._growing: tuple[Regex, Problem] | None = None
        self._active = {
            id(one) for one in self._definitions if one.background is not None and one.background.active_on_start
        }

    def feed(self, block: Block) -> list[Event]:
        """What these lines complete, in their order."""
        known = len(self._tail)
        if known:
            block = Block(self._tail + block.lines, block.first - known)
        cycles, ends = self._candidates(block, known)
        events: list[Event] = []
        free = 0  # lines before this one belong to a problem already
        at = known  # while a problem goes on nothing is left of earlier batches: `known` is 0 then
        for number in sorted(cycles.keys() | ends.keys()):
            if self._looping or self._growing:
                at = free = self._go_on(block, at, events)
            if number < at:
                continue
            at = number
            if number in cycles and self._cycle(cycles[number], block.lines[number], block.first + number, events):
                at = free = number + 1
                continue
            for definition in ends.get(number, ()):
                first = number - len(definition.patterns) + 1
                if first >= free and self._take(
                    definition, block.lines[first : number + 1], block.first + number, events
                ):
                    at = free = number + 1
                    break
        if self._looping or self._growing:
            free = self._go_on(block, at, events)
        self._tail = block.lines[max(free, len(block.lines) - self._keep) :] if self._keep else []
        return events

    def _candidates(
        self, block: Block, known: int
    ) -> tuple[dict[int, list[tuple[Definition, bool]]], dict[int, list[Definition]]]:
        """By line: which cycles may begin (True) or end on it, and which definitions may have their last line there."""
        cycles: dict[int, list[tuple[Definition, bool]]] = defaultdict(list)
        ends: dict[int, list[Definition]] = defaultdict(list)
        for definition in self._definitions:
            background = definition.background
            if background:
                for regex, begins in ((background.begins, True), (background.ends, False)):
                    for number in block.hits(line_filter(regex), known):
                        cycles[number].append((definition, begins))
            index = _rarest(definition.patterns)
            behind = len(definition.patterns) - 1 - index
            for number in block.hits(line_filter(definition.patterns[index].regex)):
                if known <= number + behind < len(block.lines):
                    ends[number + behind].append(definition)
        return cycles, ends

    def _cycle(self, marks: list[tuple[Definition, bool]], line: str, number: int, events: list[Event]) -> bool:
        """Whether the line begins or ends a cycle; then it can be no problem."""
        told = False
        for definition, begins in marks:
            background = definition.background
            assert background is not None
            if begins and id(definition) not in self._active:
                self._active.add(id(definition))
                found = background.begins.match(line) or ()
                path = found[background.begins_file] if background.begins_file < len(found) else None
                events.append(CycleBegan(definition.owner, number, path or None))
                told = True
            elif not begins and id(definition) in self._active:
                self._active.discard(id(definition))
                events.append(CycleEnded(definition.owner, number))
                told = True
        return told

    def _take(self, definition: Definition, lines: list[str], number: int, events: list[Event]) -> bool:
        captured = Captured()
        before_last = captured
        for index, (pattern, line) in enumerate(zip(definition.patterns, lines, strict=True)):
            found = pattern.regex.match(line)
            if found is None:
                return False
            if index == len(lines) - 1:
                before_last = captured.copy()
            captured.take(pattern, found)
        problem = definition.problem(captured.values, number)
        if problem is None:
            return False
        if definition.more is not None:
            self._growing = (definition.more, problem)
            return True
        events.append(problem)
        if definition.loop:
            self._looping = (definition, before_last)
        return True

    def settle(self) -> list[Event]:
        """A problem that only waited for more of its message; more that comes after this is not its."""
        growing, self._growing = self._growing, None
        return [growing[1]] if growing else []

    def _go_on(self, block: Block, at: int, events: list[Event]) -> int:
        """The number of the first line from `at` on that does not belong to the problem before it."""
        while self._growing and at < len(block.lines):
            regex, problem = self._growing
            found = regex.match(block.lines[at])
            if found is None:
                events += self.settle()
            else:
                text, code = found[1] or "", found[2] if len(found) > 2 else None
                message = f"{problem.message}\n{text}"[:MAX_MESSAGE]
                self._growing = (regex, replace(problem, message=message, code=code or problem.code))
                at += 1
        return self._loop(block, at, events) if self._looping else at

    def _loop(self, block: Block, at: int, events: list[Event]) -> int:
        """Go on with the last pattern from line `at`; the number of the first line that is none of its."""
        while self._looping and at < len(block.lines):
            definition, before_last = self._looping
            found = definition.patterns[-1].regex.match(block.lines[at])
            problem: Problem | None = None
            if found is not None:
                captured = before_last.copy()
                captured.take(definition.patterns[-1], found)
                problem = definition.problem(captured.values, block.first + at)
            if problem is None:
                self._looping = None
                return at
            events.append(problem)
            at += 1
        return at


@lru_cache(maxsize=512)
def _rarest_of(regexes: tuple[Regex, ...]) -> int:
    matched = [sum(regex.match(line) is not None for line in _SAMPLE) for regex in regexes]
    return max(index for index, count in enumerate(matched) if count == min(matched))


def _rarest(patterns: tuple[Pattern, ...]) -> int:
    """Which of the patterns is worth searching for: the one that strange lines seldom match."""
    return 0 if len(patterns) == 1 else _rarest_of(tuple(pattern.regex for pattern in patterns))
