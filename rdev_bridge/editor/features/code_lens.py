"""`textDocument/codeLens`: what can be done with each task, above its table in `rdev.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdev_bridge.editor.wording import result
from rdev_bridge.model import RunState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from rdev_bridge.model import Run, Task


def lenses(
    path: Path, tasks: Mapping[str, Task], watched: Collection[str], runs: Iterable[Run]
) -> list[dict[str, Any]]:
    """The lenses of the file `path`: run, watch, cancel for each run that goes on, the last result (LSP `CodeLens[]`).

    `runs` are newest first.
    """
    by_task: dict[tuple[Path, str | None], list[Run]] = {}
    for run in runs:
        by_task.setdefault((run.folder, run.task), []).append(run)
    return [
        {"range": _line(task.location.line), "command": command}
        for task_id, task in tasks.items()
        if task.location is not None and task.location.path == path
        for command in _commands(task_id, task, task_id in watched, by_task.get((task.folder, task.name), []))
    ]


def _commands(task_id: str, task: Task, is_watched: bool, runs: Sequence[Run]) -> Iterable[dict[str, Any]]:
    yield {"title": f"▶ Run {task.name}", "command": "rdev.run", "arguments": [task_id]}
    watch = {"command": "rdev.watch", "arguments": [task_id, not is_watched]}
    yield {"title": "Stop watching" if is_watched else "Watch", **watch}
    for run in runs:
        if run.state is not RunState.FINISHED:
            title = "■ Cancel" if run.state is RunState.RUNNING else "■ Cancel (queued)"
            yield {"title": title, "command": "rdev.cancel", "arguments": [run.run_id]}
    last = next((run for run in runs if run.state is RunState.FINISHED), None)
    if last is not None:
        yield {"title": f"Output ({result(last)})", "command": "rdev.showOutput", "arguments": [last.run_id]}


def _line(number: int) -> dict[str, Any]:
    place = {"line": number, "character": 0}
    return {"start": place, "end": place}
