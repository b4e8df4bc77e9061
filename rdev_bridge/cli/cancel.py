"""`rdev-bridge cancel`: end a run, whichever bridge started it; returns once it is known dead."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.cli.main import EXIT_FAILED, EXIT_USAGE
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.runs.runner import Runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `cancel`."""
    options.add_folder(parser)
    parser.add_argument("--all", action="store_true", help="every run of this workspace that has not ended")
    parser.add_argument("runs", metavar="RUN", nargs="*", help="a run's id, the beginning of one, or `latest`")


def run(args: argparse.Namespace) -> int:
    """0 once all of them are known dead, 125 where that could not be learnt, 2 where settings stand in the way."""
    if bool(args.runs) == args.all:
        raise UsageError("say which run: rdev-bridge cancel RUN, or rdev-bridge cancel --all")
    return asyncio.run(_cancel(args))


async def _cancel(args: argparse.Namespace) -> int:
    from rdev_bridge.app import App
    from rdev_bridge.model import RunState
    from rdev_bridge.runs.store import find_run

    app = App([options.root_of(args)], os.environ)
    if args.all:
        wanted = [run.run_id for run in app.runner.runs() if run.state is not RunState.FINISHED]
    else:
        wanted = [find_run(name, app.stores())[0].run_id for name in args.runs]
    async with app:
        return max(await asyncio.gather(*(_end(app.runner, run_id) for run_id in wanted)), default=0)


async def _end(runner: Runner, run_id: str) -> int:
    from rdev_bridge.cli.terminal import say
    from rdev_bridge.model import Outcome
    from rdev_bridge.runs.attach import end_elsewhere

    try:
        run = await end_elsewhere(runner, run_id)
    except (RdevError, UsageError) as error:
        say(str(error))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    if run.outcome in (Outcome.LOST, Outcome.ERROR):
        say(f"{run_id} {run.outcome.value}: {run.message or 'its end could not be learnt'}")
        return EXIT_FAILED
    print(f"{run_id} {run.outcome.value if run.outcome else 'cancelled'}")
    return 0
