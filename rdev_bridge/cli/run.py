"""`rdev-bridge run`: a task or a command in the foreground, with its output and its exit code."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rdev_bridge.cli import options, wish
from rdev_bridge.errors import RdevError

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.app import App
    from rdev_bridge.model import RunRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `run`."""
    parser.usage = "rdev-bridge run [OPTION]... TASK [ARG]... | [OPTION]... -- COMMAND..."
    parser.epilog = (
        "After --, one word is a shell command line; several words are a command and its arguments. "
        "Exit code: the command's own; 124 timed out; 125 the bridge or the server failed; 130 cancelled by Ctrl-C."
    )
    parser.add_argument("-d", "--detach", action="store_true", help="print the run's id and leave it running")
    wish.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit code is the contract's (section 2)."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    from rdev_bridge.app import App
    from rdev_bridge.cli.foreground import Foreground

    folder = options.root_of(args)
    app = App([folder], os.environ, options.flags_of(args))
    request = wish.request_of(args, folder, options.here_of(args), app, verb="run")
    if args.detach:
        return await _detach(app, request)
    foreground = Foreground(folder)
    face = options.face_for(args, foreground.broken)
    face.mark_of, foreground.cancelling = app.runner.mark_of, face.cancelling
    app.observers.append(face)
    async with app:
        run_id = app.runner.submit(request).run_id
        telling = asyncio.create_task(_tell_wrong_matchers(app, request))
        code = await foreground.until_over(app.runner, run_id)
        await telling
        return code


async def _tell_wrong_matchers(app: App, request: RunRequest) -> None:
    """The run goes on meanwhile, and whatever is found: only an editor needs its problems."""
    from rdev_bridge.cli.terminal import say

    task = request.task
    if task is not None and (task.problem_matcher or task.depends_on):
        for error in await asyncio.to_thread(app.matcher_errors, task):
            say(f"{error} (the task runs all the same)")


async def _detach(app: App, request: RunRequest) -> int:
    from rdev_bridge.model import OnClientExit

    async with app:
        run_id = app.runner.submit(replace(request, on_client_exit=OnClientExit.DETACH)).run_id
        await _tell_wrong_matchers(app, request)
        if not await app.runner.wait_started(run_id):
            run = await app.runner.wait(run_id)
            raise RdevError(run.message or f"{run_id} did not start")
    print(run_id)
    return 0
