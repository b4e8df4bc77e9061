"""What a face of the bridge sees of a run: `RunObserver`, and the output that it is handed, `OutputBatch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdev_bridge.model import Chunk, Connection, Run, SyncProgress, Trigger


class OutputBatch(msgspec.Struct, frozen=True):
    """Output that arrived together.

    `lines` are whole lines, and `seq` is the number of the first of them. `pieces` are the chunks as they came, for a
    face that shows a long line while it grows; where no line is in pieces the two are the same list. `end_offset` is
    where the run's log stands after this batch, in bytes (one more after a last line that has no end): the face moves
    the run's mark (`Runner.mark_of`) there once its reader has the output. `raw` are the bytes of `pieces`, one item
    each. Either list may be empty.
    """

    seq: int
    lines: Sequence[Chunk]
    pieces: Sequence[Chunk]
    end_offset: int
    raw: Sequence[bytes] = ()

    @property
    def next_seq(self) -> int:
        """The number of the line after the last of `lines`."""
        return self.seq + sum(len(chunk.lines) for chunk in self.lines)


class RunObserver(Protocol):
    """A face. Every method is awaited before the run goes on, so one that takes its time slows the stream down.

    The calls for one run come one after the other and in this order: `run_queued` (only if it had to wait),
    `run_started`, then `output` and `output_gap`, then `run_finished` exactly once. A run that was queued and never
    started is told by `run_finished` too, without a `run_started`. Calls for different runs interleave.
    """

    async def run_queued(self, run: Run) -> None:
        """The run waits for another one of its task."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """The bridge works on it: dependencies, sync and the start call come next."""

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Its output goes on."""

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """`missing` lines from number `seq` on are gone for good (None: nobody knows how many)."""

    async def run_finished(self, run: Run) -> None:
        """It is over: nothing of it is alive, or `run.outcome` says that this could not be learnt."""

    async def connection_changed(self, connection: Connection) -> None:
        """How a server's stream is doing."""


@runtime_checkable
class SyncObserver(Protocol):
    """A face that also shows how far the sync before a run is. Called often, and must return at once."""

    def sync_progressed(self, run: Run, progress: SyncProgress) -> None:
        """The workspace is on its way; `run_started` was before, and no output comes until it is there."""
