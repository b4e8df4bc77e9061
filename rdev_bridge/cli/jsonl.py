"""`--output jsonl`: one JSON object a line on stdout, and nothing else there (contract, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.cli.outlet import Outlet
from rdev_bridge.runs.records import to_utf8
from rdev_bridge.wire import connection_to_wire, run_to_wire, trigger_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rdev_bridge.model import Connection, Run, Trigger
    from rdev_bridge.runs.mark import DeliveredMark
    from rdev_bridge.runs.observer import OutputBatch


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
        self._latest = ""

    def cancelling(self) -> None:
        """A program gets all of it."""

    async def run_queued(self, run: Run) -> None:
        """No event: `runStarted` follows, or `runFinished` alone."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """`{"event": "runStarted", "run", "trigger"}`."""
        self._latest = run.run_id
        mark = self._mark(run.run_id)
        if mark is not None:
            self._outlet.names_itself_in(mark)
            await self._safely(self._outlet.finish_text(mark))
        await self._event("runStarted", run.run_id, run=run_to_wire(run), trigger=trigger_to_wire(trigger))

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """`{"event": "output", "runId", "seq", "stream", "line"}` for each line."""
        seq, data = batch.seq, bytearray()
        for chunk in batch.lines:
            stream = chunk.stream.value
            for line in chunk.lines:
                data += _line(run.run_id, seq, stream, line)
                seq += 1
        if data:
            await self._write(data, self._mark(run.run_id), batch.end_offset)

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """`{"event": "outputGap", "runId", "seq", "missing"}`."""
        await self._event("outputGap", run.run_id, runId=run.run_id, seq=seq, missing=missing)

    async def run_finished(self, run: Run) -> None:
        """`{"event": "runFinished", "run"}`."""
        await self._event("runFinished", run.run_id, run=run_to_wire(run))

    async def run_stale(self, run: Run) -> None:
        """`{"event": "runStale", "run"}`: a file that it watches changed after it began."""
        await self._event("runStale", run.run_id, run=run_to_wire(run))

    async def connection_changed(self, connection: Connection) -> None:
        """`{"event": "connection", …}`."""
        await self._event("connection", self._latest, **connection_to_wire(connection))

    def _mark(self, run_id: str) -> DeliveredMark | None:
        return None if self.repeats else self.mark_of(run_id)

    async def _event(self, event: str, of_run: str, **fields: Any) -> None:
        await self._write(_encode({"event": event, **fields}) + b"\n", self._mark(of_run))

    async def _write(self, data: bytes | bytearray, mark: DeliveredMark | None, end: int | None = None) -> None:
        """Whole lines; with them the reader has the log up to `end`, or as far as before."""
        if mark is None:
            await self._safely(self._outlet.write(bytes(data)))
        else:
            await self._safely(self._outlet.write_text(bytes(data), mark.offset if end is None else end, mark))

    async def _safely(self, writing: Coroutine[Any, Any, None]) -> None:
        if self._is_closed:
            writing.close()
            return
        try:
            await writing
        except OSError as error:
            self._is_closed = True
            self._broken(error)


def _line(run_id: str, seq: int, stream: str, line: str) -> bytes:
    try:
        return _encode(_Output(run_id, seq, stream, line)) + b"\n"
    except UnicodeEncodeError:
        return _encode(_Output(run_id, seq, stream, to_utf8(line).decode())) + b"\n"
