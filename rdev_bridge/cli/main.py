"""The command `rdev-bridge`: finds the subcommand and imports that one alone (start-up time is felt)."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from rdev_bridge import __version__
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_USAGE = 2
EXIT_FAILED = 125
EXIT_INTERRUPTED = 130
EXIT_GONE = 141
"""Nobody reads our stdout any more; what a shell shows for SIGPIPE."""


class Subcommand(NamedTuple):
    """`module` has `add_arguments(parser)` and `run(args) -> int`."""

    module: str
    summary: str


SUBCOMMANDS = {
    "run": Subcommand("rdev_bridge.cli.run", "run a task, or a command after --"),
    "watch": Subcommand("rdev_bridge.cli.watch", "run it, and again whenever files change"),
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
    _open_what_is_closed()
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes nowhere, quietly
        return EXIT_GONE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:  # of our own stdout (a full disk), or of a file that just went
        said = ": ".join(str(part) for part in (error.filename, error.strerror) if part) or repr(error)
        print(f"rdev-bridge: {visible(said)}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except (UsageError, RdevError) as error:
        lines = (visible(line) for line in str(error).splitlines())  # it may quote a stranger's file
        print(f"rdev-bridge: {' '.join(lines)}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    return code


def _open_what_is_closed() -> None:
    """Have all of stdin, stdout and stderr, as OpenSSH does: `rdev-bridge run … >&-`.

    Else the next file that we open gets the number of the one that is missing, and the output goes in there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _run(words: list[str]) -> int:
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    parser, name = _parser_for(words)
    if name is None:
        parser.parse_args([word for word in words if word.startswith("-")])
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    args = parser.parse_args(words)
    code: int = importlib.import_module(SUBCOMMANDS[name].module).run(args)
    return code


def _parser_for(words: Sequence[str]) -> tuple[argparse.ArgumentParser, str | None]:
    """A parser that knows the options of the subcommand in `words` alone. Raises UsageError for an unknown one."""
    parser = argparse.ArgumentParser(
        prog="rdev-bridge",
        description="Run tasks on a remote development server, from the terminal and from any editor.",
        epilog="rdev-bridge COMMAND --help tells more. With nothing configured, everything works on this machine.",
    )
    parser.add_argument("--version", action="version", version=f"rdev-bridge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    chosen = next((word for word in words if not word.startswith("-")), None)
    if chosen is not None and chosen not in SUBCOMMANDS:
        from rdev_bridge.settings.values import nearest

        hint = nearest(chosen, SUBCOMMANDS) or "; `rdev-bridge --help` lists them"
        raise UsageError(f"there is no command {chosen!r}{hint}")
    named_first = words[:1] == [chosen]  # then no word is about the others: a parser for each is a twentieth of `true`
    for name, entry in SUBCOMMANDS.items():
        if named_first and name != chosen:
            continue
        command = commands.add_parser(name, help=entry.summary, description=_sentence(entry.summary))
        if name == chosen:
            importlib.import_module(entry.module).add_arguments(command)
    return parser, chosen


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
