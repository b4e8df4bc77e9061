"""`rdev/tasks`, and how an editor names a task: by its id, or by its bare name where that is enough."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rdev_bridge.model import Task


class TaskIndex:
    """The tasks of all open folders under ids that a person can read and type.

    A task's id is its name. Where two folders have tasks of one name, `folder:name`; where the folders' names
    are the same too, the folder's whole path stands before the colon.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks: dict[str, Task] = {}
        listed = list(tasks)
        names = Counter(task.name for task in listed)
        folders = Counter((task.folder.name, task.name) for task in listed)
        for task in listed:
            if names[task.name] == 1:
                task_id = task.name
            elif folders[task.folder.name, task.name] == 1:
                task_id = f"{task.folder.name}:{task.name}"
            else:
                task_id = f"{task.folder}:{task.name}"
            self.tasks[task_id] = task

    def find(self, wanted: str, folder: Path | None = None, order: Sequence[Path] = ()) -> Task:
        """The task of this id or name; with `folder`, of that folder alone.

        A bare name that several folders have means the first folder's, in the editor's order. Raises UsageError with
        the nearest known id.
        """
        if folder is None and wanted in self.tasks:
            return self.tasks[wanted]
        named = [
            task
            for task_id, task in self.tasks.items()
            if wanted in (task.name, task_id) and (folder is None or task.folder == folder)
        ]
        if named:
            return min(named, key=lambda task: order.index(task.folder) if task.folder in order else len(order))
        raise UsageError(f"there is no task {wanted!r}{self._hint(wanted)}")

    def _hint(self, wanted: str) -> str:
        near = difflib.get_close_matches(wanted, self.tasks, n=1, cutoff=0.5)
        if near:
            return f"; did you mean {near[0]!r}?"
        if self.tasks:
            return f"; known are {', '.join(sorted(self.tasks)[:8])}"
        return "; no rdev.toml of this workspace has one (`rdev-bridge init` writes one)"
