"""What a user who names a task says yes to: the code that it runs, and where. Nothing that came later is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdev_bridge.model import Task


def meaning(task: Task, tasks: Mapping[str, Task]) -> dict[str, tuple[object, ...]]:
    """What decides which code runs, of `task` and of all that it depends on, by name. Equal means the same consent.

    `tasks` are those of its folder by name; one that is not there runs nothing.
    """
    found: dict[str, tuple[object, ...]] = {}
    pending = [task]
    while pending:
        one = pending.pop()
        if one.name not in found:
            where = one.server, one.project, one.remote_root, one.cwd
            found[one.name] = one.command, where, dict(one.env), one.sync, one.depends_on
            pending += [tasks[name] for name in one.depends_on if name in tasks]
    return found
