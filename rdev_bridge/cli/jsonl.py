"""`--output jsonl`: one JSON object a line on stdout, and nothing else there (contract, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.cli.outlet import Outlet
from rdev_bridge.runs.records import to_utf8
from rdev_bridge.wire import connection_to_wire, run_to_wire, trigger_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdev_bridge.model import Connection, Run, Trigger
    from rdev_bridge.runs.mark import DeliveredMark
    from rdev_bridge.runs.observer import OutputBatch

_WRITE_BYTES = 4096


class _Output(msgspec.Struct, rename="camel", tag_field="event", tag="output"):
    run_id: str
    seq: int
    stream: str
    line: str


_encode = msgspec.json.Encoder().encode


class JsonlFace:
    """A `RunObserver`. `broken`, `mark_of` and `repeats` are as in `TerminalFace`."""

    def __init__(self, broken: Callable[[OSError], None]) -> None:
        self.mark_of: Callable[[str], DeliveredMark | None] = lambda _: None
        self.repeats = False
        self._broken = broken
        self._outlet = Outlet(1)
        self._is_closed = False

    async def run_queued(self, run: Run) -> None:
        """No event: `runStarted` follows, or `runFinished` alone."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """`{"event": "runStarted", "run", "trigger"}`."""
        await self._event("runStarted", run=run_to_wire(run), trigger=trigger_to_wire(trigger))

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """`{"event": "output", "runId", "seq", "stream", "line"}` for each line."""
        mark = None if self.repeats else self.mark_of(run.run_id)
        # Where each line came whole, each has its place in the log, so that the mark can follow line by line.
        exact = batch.lines is batch.pieces
        at = batch.end_offset - sum(map(len, batch.raw))
        seq, waiting = batch.seq, bytearray()
        for chunk in batch.lines:
            for line in chunk.lines:
                data = _line(run.run_id, seq, chunk.stream.value, line)
                if waiting and len(waiting) + len(data) > _WRITE_BYTES:
                    await self._write(waiting, at if exact else None, mark)
                    waiting.clear()
                waiting += data
                seq += 1
                if exact:
                    at += len(to_utf8(line)) + 1
        await self._write(waiting, batch.end_offset, mark)

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """`{"event": "outputGap", "runId", "seq", "missing"}`."""
        await self._event("outputGap", runId=run.run_id, seq=seq, missing=missing)

    async def run_finished(self, run: Run) -> None:
        """`{"event": "runFinished", "run"}`."""
        await self._event("runFinished", run=run_to_wire(run))

    async def run_stale(self, run: Run) -> None:
        """`{"event": "runStale", "run"}`: a file that it watches changed after it began."""
        await self._event("runStale", run=run_to_wire(run))

    async def connection_changed(self, connection: Connection) -> None:
        """`{"event": "connection", …}`."""
        await self._event("connection", **connection_to_wire(connection))

    async def _event(self, event: str, **fields: Any) -> None:
        await self._write(_encode({"event": event, **fields}) + b"\n", None, None)

    async def _write(self, data: bytes | bytearray, end: int | None, mark: DeliveredMark | None) -> None:
        if self._is_closed:
            return
        try:
            if end is None or mark is None:
                await self._outlet.write(bytes(data))
            else:
                await self._outlet.write_whole(bytes(data), end, mark)
        except OSError as error:
            self._is_closed = True
            self._broken(error)


def _line(run_id: str, seq: int, stream: str, line: str) -> bytes:
    try:
        return _encode(_Output(run_id, seq, stream, line)) + b"\n"
    except UnicodeEncodeError:
        return _encode(_Output(run_id, seq, stream, to_utf8(line).decode())) + b"\n"
