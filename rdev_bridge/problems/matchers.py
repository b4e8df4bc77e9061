"""From what a task's `problem_matcher` says to something that reads its output."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rdev_bridge.problems import builtin
from rdev_bridge.problems.block import Block
from rdev_bridge.problems.definition import MatcherError
from rdev_bridge.problems.engine import PatternEngine
from rdev_bridge.problems.problem import ApplyTo, Event, Problem
from rdev_bridge.problems.vscode import matcher_from_vscode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rdev_bridge.errors import SettingsError
    from rdev_bridge.problems.definition import Definition
    from rdev_bridge.settings import Workspace


def resolve(spec: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]) -> Matcher:
    """A fresh matcher for names (with or without `$`), VS Code objects, or several of either.

    Raises MatcherError that says which of them is wrong, and where: `problem_matcher[1].pattern.regexp: …`.
    """
    items = [spec] if isinstance(spec, str | Mapping) else list(spec)
    found: list[Definition] = []
    for index, item in enumerate(items):
        try:
            if isinstance(item, str):
                found += named(item)
            elif isinstance(item, Mapping):
                found += matcher_from_vscode(item, named)
            else:
                raise MatcherError("must be a name or a VS Code problemMatcher object")
        except MatcherError as error:
            raise error.under("problem_matcher", *([index] if len(items) > 1 else [])) from None
    return Matcher(found)


def wrong_in(workspace: Workspace, tasks: Collection[str] | None = None) -> Iterator[SettingsError]:
    """What is wrong with the matchers of a workspace's tasks (None: of all), at its place in the file."""
    for task in [task for name, task in workspace.tasks.items() if tasks is None or name in tasks]:
        try:
            resolve(task.problem_matcher)
        except MatcherError as error:
            yield workspace.error(("tasks", task.name, *error.keys), error.problem)


def named(name: str) -> tuple[Definition, ...]:
    """The built-in called `name`, with or without `$`. Raises MatcherError with the nearest names."""
    bare = name.removeprefix("$")
    try:
        return builtin.definitions(bare)
    except KeyError:
        near = difflib.get_close_matches(bare.lower(), builtin.names(), n=3, cutoff=0.6)
        known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(builtin.names())}"
        raise MatcherError(f"there is no matcher {name!r}; {known}") from None


class Matcher:
    """Reads one stream of clean lines (see `ansi.py`) in any portions. Nothing in it grows with the output."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.definitions = tuple(definitions)
        self._engine = PatternEngine(self.definitions)
        self._parsers = [(one, one.parser()) for one in self.definitions if one.parser is not None]
        self._seen = 0

    def fresh(self) -> Matcher:
        """Another one of the same kind that has read nothing yet; patterns are not compiled again."""
        return Matcher(self.definitions)

    def feed(self, lines: list[str]) -> list[Problem]:
        """The problems that these lines complete."""
        return [event for event in self.events(lines) if isinstance(event, Problem)]

    def events(self, lines: list[str]) -> list[Event]:
        """The same with the beginnings and ends of cycles, in the order of the output."""
        block = Block(lines, self._seen)
        self._seen += len(lines)
        events = self._engine.feed(block)
        for definition, parser in self._parsers:
            events += [_as_defined(definition, problem) for problem in parser.feed(block)]
        events.sort(key=lambda event: event.output_line)
        return events

    def settle(self) -> list[Problem]:
        """Output pauses: problems that only waited for lines that might have added to them."""
        waiting = [event for event in self._engine.settle() if isinstance(event, Problem)]
        return waiting + [_as_defined(one, problem) for one, parser in self._parsers for problem in parser.settle()]

    def finish(self) -> list[Problem]:
        """Output is over: what is left."""
        return self.settle() + [
            _as_defined(one, problem) for one, parser in self._parsers for problem in parser.finish()
        ]


def _as_defined(definition: Definition, problem: Problem) -> Problem:
    """What a reader found, with what the definition (perhaps one with a `base`) says of it."""
    return replace(
        problem,
        owner=definition.owner,
        source=definition.source or problem.source,
        location=replace(definition.location, told=problem.location.told),
        apply_to=definition.apply_to if definition.apply_to is not ApplyTo.ALL else problem.apply_to,
        path=problem.path.strip(),
    )
