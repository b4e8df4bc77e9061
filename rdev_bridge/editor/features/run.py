"""`rdev/run`: what an editor may ask for, checked, as a `RunRequest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from rdev_bridge.editor.client import path_from_uri
from rdev_bridge.errors import UsageError
from rdev_bridge.model import BusyPolicy, ConflictPolicy, OnClientExit, RunRequest, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rdev_bridge.editor.features.tasks import TaskIndex
    from rdev_bridge.model import Run, Task


class RunParams(msgspec.Struct, rename="camel"):
    """`{task}` or `{command, folder?}`, and the rest. `file` is the URI that `${file}` stands for.

    Null is as good as nothing: that is how some clients leave a member out.
    """

    task: str | None = None
    command: str | None = None
    folder: str | None = None
    arguments: list[str] | None = None
    env: dict[str, str] | None = None
    cwd: str | None = None
    on_busy: Literal["queue", "restart", "ignore", "parallel"] | None = None
    on_client_exit: Literal["cancel", "detach"] | None = None
    file: str | None = None
    sync_conflict: Literal["fail", "ours", "theirs"] | None = None


def request_from(params: RunParams, index: TaskIndex, folders: Sequence[Path]) -> RunRequest:
    """The wish as the runner takes it. Raises UsageError (-32602) that names what is wrong."""
    folder = None if params.folder is None else folder_from(params.folder, folders)
    task: Task | None = None
    if params.task and not params.command:
        task = index.find(params.task, folder, folders)
        folder = task.folder
    elif not params.command or params.task:
        raise UsageError("rdev/run takes either a `task` or a `command`")
    return RunRequest(
        folder=folder or folders[0],
        task=task,
        command=params.command if task is None else None,
        arguments=tuple(params.arguments or ()),
        env=params.env or {},
        cwd=params.cwd,
        on_busy=params.on_busy and BusyPolicy(params.on_busy),
        on_client_exit=params.on_client_exit and OnClientExit(params.on_client_exit),
        file=None if params.file is None else path_from_uri(params.file),
        sync_conflict=ConflictPolicy(params.sync_conflict or "fail"),
    )


def request_again(run: Run, request: RunRequest | None, index: TaskIndex) -> RunRequest:
    """A run once more: its task as it is now, or its command; with all else of `request` if it was our editor's wish.

    What was said to one sync conflict is no answer to the next. Raises UsageError where the task is gone.
    """
    task = None if run.task is None else index.find(run.task, run.folder)
    if request is not None:
        trigger = replace(request.trigger, kind=TriggerKind.REQUEST)
        return replace(request, task=task, trigger=trigger, parent_run_id=None, sync_conflict=ConflictPolicy.FAIL)
    return RunRequest(folder=run.folder, task=task, command=run.command if task is None else None)


def folder_from(given: str, folders: Sequence[Path]) -> Path:
    """An open folder, by its URI, its path or its name. Raises UsageError with those that are open."""
    path = path_from_uri(given)
    for folder in folders:
        if folder == path or given in (str(folder), folder.name):
            return folder
    raise UsageError(f"{given!r} is no open folder; open are {', '.join(map(str, folders))}")
