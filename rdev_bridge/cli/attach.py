"""`rdev-bridge attach`: follow a run, from what nobody has seen yet; go on with one whose bridge is gone."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `attach`."""
    parser.epilog = "Exit code: as that of `rdev-bridge run`."
    options.add_folder(parser)
    options.add_output(parser)
    parser.add_argument("--all", action="store_true", help="from the first line, not from the last one that was seen")
    parser.add_argument("--seq", type=int, metavar="N", help="from line N on (the first is 0)")
    parser.add_argument("--no-cancel", action="store_true", help="Ctrl-C leaves the run going")
    parser.add_argument("run", metavar="RUN", help="a run's id, the beginning of one, or `latest`")


def run(args: argparse.Namespace) -> int:
    """Follow it; the exit code is that of `run`."""
    if args.all and args.seq is not None:
        raise UsageError("--all and --seq both say where to begin; give one of them")
    if args.seq is not None and args.seq < 0:
        raise UsageError("--seq counts from 0")
    return asyncio.run(_attach(args))


async def _attach(args: argparse.Namespace) -> int:
    from rdev_bridge.app import App
    from rdev_bridge.cli.foreground import Foreground
    from rdev_bridge.cli.terminal import hint
    from rdev_bridge.model import RunState
    from rdev_bridge.runs.store import find_run

    root = options.root_of(args)
    app = App([root], os.environ)
    folder, _ = find_run(args.run, app.stores())
    foreground = Foreground(root, lets_go=args.no_cancel)
    face = options.face_for(args, foreground.broken)
    face.mark_of, foreground.cancelling = app.runner.mark_of, face.cancelling
    seq = 0 if args.all else args.seq
    face.repeats = seq is not None
    app.observers.append(face)
    async with app:
        attached = await app.runner.attach(folder.run_id, seq, finishes_text=args.output == "jsonl")
        if seq is None and attached.run.state is RunState.FINISHED and attached.seq == attached.run.lines > 0:
            hint(f"its output was shown before; `rdev-bridge attach --all {args.run}` shows it again")
        return await foreground.until_over(app.runner, folder.run_id)
