"""`rdev-bridge trust`: let a workspace's tasks start by themselves, after a look at what they are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rdev_bridge import trust
from rdev_bridge.cli import options
from rdev_bridge.cli.style import confirmed, painted, print_columns
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.settings import Workspace

EXIT_DECLINED = 1
_COLOURS = {"+": "green", "-": "red", "@": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `trust`."""
    parser.epilog = (
        "Trust is for this folder and for rdev.toml as it is now; when the file changes, you are asked again. "
        "A task that you name yourself needs no trust."
    )
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="the workspace (the one you are in)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="show the trusted workspaces")
    what.add_argument("--revoke", action="store_true", help="trust the workspace no more")
    what.add_argument("-y", "--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    """Grant, revoke or list; 1 where the user said no."""
    if args.list:
        return _list()
    root = options.root_of(args)
    if args.revoke:
        if not trust.revoke(root):
            raise UsageError(f"{root} is not trusted")
        print(f"{visible(str(root))} is not trusted any more", file=sys.stderr)
        return 0
    from rdev_bridge.settings import load_workspace

    return _grant(load_workspace(root), ask=not args.yes)


def _list() -> int:
    from rdev_bridge.errors import SettingsError
    from rdev_bridge.settings import load_workspace

    rows = []
    for grant in trust.grants():
        try:
            is_now = load_workspace(grant.folder).digest == grant.digest
        except SettingsError:
            is_now = False
        gone = not grant.folder.is_dir()
        state = "gone" if gone else "trusted" if is_now else "changed since"
        rows.append((f"{grant.granted_at:%Y-%m-%d}", state, str(grant.folder)))
    if rows:
        print_columns(rows, head=("SINCE", "STATE", "WORKSPACE"))
    else:
        print("no workspace is trusted", file=sys.stderr)
    return 0


def _grant(workspace: Workspace, *, ask: bool) -> int:
    folder, content = workspace.folder, workspace.source.content
    if trust.is_trusted(folder, workspace.digest):
        print(f"{visible(str(folder))} is trusted already", file=sys.stderr)
        return 0
    if workspace.config_file is None:
        raise UsageError(f"{folder} has no rdev.toml, so nothing there starts by itself")
    review = trust.review(folder, content)
    print(_title(workspace, changed=review.is_change), file=sys.stderr)
    for line in review.lines:
        colour = _COLOURS.get(line[:1]) if review.is_change else None
        print(f"  {painted(line, colour, sys.stderr) if colour else line}", file=sys.stderr)
    if ask and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on; --yes trusts the file as it is now")
    if ask and not confirmed("Trust it as it is now?"):
        print("not trusted", file=sys.stderr)
        return EXIT_DECLINED
    trust.grant(folder, content)
    print(f"{visible(str(folder))} is trusted", file=sys.stderr)
    return 0


def _title(workspace: Workspace, *, changed: bool) -> str:
    starting = [task.name for task in workspace.tasks.values() if task.watch]
    what = f"tasks that start by themselves: {', '.join(starting)}" if starting else "no task starts by itself yet"
    name = visible(str(workspace.config_file))
    return f"{name} {'has changed since you trusted it' if changed else 'says'} ({visible(what)}):"
