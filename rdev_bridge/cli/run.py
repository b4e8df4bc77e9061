"""`rdev-bridge run`: a task or a command in the foreground, with its output and its exit code."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.app import App
    from rdev_bridge.model import RunRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `run`."""
    parser.usage = "rdev-bridge run [OPTION]... TASK [ARG]... | [OPTION]... -- COMMAND..."
    parser.epilog = (
        "After --, one word is a shell command line; several words are a command and its arguments. "
        "Exit code: the command's own; 124 timed out; 125 the bridge or the server failed; 130 cancelled by Ctrl-C."
    )
    options.add_folder(parser)
    options.add_target(parser)
    options.add_output(parser)
    parser.add_argument("--cwd", metavar="FOLDER", help="the folder on the server to run in")
    parser.add_argument("--env", metavar="NAME=VALUE", action="append", default=[], help="may be given often")
    parser.add_argument("--file", metavar="FILE", help="what ${file} in a task means")
    parser.add_argument("--timeout", metavar="TIME", help="cancel it after TIME, such as 90s or 10m")
    parser.add_argument(
        "--sync-conflict",
        choices=("fail", "ours", "theirs"),
        default="fail",
        help="what a push does with files that changed on the server: stop, overwrite them, leave them",
    )
    parser.add_argument("-d", "--detach", action="store_true", help="print the run's id and leave it running")
    parser.add_argument("words", metavar="TASK", nargs=argparse.REMAINDER, help="a task, or -- and a command")


def run(args: argparse.Namespace) -> int:
    """Run it; the exit code is the contract's (section 2)."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    from rdev_bridge.app import App
    from rdev_bridge.cli.foreground import Foreground
    from rdev_bridge.model import ConflictPolicy

    folder = options.root_of(args)
    app = App([folder], os.environ, options.flags_of(args))
    app.sync_conflict = ConflictPolicy(args.sync_conflict)
    request = request_for(args, folder, options.here_of(args), app)
    if args.detach:
        return await _detach(app, request)
    foreground = Foreground(folder)
    face = options.face_for(args, foreground.broken)
    face.mark_of = app.runner.mark_of
    app.observers.append(face)
    async with app:
        run_id = app.runner.submit(request).run_id
        return await foreground.until_over(app.runner, run_id)


async def _detach(app: App, request: RunRequest) -> int:
    from rdev_bridge.model import OnClientExit

    async with app:
        run_id = app.runner.submit(replace(request, on_client_exit=OnClientExit.DETACH)).run_id
        if not await app.runner.wait_started(run_id):
            run = await app.runner.wait(run_id)
            raise RdevError(run.message or f"{run_id} did not start")
    print(run_id)
    return 0


def request_for(args: argparse.Namespace, folder: Path, here: Path, app: App) -> RunRequest:
    """What the command line asks for. Raises UsageError, SettingsError.

    A command runs in the folder where it was typed, as far as that is inside the workspace.
    """
    from rdev_bridge.model import RunRequest

    request = RunRequest(
        folder=folder,
        env=options.environment_of(args.env),
        cwd=args.cwd,
        timeout_s=None if args.timeout is None else options.seconds_of(args.timeout),
        file=None if args.file is None else here / args.file,
    )
    words: list[str] = args.words
    if words[:1] != ["--"]:
        if not words:
            raise UsageError("say what to run: rdev-bridge run TASK, or rdev-bridge run -- COMMAND...")
        for error in app.settings_errors().values():
            raise error
        task = options.task_of(words[0], app.tasks(), folder)
        return replace(request, task=task, arguments=tuple(words[1:]))
    command = words[1] if len(words) == 2 else shlex.join(words[1:])
    if not command.strip():
        raise UsageError("nothing to run after --; try: rdev-bridge run -- COMMAND")
    below = here.relative_to(folder).as_posix()
    cwd = args.cwd if args.cwd is not None or below == "." else below
    return replace(request, command=command, cwd=cwd)
