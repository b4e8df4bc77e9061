"""`rdev-bridge watch`: runs a task or a command once, and again after each change."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rdev_bridge.cli import options, wish
from rdev_bridge.core.consent import meaning
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.settings import find_root

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from rdev_bridge.app import App
    from rdev_bridge.cli.watch_face import WatchFace
    from rdev_bridge.model import RunRequest
    from rdev_bridge.watch.watcher import Watch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `watch`."""
    parser.usage = "rdev-bridge watch [OPTION]... TASK [ARG]... | [OPTION]... -- COMMAND..."
    parser.epilog = (
        "Without --on and a task's `watch`, every file counts that git does not ignore. On a terminal: r runs now, "
        "p pauses, c cancels, q leaves. Exit code: 0 after q; 130 after Ctrl-C; 143 after SIGTERM."
    )
    parser.add_argument(
        "--on",
        metavar="GLOB",
        action="append",
        default=[],
        help="what makes it run again, as in a .gitignore (may be given often); instead of the task's own `watch`",
    )
    parser.add_argument("--clear", action="store_true", help="clear the terminal before each run")
    wish.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Watch until the user leaves: 0 for `q`, 130 for Ctrl-C, 143 for SIGTERM."""
    return asyncio.run(_watch(args))


async def _watch(args: argparse.Namespace) -> int:
    from rdev_bridge.app import App
    from rdev_bridge.cli.jsonl import JsonlFace
    from rdev_bridge.cli.terminal import TerminalFace
    from rdev_bridge.cli.watch_face import WatchFace
    from rdev_bridge.cli.watch_session import WatchSession
    from rdev_bridge.watch.watcher import WorkspaceWatcher

    here = options.here_of(args)
    folder = find_root(here)
    app = App([folder], os.environ, options.flags_of(args))
    request = _request(app, args, folder, here)
    name = request.task.name if request.task else request.command or ""

    def note(changed: list[Path]) -> None:
        """The next push begins with these; and the task may have become another one."""
        app.changed(folder, changed)
        if not any(path.parent == folder and path.name == "rdev.toml" for path in changed):
            return
        agreed = _consent(session.request, app)
        try:
            app.reload()
            session.request = _request(app, args, folder, here)
            watcher.set_watches(_watches(name, session.request, args.on))
        except UsageError as error:
            face.say(f"{error}; until then {name} stays what it was")
        else:
            _tell_wrong_matchers(app, session.request, face)
            if _consent(session.request, app) != agreed and not app.is_trusted(folder):
                session.hold(f"rdev.toml makes {name} something else now, and this workspace is not trusted")

    form = "jsonl" if args.output == "jsonl" else "status" if _is_terminal() else "plain"
    printer = (JsonlFace if form == "jsonl" else TerminalFace)(lambda error: session.gone(error))
    face = WatchFace(name, folder, form, printer, clear=args.clear, on_idle=lambda: session.idle())
    watcher = WorkspaceWatcher(
        folder,
        submit=app.runner.submit,
        notice=lambda notice: session.notice(notice),
        stale=lambda run_id: session.stale(run_id),
        changed=note,
    )
    watcher.set_watches(_watches(name, request, args.on))
    app.observers += [watcher, face]
    async with app:
        session = WatchSession(app.runner, watcher, face, request)
        _tell_wrong_matchers(app, request, face)
        try:
            return await session.run()
        except OSError as error:
            raise RdevError(f"{folder} cannot be watched: {error}") from error


def _tell_wrong_matchers(app: App, request: RunRequest, face: WatchFace) -> None:
    for error in app.matcher_errors(request.task) if request.task else ():
        face.say(f"{error} (the task runs all the same)")


def _watches(name: str, request: RunRequest, on: list[str]) -> dict[str, Watch]:
    from rdev_bridge.watch.watcher import Watch

    return {name: Watch(request, tuple(on) or (request.task.watch if request.task else ()))}


def _consent(request: RunRequest, app: App) -> object:
    """What the user said yes to by naming the task."""
    task = request.task
    return task and meaning(task, {one.name: one for one in app.tasks() if one.folder == task.folder})


def _request(app: App, args: argparse.Namespace, folder: Path, here: Path) -> RunRequest:
    from rdev_bridge.model import BusyPolicy

    for error in app.settings_errors().values():
        raise error
    request = wish.request_of(args, folder, here, app, verb="watch")
    return request if request.task else replace(request, on_busy=BusyPolicy.QUEUE)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
