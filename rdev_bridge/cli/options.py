"""Options that several subcommands share, and what their words mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rdev_bridge.errors import UsageError
from rdev_bridge.settings import Flags, find_root
from rdev_bridge.settings.values import WrongValueError, duration_s, nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from rdev_bridge.cli.jsonl import JsonlFace
    from rdev_bridge.cli.terminal import TerminalFace
    from rdev_bridge.model import Task


def add_folder(parser: argparse.ArgumentParser) -> None:
    """`-C FOLDER`."""
    parser.add_argument("-C", "--folder", metavar="FOLDER", help="work as if started in FOLDER")


def add_target(parser: argparse.ArgumentParser) -> None:
    """`--server`, `--url`, `--project`."""
    parser.add_argument("--server", metavar="NAME", help="a server of your config.toml")
    parser.add_argument("--url", help="a server's url, instead of a name")
    parser.add_argument("--project", metavar="ID", help="the project's id on that server")


def add_output(parser: argparse.ArgumentParser) -> None:
    """`--output text|jsonl`."""
    parser.add_argument("--output", choices=("text", "jsonl"), default="text", help="jsonl: one JSON object a line")


def here_of(args: argparse.Namespace) -> Path:
    """The folder where the user stands. Raises UsageError."""
    try:
        here = Path(os.path.abspath(args.folder or ""))  # noqa: PTH100 - keeps symbolic links, as find_root does
    except FileNotFoundError:
        raise UsageError("the folder you stand in is gone; go to another one, or name it with -C") from None
    if not here.is_dir():
        raise UsageError(f"there is no folder {here}")
    return here


def root_of(args: argparse.Namespace) -> Path:
    """The workspace that the user stands in."""
    return find_root(here_of(args))


def flags_of(args: argparse.Namespace) -> Flags:
    """What settings take from the command line."""
    return Flags(url=args.url, server=args.server, project=args.project)


def seconds_of(text: str) -> float:
    """`--timeout 90s`. Raises UsageError."""
    try:
        return duration_s(float(text) if text.replace(".", "", 1).isdigit() else text)
    except WrongValueError as error:
        raise UsageError(f"--timeout: {error}") from None


def environment_of(pairs: Iterable[str]) -> dict[str, str]:
    """`--env NAME=VALUE`. Raises UsageError."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier() or not name.isascii():
            raise UsageError(f"--env takes NAME=VALUE, not {pair!r}")
        found[name] = value
    return found


def task_of(name: str, tasks: Iterable[Task], folder: Path) -> Task:
    """The task of this name. Raises UsageError with the nearest one, and how to run a command instead."""
    known = {task.name: task for task in tasks}
    if name in known:
        return known[name]
    hint = f"to run a command: rdev-bridge run -- {name}"
    if not known:
        raise UsageError(f"there is no task {name!r}: {folder} has none (rdev-bridge init writes some); {hint}")
    raise UsageError(f"there is no task {name!r}{nearest(name, known) or f'; known are {_some(known)}'}; {hint}")


def face_for(args: argparse.Namespace, broken: Callable[[OSError], None]) -> TerminalFace | JsonlFace:
    """The observer that `--output` asks for."""
    if args.output == "jsonl":
        from rdev_bridge.cli.jsonl import JsonlFace

        return JsonlFace(broken)
    from rdev_bridge.cli.terminal import TerminalFace

    return TerminalFace(broken)


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:8])
