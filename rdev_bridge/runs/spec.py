"""What a request means for the server's shell: the command text, its folder and its environment."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

from rdev_bridge.model import SyncPush
from rdev_bridge.remote.items import CommandSpec

if TYPE_CHECKING:
    from rdev_bridge.model import RunRequest, Target


def command_text(request: RunRequest) -> str:
    """The shell text: the task's command with its variables filled in, and the arguments quoted after it.

    Raises UsageError for a variable that has no value here.
    """
    command = request.task.command if request.task else request.command or ""
    return " ".join([command, *map(shlex.quote, request.arguments)])


def spec_of(request: RunRequest, command: str, target: Target) -> CommandSpec:
    """How to start it. After a push, the task's own folder counts from where the workspace was brought to."""
    task = request.task
    cwd = request.cwd if request.cwd is not None else (task.cwd if task else None)
    if task is not None and isinstance(task.sync, SyncPush) and target.remote_root:
        cwd = posixpath.join(target.remote_root, cwd or "")
    return CommandSpec(command, cwd, {**(task.env if task else {}), **request.env})
