"""A run to speak of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rdev_bridge.model import Run, RunState

if TYPE_CHECKING:
    from pathlib import Path


def a_run(folder: Path, run_id: str = "0abcdefgh", state: RunState = RunState.RUNNING) -> Run:
    return Run(
        run_id=run_id,
        command="true",
        folder=folder,
        project="p",
        server="embedded",
        state=state,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        log_path=folder / "output.log",
    )
