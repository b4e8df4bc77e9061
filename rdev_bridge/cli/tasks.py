"""`rdev-bridge tasks`: what this workspace can run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.cli.style import print_columns
from rdev_bridge.core.shown import visible

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.model import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `tasks`."""
    options.add_folder(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    """List them. Needs neither server nor trust."""
    from rdev_bridge import trust
    from rdev_bridge.settings import load_workspace

    workspace = load_workspace(options.root_of(args))
    if args.output == "jsonl":
        from rdev_bridge.wire import task_to_wire

        trusted = trust.is_trusted(workspace.folder, workspace.digest)
        for task in workspace.tasks.values():
            wire = task_to_wire(task, task_id=task.name, watching=False, trusted=trusted)
            print(json.dumps(wire, ensure_ascii=False))
    elif workspace.tasks:
        print_columns([_row(task) for task in workspace.tasks.values()], head=("TASK", "GROUP", "WHAT"))
    else:
        has_file = workspace.config_file is not None
        then = "its rdev.toml is the place for them" if has_file else "`rdev-bridge init` writes some"
        print(f"{visible(str(workspace.folder))} has no tasks; {then}", file=sys.stderr)
    return 0


def _row(task: Task) -> tuple[str, str, str]:
    what = task.description or " ".join(task.command.split())
    extras = [f"after {', '.join(task.depends_on)}"] if task.depends_on else []
    extras += ["watches"] if task.watch else []
    return task.name, task.group or "", what[:100] + (f"  ({'; '.join(extras)})" if extras else "")
