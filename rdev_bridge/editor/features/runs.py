"""`rdev/runs`, `rdev/cancel`, `rdev/readOutput` and `rdev/attach`: what an editor can do with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from rdev_bridge.editor.sanitize import plain
from rdev_bridge.errors import UsageError
from rdev_bridge.wire import run_to_wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdev_bridge.model import Run

READ_LIMIT = 10_000


class RunIdParams(msgspec.Struct, rename="camel"):
    """`{runId}`."""

    run_id: str


class ReadOutputParams(msgspec.Struct, rename="camel"):
    """`{runId, seq, limit}`: lines from `seq` on, at most `limit` (and never more than `READ_LIMIT` at once)."""

    run_id: str
    seq: Annotated[int, msgspec.Meta(ge=0)]
    limit: Annotated[int, msgspec.Meta(ge=1)]


class AttachParams(msgspec.Struct, rename="camel"):
    """`{runId, seq?}`: without `seq`, from the line after the last one that somebody has seen."""

    run_id: str
    seq: Annotated[int, msgspec.Meta(ge=0)] | None = None


def run_for_editor(run: Run) -> dict[str, Any]:
    """A `Run` whose message is safe to show."""
    wire = run_to_wire(run)
    if run.message:
        wire["message"] = plain(run.message)
    return wire


def newest_asked_for(runs: Iterable[Run]) -> Run | None:
    """The first of `runs`, which are newest first, that no other run depends on."""
    return next((run for run in runs if run.parent_run_id is None), None)


def find_run(run_id: str, runs: Iterable[Run]) -> Run:
    """The run of this id. Raises UsageError."""
    for run in runs:
        if run.run_id == run_id:
            return run
    raise UsageError(f"there is no run {run_id!r}; rdev/runs lists those that are known")
