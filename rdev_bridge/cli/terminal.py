"""The terminal as an observer of runs: the remote's stdout and stderr, byte for byte, and few words of our own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rdev_bridge.cli.outlet import Outlet
from rdev_bridge.cli.sync_line import SyncLine
from rdev_bridge.core.shown import one_line
from rdev_bridge.model import ConnectionState, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdev_bridge.model import Connection, Run, SyncProgress, Trigger
    from rdev_bridge.runs.mark import DeliveredMark
    from rdev_bridge.runs.observer import OutputBatch

_AFTER_CANCEL_BYTES = 256 * 1024  # as much as pipes would hold of it


def say(text: str) -> None:
    """One line of the bridge's own on stderr; what it quotes steers no terminal, and nobody may be reading."""
    try:
        print(f"rdev-bridge: {one_line(text)}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open("/dev/null", "w", encoding="utf-8")  # noqa: PTH123, SIM115 - held for the rest of our life


def hint(text: str) -> None:
    """`say` to a person; a script that reads stderr is not told what only helps along."""
    if sys.stderr.isatty():
        say(text)


class TerminalFace:
    """A `RunObserver`. Long lines are passed on as they come, and no line end is printed that was not there.

    `broken` is called once when nobody reads our stdout any more, or it cannot be written. `mark_of` knows how much of
    a run was delivered; with `repeats`, what was delivered before is printed again. `say` prints our own words.
    """

    def __init__(self, broken: Callable[[OSError], None]) -> None:
        self.say: Callable[[str], None] = say
        self.mark_of: Callable[[str], DeliveredMark | None] = lambda _: None
        self.repeats = False
        self._broken = broken
        self._outlets = {Stream.STDOUT: Outlet(1), Stream.STDERR: Outlet(2)}
        self._closed: set[Stream] = set()
        self._reconnecting = False
        self._logs: dict[str, int] = {}
        self._sync_line = SyncLine()
        self._left_bytes: int | None = None
        self._unshown: set[str] = set()

    def cancelling(self) -> None:
        """A person at the terminal cancels: what the server holds of a flood could go on for minutes, so it stops here.

        The log takes all of it, and the run's mark stays where the terminal is.
        """
        if self._left_bytes is None and sys.stdout.isatty():
            self._left_bytes = _AFTER_CANCEL_BYTES

    @property
    def is_hushed(self) -> bool:
        """Whether output is kept from the terminal."""
        return self._left_bytes is not None and self._left_bytes < 0

    def sync_progressed(self, run: Run, progress: SyncProgress) -> None:
        """Said only where it takes a while."""
        del run
        self._sync_line.progressed(progress)

    async def run_queued(self, run: Run) -> None:
        """It waits for its turn."""
        self.say(f"{run.task or run.run_id} waits for another run of it to end")

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """Nothing to say: the output speaks."""
        del trigger
        self._left_bytes = None
        mark = self.mark_of(run.run_id)
        if mark is not None and not self.repeats:
            self._outlets[Stream.STDOUT].names_itself_in(mark)

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Write it; returns when it is written, which is the backpressure."""
        self._sync_line.end()
        if self.is_hushed:
            self._unshown.add(run.run_id)
            return
        size = sum(map(len, batch.raw))
        if self._left_bytes is not None:
            self._left_bytes -= size
        mark = self.mark_of(run.run_id)
        at = batch.end_offset - size
        for piece, data in zip(batch.pieces, batch.raw, strict=True):
            if piece.stream not in self._closed:
                try:
                    if mark is None or self.repeats:
                        await self._outlets[piece.stream].write(data)
                    else:
                        await self._outlets[piece.stream].write_marked(data, at, mark, self._log_of(run))
                except OSError as error:
                    self._close(piece.stream, error)
            at += len(data)
        if mark is not None and not self._closed:
            mark.advance(batch.end_offset)

    def _log_of(self, run: Run) -> int:
        if run.run_id not in self._logs:
            self._logs[run.run_id] = os.open(run.log_path, os.O_RDONLY | os.O_CLOEXEC)
        return self._logs[run.run_id]

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """Lines are gone for good."""
        del run, seq
        many = "an unknown number of lines" if missing is None else "1 line" if missing == 1 else f"{missing} lines"
        self.say(f"{many} of output lost here: the server no longer has them")

    async def run_finished(self, run: Run) -> None:
        """Nothing to print: the exit code speaks, and the reason of a failure of ours comes last."""
        self._sync_line.end()
        if run.run_id in self._unshown:
            self._unshown.discard(run.run_id)
            self.say(f"the rest of its output is in {run.log_path}")
        if (log := self._logs.pop(run.run_id, None)) is not None:
            os.close(log)

    async def connection_changed(self, connection: Connection) -> None:
        """Only where it matters: when the stream breaks, and when it is whole again."""
        reason = f": {connection.message}" if connection.message else ""
        match connection.state:
            case ConnectionState.RECONNECTING | ConnectionState.OFFLINE if not self._reconnecting:
                self._reconnecting = True
                if not connection.is_start:
                    self.say(f"connection to {connection.server} lost{reason}; reconnecting, the command goes on")
                elif sys.stderr.isatty():  # a script learns the outcome alone, in one line
                    self._sync_line.end()
                    self.say(f"waiting{reason or f' for {connection.server}'}")
            case ConnectionState.RESUMED if self._reconnecting:
                self._reconnecting = False
                self.say(f"connection to {connection.server} resumed")
            case ConnectionState.CONNECTED:
                self._reconnecting = False
                if connection.message:
                    self.say(connection.message)
            case _:
                pass

    def _close(self, stream: Stream, error: OSError) -> None:
        self._closed.add(stream)
        if stream is Stream.STDOUT:
            self._broken(error)
