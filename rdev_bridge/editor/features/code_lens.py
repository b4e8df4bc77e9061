"""`textDocument/codeLens`: what can be done with each task, above its table in `rdev.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdev_bridge.model import RunState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from rdev_bridge.model import Run, Task


def lenses(
    path: Path, tasks: Mapping[str, Task], watched: Collection[str], runs: Iterable[Run]
) -> list[dict[str, Any]]:
    """The lenses of the file `path`: run, watch, and cancel for each run that has not ended (LSP `CodeLens[]`)."""
    active = [run for run in runs if run.state is not RunState.FINISHED]
    return [
        {"range": _line(task.location.line), "command": command}
        for task_id, task in tasks.items()
        if task.location is not None and task.location.path == path
        for command in _commands(task_id, task, task_id in watched, active)
    ]


def _commands(task_id: str, task: Task, is_watched: bool, active: Iterable[Run]) -> Iterable[dict[str, Any]]:
    yield {"title": f"▶ Run {task.name}", "command": "rdev.run", "arguments": [task_id]}
    watch = {"command": "rdev.watch", "arguments": [task_id, not is_watched]}
    yield {"title": "Stop watching" if is_watched else "Watch", **watch}
    for run in active:
        if run.task == task.name and run.folder == task.folder:
            title = "■ Cancel" if run.state is RunState.RUNNING else "■ Cancel (queued)"
            yield {"title": title, "command": "rdev.cancel", "arguments": [run.run_id]}


def _line(number: int) -> dict[str, Any]:
    place = {"line": number, "character": 0}
    return {"start": place, "end": place}
