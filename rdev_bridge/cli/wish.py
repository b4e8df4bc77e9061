"""What `run` and `watch` are asked for: the options and words of the command line as a `RunRequest`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rdev_bridge.cli import options
from rdev_bridge.core.shelltext import quoted
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.app import App
    from rdev_bridge.model import RunRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `-C`, the target, `--output`, how it runs, and last the words: a task with arguments, or a command."""
    options.add_folder(parser)
    options.add_target(parser)
    options.add_output(parser)
    parser.add_argument("--cwd", metavar="FOLDER", help="the folder on the server to run in")
    parser.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="an environment variable; may be given often"
    )
    parser.add_argument("--file", metavar="FILE", help="the file that ${file} stands for")
    parser.add_argument("--timeout", metavar="TIME", help="cancel it after TIME, such as 90s or 10m")
    parser.add_argument(
        "--sync-conflict",
        choices=("fail", "ours", "theirs"),
        default="fail",
        help="what a push does with files that changed on the server: stop, overwrite them, leave them",
    )
    parser.add_argument("words", metavar="TASK", nargs=argparse.REMAINDER, help="a task, or -- and a command")


def request_of(args: argparse.Namespace, folder: Path, here: Path, app: App, *, verb: str) -> RunRequest:
    """What the command line of `verb` asks for. Raises UsageError, SettingsError.

    After `--`, one word is a shell command line, several words are an argv and are quoted for the shell. A command
    runs in the folder where it was typed, as far as that is inside the workspace.
    """
    from rdev_bridge.model import ConflictPolicy, RunRequest

    request = RunRequest(
        folder=folder,
        env=options.environment_of(args.env),
        cwd=args.cwd,
        timeout_s=None if args.timeout is None else options.seconds_of(args.timeout),
        file=None if args.file is None else here / args.file,
        sync_conflict=ConflictPolicy(args.sync_conflict),
    )
    words: list[str] = args.words
    if words[:1] != ["--"]:
        if not words or not words[0]:
            raise UsageError(f"say what to run: rdev-bridge {verb} TASK, or rdev-bridge {verb} -- COMMAND...")
        for error in app.settings_errors().values():
            raise error
        task = options.task_of(words[0], app.tasks(), folder)
        return replace(request, task=task, arguments=tuple(words[1:]))
    command = words[1] if len(words) == 2 else " ".join(map(quoted, words[1:]))
    if not command.strip():
        raise UsageError(f"nothing to run after --; try: rdev-bridge {verb} -- COMMAND")
    below = here.relative_to(folder).as_posix()
    cwd = args.cwd if args.cwd is not None or below == "." else below
    return replace(request, command=command, cwd=cwd)
