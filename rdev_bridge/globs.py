"""The `watch` patterns of a task: gitignore's language plus braces, relative to the folder of the `rdev.toml`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rdev_bridge.errors import UsageError
from rdev_bridge.gitpattern import translated
from rdev_bridge.ignore import Patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MOST_ALTERNATIVES = 1000


def compile_globs(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A test for paths relative to the folder, with `/`; no pattern at all matches everything.

    As in a `.gitignore`: `*.py` matches at any depth, `src/*.py` in that folder alone, `src/**/*.py` below it, `src/`
    all of it, and a later `!pattern` takes files out again. `{a,b}` are alternatives. Raises UsageError naming the
    pattern.
    """
    written = list(patterns)
    if not written:
        return lambda _: True
    if all(pattern.startswith("!") for pattern in written):
        written.insert(0, "*")
    compiled = _compiled([line for pattern in written for line in _checked(pattern)])
    return compiled.takes


def check_glob(pattern: str) -> None:
    """Raises UsageError where `compile_globs` would, without its engine, which is slow to import."""
    for line in _checked(pattern):
        _translated(line)


def _compiled(lines: list[str]) -> Patterns:
    for line in lines:
        _translated(line)
    return Patterns(lines)


def _translated(line: str) -> None:
    try:
        translated(line)
    except ValueError as error:
        raise UsageError(f"{line!r} is no pattern that can be watched: {error}") from None


def _checked(pattern: str) -> list[str]:
    bare = pattern.removeprefix("!").removeprefix("./")
    if not bare.strip() or bare.startswith("#"):
        raise UsageError(f"{pattern!r} is no pattern that can be watched")
    if ".." in bare.split("/"):
        raise UsageError(f"{pattern!r} leaves the workspace; only files inside it can be watched")
    return [("!" if pattern.startswith("!") else "") + alternative for alternative in _expand(bare)]


def _expand(pattern: str) -> list[str]:
    done, todo = [], [pattern]
    while todo:
        one = todo.pop()
        braces = _BRACES.search(one)
        if braces is None:
            done.append(one)
        else:
            todo += [one[: braces.start()] + word + one[braces.end() :] for word in reversed(braces[1].split(","))]
        if len(done) + len(todo) > _MOST_ALTERNATIVES:
            raise UsageError(f"{pattern!r} has more than {_MOST_ALTERNATIVES} alternatives")
    return done
