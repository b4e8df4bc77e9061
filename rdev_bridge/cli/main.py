"""The command `rdev-bridge`: finds the subcommand and imports that one alone (start-up time is felt)."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdev_bridge import __version__
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_USAGE = 2
EXIT_FAILED = 125
EXIT_INTERRUPTED = 130
EXIT_GONE = 141


@dataclass(frozen=True, slots=True)
class Subcommand:
    """`module` has `add_arguments(parser)` and `run(args) -> int`."""

    module: str
    summary: str


SUBCOMMANDS = {
    "run": Subcommand("rdev_bridge.cli.run", "run a task, or a command after --"),
    "watch": Subcommand("rdev_bridge.cli.watch", "run it again whenever files change"),
    "tasks": Subcommand("rdev_bridge.cli.tasks", "list the tasks of this workspace"),
    "runs": Subcommand("rdev_bridge.cli.runs", "list runs, newest first"),
    "attach": Subcommand("rdev_bridge.cli.attach", "follow a run, from the line after the last one seen"),
    "cancel": Subcommand("rdev_bridge.cli.cancel", "end a run and all its processes"),
    "init": Subcommand("rdev_bridge.cli.init", "write an rdev.toml from what this folder holds"),
    "match": Subcommand("rdev_bridge.cli.match", "show what a problem matcher makes of a saved output"),
    "login": Subcommand("rdev_bridge.cli.login", "keep a server's key safely"),
    "logout": Subcommand("rdev_bridge.cli.logout", "forget a server's key"),
    "trust": Subcommand("rdev_bridge.cli.trust", "let this workspace's tasks start by themselves"),
    "doctor": Subcommand("rdev_bridge.cli.doctor", "check configuration, server, key, stream and latency"),
    "serve": Subcommand("rdev_bridge.cli.serve", "serve a folder as an rdev server"),
    "lsp": Subcommand("rdev_bridge.cli.lsp", "the daemon that editors start"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: this process's) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser, name = _parser_for(words)
    try:
        args = parser.parse_args(words)
        module = importlib.import_module(SUBCOMMANDS[name].module) if name else None
        if module is None:
            parser.print_help()
            return EXIT_USAGE
        code: int = module.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes nowhere, quietly
        return EXIT_GONE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except UsageError as error:
        print(f"rdev-bridge: {error}", file=sys.stderr)
        return EXIT_USAGE
    except RdevError as error:
        print(f"rdev-bridge: {error}", file=sys.stderr)
        return EXIT_FAILED
    return code


def _parser_for(words: Sequence[str]) -> tuple[argparse.ArgumentParser, str | None]:
    parser = argparse.ArgumentParser(prog="rdev-bridge", description="Run tasks on a remote development server.")
    parser.add_argument("--version", action="version", version=f"rdev-bridge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, entry in SUBCOMMANDS.items():
        command = commands.add_parser(name, help=entry.summary, description=entry.summary)
        if name == chosen:
            importlib.import_module(entry.module).add_arguments(command)
    return parser, chosen if chosen in SUBCOMMANDS else None
