"""`workspace/executeCommand`: the commands' loose arguments as the strict params of our own requests.

Editors hand over what the user typed or a lens carried: a bare string, an object, or nothing at all.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rdev_bridge.errors import UsageError

# command: (the request that it stands for, what a bare string means, what a second argument means)
COMMANDS: dict[str, tuple[str, str | None, str | None]] = {
    "rdev.run": ("rdev/run", "task", "arguments"),
    "rdev.rerun": ("rdev/rerun", "runId", None),
    "rdev.cancel": ("rdev/cancel", "runId", None),
    "rdev.tasks": ("rdev/tasks", None, None),
    "rdev.runs": ("rdev/runs", None, None),
    "rdev.showOutput": ("rdev/showOutput", "run", None),
    "rdev.watch": ("rdev/watch", "task", "enabled"),
    "rdev.trust": ("rdev/trust", "folder", None),
}


class ExecuteCommandParams(msgspec.Struct):
    """`ExecuteCommandParams`."""

    command: str
    arguments: list[Any] | None = None


def request_of(params: ExecuteCommandParams) -> tuple[str, dict[str, Any]]:
    """The request and its params. Raises UsageError that names the command and what it takes."""
    if params.command not in COMMANDS:
        raise UsageError(f"there is no command {params.command!r}; known are {', '.join(COMMANDS)}")
    method, first, second = COMMANDS[params.command]
    arguments = [argument for argument in params.arguments or () if argument is not None]
    if not arguments or first is None:
        return method, {}
    if isinstance(arguments[0], dict):
        return method, arguments[0]
    if not isinstance(arguments[0], str):
        raise UsageError(f"{params.command} takes a string ({first}) or an object, not {arguments[0]!r}")
    given: dict[str, Any] = {first: arguments[0]}
    if len(arguments) > 1 and second is not None:
        given[second] = arguments[1]
    return method, given
