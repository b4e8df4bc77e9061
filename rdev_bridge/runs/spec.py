"""What a request means for the server's shell: the command text, its folder and its environment."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from rdev_bridge.core.shelltext import quoted
from rdev_bridge.core.variables import expand, fill, variables_of
from rdev_bridge.errors import UsageError
from rdev_bridge.model import SyncPush
from rdev_bridge.remote.items import CommandSpec

if TYPE_CHECKING:
    from rdev_bridge.core.paths import PathMap
    from rdev_bridge.model import RunRequest, Target


def spec_of(request: RunRequest, target: Target, paths: PathMap) -> CommandSpec:
    """How to start it: a task's variables filled in, and the arguments quoted after its command.

    A free command is left as it is. Raises UsageError for a variable that has no value here, or that cannot stand
    where it does, and for a command that is no text.
    """
    spec = _spec_of(request, target, paths)
    try:
        spec.command.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the command holds bytes that are no UTF-8, and is sent as JSON; give such a name as a word of its own"
        ) from None
    return spec


def _spec_of(request: RunRequest, target: Target, paths: PathMap) -> CommandSpec:
    arguments = "".join(f" {quoted(argument)}" for argument in request.arguments)
    task = request.task
    if task is None:
        return CommandSpec((request.command or "") + arguments, request.cwd, dict(request.env))
    variables = variables_of(paths, request.file, request.trigger.files)
    cwd = cwd_of(request, target, paths)
    env = {name: fill(value, variables) for name, value in task.env.items()}
    return CommandSpec(expand(task.command, variables) + arguments, cwd, {**env, **request.env})


def cwd_of(request: RunRequest, target: Target, paths: PathMap) -> str | None:
    """Where it runs: absolute, or relative to where the server starts commands; None: there.

    After a push, a relative folder counts from where the workspace was brought to. Raises UsageError as `spec_of` does.
    """
    task, cwd = request.task, request.cwd
    if task is not None:
        if cwd is None:
            cwd = task.cwd and fill(task.cwd, variables_of(paths, request.file, request.trigger.files))
        if isinstance(task.sync, SyncPush) and target.remote_root:
            cwd = posixpath.join(target.remote_root, cwd or "")
    return cwd
