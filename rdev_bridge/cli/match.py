"""`rdev-bridge match`: what a problem matcher makes of a saved output, and why a line came to nothing."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from rdev_bridge.cli import options
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rdev_bridge.problems.locate import Locator
    from rdev_bridge.problems.matchers import Matcher
    from rdev_bridge.problems.problem import Problem

_SLICE_LINES = 5000
_SHOWN_MISSES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `match`."""
    parser.usage = "rdev-bridge match [OPTION]... TASK|MATCHER [FILE]"
    parser.epilog = "MATCHER is a built-in's name, with or without $, or a VS Code problemMatcher as JSON."
    options.add_folder(parser)
    parser.add_argument(
        "--explain", action="store_true", help="say of every line that looks like a problem why it is none"
    )
    parser.add_argument("matcher", metavar="TASK|MATCHER", help="a task with a problem_matcher, or a matcher")
    parser.add_argument("file", metavar="FILE", nargs="?", help="the saved output (default: standard input)")


def run(args: argparse.Namespace) -> int:
    """Print the problems on stdout, what came to nothing on stderr. Exits 0 however many there were."""
    from rdev_bridge.problems.explain import Explainer

    matcher, locator = _matcher_of(args)
    explainer = Explainer(matcher.definitions)
    found: Counter[str] = Counter()
    misses = number = 0
    slices = _slices(args.file)
    lines = next(slices, [])
    while lines or not number:
        following = next(slices, [])
        problems = matcher.feed(lines) + ([] if following else matcher.finish())
        for problem in problems:
            found[problem.severity.name.lower()] += 1
            print(_said(problem, locator))
        ends = {problem.output_line + 1 for problem in problems}
        for miss in explainer.feed(lines, ends, last=not following):
            misses += 1
            if args.explain or misses <= _SHOWN_MISSES:
                print(f"line {miss.line}: {visible(miss.text[:200])}\n    no problem: {miss.reason}", file=sys.stderr)
        number += len(lines)
        if not following:
            break
        lines = following
    _conclude(found, number, misses, explained=args.explain)
    return 0


def _matcher_of(args: argparse.Namespace) -> tuple[Matcher, Locator | None]:
    from rdev_bridge.problems import matchers

    word: str = args.matcher
    if word.startswith(("{", "[")):
        return matchers.resolve(_json(word)), None
    root = options.root_of(args)
    from rdev_bridge.settings import load_workspace

    workspace = load_workspace(root)
    task = workspace.tasks.get(word)
    if task is None:
        return matchers.resolve(_name(word, workspace.tasks)), None
    if not task.problem_matcher:
        raise UsageError(f"task {word!r} has no problem_matcher; name one: rdev-bridge match MATCHER")
    from rdev_bridge.core.paths import PathMap
    from rdev_bridge.problems.definition import MatcherError
    from rdev_bridge.problems.locate import Locator

    paths = PathMap(root, task.remote_root or workspace.remote_root, workspace.paths)
    try:
        return matchers.resolve(task.problem_matcher), Locator(paths, task.cwd)
    except MatcherError as error:
        raise workspace.error(("tasks", word, *error.keys), error.problem) from None


def _name(word: str, tasks: Any) -> str:
    """`word` if it names a matcher. Raises UsageError with the nearest tasks and matchers."""
    import difflib

    from rdev_bridge.problems.builtin import names

    bare = word.removeprefix("$")
    if bare in names():
        return bare
    near = difflib.get_close_matches(bare, [*tasks, *names()], n=3, cutoff=0.5)
    known = f"did you mean {' or '.join(near)}?" if near else f"matchers are {', '.join(names())}"
    raise UsageError(f"there is no task and no matcher {word!r}; {known}")


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"that is no JSON: {error}") from None


def _slices(file: str | None) -> Iterator[list[str]]:
    """The clean lines in portions."""
    from rdev_bridge.problems.ansi import Cleaner

    if file is None and sys.stdin.isatty():
        print("reading the output from the terminal; end it with Ctrl-D", file=sys.stderr)
    cleaner = Cleaner()
    try:
        with open(file or sys.stdin.fileno(), encoding="utf-8", errors="replace", newline="\n") as text:  # noqa: PTH123
            while lines := [line.removesuffix("\n") for line in islice(text, _SLICE_LINES)]:
                yield cleaner.feed(lines)
    except OSError as error:
        raise RdevError(f"{file or 'stdin'} cannot be read: {error.strerror}") from None


def _said(problem: Problem, locator: Locator | None) -> str:
    place = ":".join(str(part) for part in (problem.path, problem.line, problem.column) if part is not None)
    code = f" [{problem.code}]" if problem.code else ""
    said = f"{place}: {problem.severity.name.lower()}: {problem.message}{code}"
    if locator is not None and locator.locate(problem.path, problem.location) is None:
        said += "\n(no file of this workspace: it stays in the output)"
    said = "\n".join([said, *(f"{one.path}:{one.line}: {one.message}" for one in problem.related)])
    return "\n    ".join(map(visible, said.split("\n")))


def _conclude(found: Counter[str], lines: int, misses: int, *, explained: bool) -> None:
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
    left = misses - _SHOWN_MISSES
    if left > 0 and not explained:
        print(f"… and {left} more such lines; --explain shows them", file=sys.stderr)
    many = "1 problem" if found.total() == 1 else f"{found.total()} problems"
    print(f"{many}{f' ({kinds})' if kinds else ''} in {lines} lines", file=sys.stderr)
