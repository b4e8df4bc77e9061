"""`rdev-bridge init`: write an `rdev.toml` from what the folder holds."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.cli.style import print_columns
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `init`."""
    parser.epilog = (
        "Looks at .vscode/tasks.json, justfile, Makefile, pyproject.toml, package.json, Cargo.toml and go.mod. "
        "Nothing of them is run."
    )
    options.add_folder(parser)
    parser.add_argument("--force", action="store_true", help="replace an rdev.toml that is there")
    parser.add_argument("--print", action="store_true", help="print it instead of writing it")


def run(args: argparse.Namespace) -> int:
    """Write it and say what it holds. Raises UsageError where there is one already."""
    from rdev_bridge.cli.init_detect import detect
    from rdev_bridge.cli.init_draft import Findings, document
    from rdev_bridge.cli.init_vscode import take_over
    from rdev_bridge.settings import FILE_NAME, Source, find_root, workspace_from

    folder = options.here_of(args)
    path = folder / FILE_NAME
    if not (args.force or args.print) and (path.exists() or path.is_symlink()):
        raise UsageError(f"{path} is there already; --force replaces it, --print shows what would be written")
    findings = Findings()
    take_over(folder, findings)
    detect(folder, findings)
    content = document(findings.drafts).encode()
    workspace_from(folder, Source.parse(path, content))  # what we write, we can read
    if args.print:
        print(content.decode(), end="")
        return _tell(findings.notes)
    above = find_root(folder)
    try:
        with path.open("wb" if args.force else "xb") as file:
            file.write(content)
    except OSError as error:
        raise RdevError(f"{path} cannot be written: {error.strerror}", reason="disk") from None
    rows = [(draft.name, draft.command, draft.origin) for draft in findings.drafts]
    if rows:
        print_columns(rows, head=("TASK", "COMMAND", "FROM"))
    else:
        findings.notes.append("nothing was found that could be a task; the file shows how to write one")
    if above != folder:
        findings.notes.append(f"in this folder the tasks of {above / FILE_NAME} count no more")
    then = f"; now try: rdev-bridge run {shlex.quote(findings.drafts[0].name)}" if rows else ""
    print(f"wrote {visible(str(path))}{then}", file=sys.stderr)
    return _tell(findings.notes)


def _tell(notes: list[str]) -> int:
    for note in notes:
        print(f"note: {visible(note)}", file=sys.stderr)
    return 0
