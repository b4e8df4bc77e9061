"""`rdev-bridge runs`: what ran and what runs, newest first."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.core.shown import visible

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.model import Run

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `runs`."""
    options.add_folder(parser)
    options.add_output(parser)
    parser.add_argument("-a", "--all", action="store_true", help=f"all that are kept, not the newest {_SHOWN}")


def run(args: argparse.Namespace) -> int:
    """List them. A run that goes on without a bridge is `detached`: `attach` goes on with it."""
    from rdev_bridge.model import RunState
    from rdev_bridge.runs.store import RunStore
    from rdev_bridge.wire import run_to_wire

    found = RunStore(options.root_of(args)).all()
    shown = found if args.all else found[:_SHOWN]
    runs = [(folder.snapshot(stored), folder) for folder, stored in shown]
    if args.output == "jsonl":
        for one, _ in runs:
            print(json.dumps(run_to_wire(one), ensure_ascii=False))
        return 0
    now = datetime.now(UTC)
    rows = [("RUN", "WHAT", "STATE", "EXIT", "STARTED", "TOOK")]
    for one, folder in runs:
        detached = one.state is not RunState.FINISHED and not folder.is_owned()
        rows.append(row_of(one, now, detached=detached))
    print_table(rows)
    if len(shown) < len(found):
        print(f"{len(found) - len(shown)} more: rdev-bridge runs --all", file=sys.stderr)
    return 0


def row_of(run: Run, now: datetime, *, detached: bool) -> tuple[str, str, str, str, str, str]:
    """One line of the table."""
    what = run.task or " ".join(run.command.split())
    state = "detached" if detached else (run.outcome or run.state).value
    age = short_time((now - run.started_at).total_seconds())
    took = "" if run.duration_ms is None else short_time(run.duration_ms / 1000)
    code = "" if run.exit_code is None else str(run.exit_code)
    return run.run_id, visible(what), state, code, f"{age} ago", took


def short_time(seconds: float) -> str:
    """`0.4s`, `12s`, `3m`, `5h`, `2d`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def print_table(rows: list[tuple[str, str, str, str, str, str]]) -> None:
    """Columns as wide as they must be; the second gives way where the terminal is narrow."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if sys.stdout.isatty():
        spare = shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths)
        widths[1] = max(12, widths[1] + min(spare, 0))
    else:
        widths[1] = min(widths[1], 60)
    for row in rows:
        cells = [
            cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(row, widths, strict=True)
        ]
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
