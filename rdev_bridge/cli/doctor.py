"""`rdev-bridge doctor`: one line for each thing that must be right, with a tick or what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.cli.style import painted
from rdev_bridge.core.shown import visible

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.cli.doctor_checks import Finding

EXIT_FAULTS = 1
_WIDTH = 13


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `doctor`."""
    parser.epilog = "Exit code: 0 where all is well, 1 where something needs to be mended. No key is ever printed."
    options.add_folder(parser)
    options.add_target(parser)


def run(args: argparse.Namespace) -> int:
    """Examine the workspace that the user stands in."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    from rdev_bridge.cli.doctor_checks import examine

    faults = 0
    async for finding in examine(options.root_of(args), options.flags_of(args), os.environ):
        print(line_of(finding), flush=True)
        faults += not finding.ok
    return EXIT_FAULTS if faults else 0


def line_of(finding: Finding) -> str:
    """The finding as printed: mark, name, what was found, and below it what to do."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    mark, colour = ("x" if plain else "✗", "red")
    if finding.ok:
        mark, colour = ("ok" if plain else "✓", "green") if finding.advice is None else ("!", "yellow")
    line = f"{painted(mark.ljust(2 if plain else 1), colour)} {finding.what.ljust(_WIDTH)} {visible(finding.text)}"
    if finding.advice is None:
        return line
    indent = " " * (_WIDTH + (4 if plain else 3))
    return f"{line}\n{indent}{painted(visible(finding.advice), 'bold')}"
