"""The order of `depends_on`: each task once, in parallel where it can, nothing more after the first failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def find_cycle(depends_on: Mapping[str, Iterable[str]]) -> tuple[str, ...] | None:
    """The first cycle as its path, closed: `("build", "lint", "build")`; None where there is none.

    Names that are no key of `depends_on` are taken as tasks without dependencies.
    """
    done: set[str] = set()
    for root in depends_on:
        path: dict[str, None] = {}  # an ordered set
        stack = [(root, iter(depends_on[root]))] if root not in done else []
        path.update((name, None) for name, _ in stack)
        while stack:
            name, rest = stack[-1]
            following = next((child for child in rest if child not in done), None)
            if following is None:
                stack.pop()
                del path[name]
                done.add(name)
            elif following in path:
                names = list(path)
                return (*names[names.index(following) :], following)
            else:
                path[following] = None
                stack.append((following, iter(depends_on.get(following, ()))))
    return None


def show_path(cycle: Iterable[str]) -> str:
    """A cycle in words: `build → lint → build`."""
    return " → ".join(cycle)


class Plan:
    """One walk through the dependencies of `root`, which comes last.

    Start what `ready` names, tell `finished`, ask again, until `over`. After a failure nothing more becomes ready and
    what is in `running` should be cancelled; the walk is over once each of those was told finished too.
    Raises KeyError for a name that `depends_on` lacks and ValueError for a cycle, with its path.
    """

    def __init__(self, root: str, depends_on: Mapping[str, Iterable[str]]) -> None:
        self._missing: dict[str, set[str]] = {}
        unseen = [root]
        while unseen:
            name = unseen.pop()
            if name not in self._missing:
                self._missing[name] = set(depends_on[name])
                unseen += reversed(list(depends_on[name]))
        cycle = find_cycle(self._missing)
        if cycle:
            raise ValueError(show_path(cycle))
        self.root = root
        self._running: dict[str, None] = {}
        self._failed: str | None = None

    @property
    def running(self) -> tuple[str, ...]:
        """What was handed out and has not finished."""
        return tuple(self._running)

    @property
    def failed(self) -> str | None:
        """The first task that failed."""
        return self._failed

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will."""
        return not self._running and (self._failed is not None or not self._missing)

    def ready(self) -> tuple[str, ...]:
        """The tasks that may start now, each named once in the plan's life."""
        if self._failed is not None:
            return ()
        found = tuple(name for name, missing in self._missing.items() if not missing)
        for name in found:
            del self._missing[name]
            self._running[name] = None
        return found

    def finished(self, name: str, *, ok: bool) -> None:
        """The task ended; `ok` is false for anything but success. Raises KeyError where it was not running."""
        del self._running[name]
        if not ok:
            self._failed = self._failed or name
            return
        for missing in self._missing.values():
            missing.discard(name)
