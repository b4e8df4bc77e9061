"""One run's output on its way to the observers: counted, kept in the log, handed on, in this order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rdev_bridge.runs.assemble import without_first
from rdev_bridge.runs.observer import OutputBatch, SyncObserver
from rdev_bridge.runs.records import pack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from rdev_bridge.model import Chunk, Connection, Run, SyncProgress, Trigger
    from rdev_bridge.runs.assemble import Assembler
    from rdev_bridge.runs.log import LogWriter
    from rdev_bridge.runs.observer import RunObserver

_log = logging.getLogger(__name__)


class Audience:
    """The observers, told one after the other. One that fails is left out of that call and the others go on."""

    def __init__(self, observers: Sequence[RunObserver] = ()) -> None:
        self._observers = observers

    async def run_queued(self, run: Run) -> None:
        """See RunObserver; so are the others."""
        await self._tell(lambda face: face.run_queued(run))

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        await self._tell(lambda face: face.run_started(run, trigger))

    async def output(self, run: Run, batch: OutputBatch) -> None:
        await self._tell(lambda face: face.output(run, batch))

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        await self._tell(lambda face: face.output_gap(run, seq, missing))

    async def run_finished(self, snapshot: Callable[[], Run]) -> None:
        """Each face gets the snapshot that the ones before it completed (with diagnostics, say)."""
        await self._tell(lambda face: face.run_finished(snapshot()))

    async def connection_changed(self, connection: Connection) -> None:
        await self._tell(lambda face: face.connection_changed(connection))

    def sync_progressed(self, run: Run, progress: SyncProgress) -> None:
        """See SyncObserver."""
        for observer in self._observers:
            if isinstance(observer, SyncObserver):
                observer.sync_progressed(run, progress)

    async def _tell(self, call: Callable[[RunObserver], Awaitable[Any]]) -> None:
        for observer in self._observers:
            try:
                await call(observer)
            except Exception:
                _log.exception("a face of the bridge failed")


class Relay:
    """`writer` is None while the log is replayed, and for a second reader, who leaves it to the run's owner.

    `offset` is where the run's log stands after what was taken. `is_handing_on` says that an observer has not yet taken
    what it was given. Lines before number `from_seq` are kept back.
    """

    def __init__(
        self, audience: Audience, snapshot: Callable[[int], Run], assembler: Assembler, offset: int = 0
    ) -> None:
        self.assembler = assembler
        self.writer: LogWriter | None = None
        self._audience = audience
        self._snapshot = snapshot  # the run, with so many lines
        self.offset = offset
        self.is_handing_on = False
        self.from_seq = 0

    async def arrived(self, pieces: Sequence[Chunk], position: str | None) -> None:
        """Output from the server; returns once every observer took it."""
        raw, parts = pack(pieces)
        size = sum(map(len, raw))
        seq = self.assembler.seq
        lines = self.assembler.feed(pieces, size)
        if self.writer is not None:
            self.writer.append(raw, parts, self.assembler.seq, clean=self.assembler.is_clean, position=position)
        self.offset += size
        await self._hand_on(OutputBatch(seq, lines, pieces, self.offset, raw))

    async def replay(self, seq: int, lines: Sequence[Chunk], pieces: Sequence[Chunk], offset: int) -> None:
        """Output that the log held already."""
        self.offset = offset
        await self._hand_on(OutputBatch(seq, lines, pieces, offset, pack(pieces)[0]))

    async def missing(self, missing: int | None, position: str | None) -> None:
        """The server can no longer send what came here; a line in the middle stays without its end."""
        await self._flush(self.offset)
        seq = self.assembler.seq
        self.assembler.seq += missing or 0
        if self.writer is not None:
            self.writer.append_gap(missing, seq_end=self.assembler.seq, position=position)
        await self._audience.output_gap(self._snapshot(self.assembler.seq), seq, missing)

    def close(self) -> None:
        """Let go of the log."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    async def ended(self) -> None:
        """No more comes; a last line without a line end counts as it is, and its missing end as one byte."""
        await self._flush(self.offset + 1)

    async def _flush(self, end_offset: int) -> None:
        seq = self.assembler.seq
        lines = self.assembler.flush()
        if lines:
            await self._hand_on(OutputBatch(seq, lines, (), end_offset))

    async def _hand_on(self, batch: OutputBatch) -> None:
        if batch.seq < self.from_seq:
            rest = without_first(batch.lines, self.from_seq - batch.seq)
            batch = OutputBatch(self.from_seq, rest, rest, batch.end_offset, pack(rest)[0])
        self.is_handing_on = True
        await self._audience.output(self._snapshot(self.assembler.seq), batch)
        self.is_handing_on = False
