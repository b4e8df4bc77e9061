"""What `watch` shows: output as it comes, and around it a line of state, plain lines, or JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from rdev_bridge.cli.status_line import StatusLine, WatchState, result, shortened
from rdev_bridge.model import Outcome, Stream, TriggerKind
from rdev_bridge.wire import connection_to_wire, run_to_wire, trigger_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdev_bridge.model import Connection, Run, Trigger
    from rdev_bridge.runs.observer import OutputBatch

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_NAMED_FILES = 3


class WatchFace:
    """A `RunObserver` for the terminal. `form` is `status` (a terminal), `plain` or `jsonl`.

    `on_idle` is called whenever nothing runs or waits any more, `on_gone` when nobody reads our output any more.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        form: str,
        *,
        clear: bool,
        on_idle: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self.state = WatchState(name)
        self._folder, self._form, self._clear, self._on_idle = folder, form, clear, on_idle
        self._on_gone = on_gone
        self._line = StatusLine(sys.stderr) if form == "status" else None
        self._unfinished: dict[str, bool] = {}  # run id to whether it runs; the runs that somebody asked for
        self._writing = False
        self._closed = False

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The runs that run or wait, without those that only serve another one."""
        return tuple(self._unfinished)

    def draw(self) -> None:
        """Show the state as it is now."""
        if self._line is not None and not self._writing and not self._closed:
            self._line.show(self.state)

    def say(self, text: str) -> None:
        """A line of our own that stays."""
        if self._line is not None:
            self._line.say(text)
            self.draw()
        else:
            print(f"rdev-bridge: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal with the cursor at the start of an empty line."""
        self._closed = True
        if self._line is not None:
            self._line.hide()

    async def run_queued(self, run: Run) -> None:
        """A run waits for its turn."""
        if run.parent_run_id is None:
            self._unfinished[run.run_id] = False
            self._update()

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """A run began: say why."""
        await self._event("runStarted", run=run_to_wire(run), trigger=trigger_to_wire(trigger))
        if run.parent_run_id is not None:
            return
        self._unfinished[run.run_id] = True
        self.state.running_since_s, self.state.why = time.monotonic(), self._why(trigger)
        self.state.cancelling = False
        if self._line is not None and self._clear:
            self._line.hide()
            await self._write(Stream.STDOUT, _CLEAR)
        if self._form != "jsonl":
            why = f": {self.state.why}" if self.state.why else ""
            self.say(
                f"{'── ' if self._line else ''}{time.strftime('%H:%M:%S')} {shortened(self.state.name, 60)} runs{why}"
            )
        self._update()

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Output goes on."""
        if self._form == "jsonl":
            seq = batch.seq
            events = []
            for chunk in batch.lines:
                for text in chunk.lines:
                    events.append(_line("output", runId=run.run_id, seq=seq, stream=chunk.stream.value, line=text))
                    seq += 1
            await self._write(Stream.STDOUT, "".join(events), errors="backslashreplace")
            return
        if self._line is not None:
            self._line.hide()
        for chunk in batch.pieces:
            if chunk.lines:
                await self._write(chunk.stream, chunk.text())
                if self._line is not None:
                    self._line.printed(ended=chunk.ended)
        self.draw()

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """Lines are gone for good."""
        if self._form == "jsonl":
            await self._event("outputGap", runId=run.run_id, seq=seq, missing=missing)
        else:
            self.say(
                f"{'some' if missing is None else missing} lines of output are lost: the server no longer has them"
            )

    async def run_finished(self, run: Run) -> None:
        """A run ended."""
        if run.outcome is not Outcome.SUPERSEDED or self._unfinished.get(run.run_id):
            await self._event("runFinished", run=run_to_wire(run))
        ran = self._unfinished.pop(run.run_id, None)
        if run.parent_run_id is None and ran is not None:
            if ran:
                self.state.last = run
            if self._line is not None and not self._unfinished:
                self._line.settle()
            if run.message and self._form != "jsonl":
                self.say(run.message)
            if self._form == "plain" and ran:
                self.say(
                    f"{shortened(self.state.name, 60)} {result(run)}{'' if self._unfinished else '; waits for changes'}"
                )
        self._update()
        if not self._unfinished:
            self._on_idle()

    async def connection_changed(self, connection: Connection) -> None:
        """The stream to a server is lost or back."""
        await self._event("connection", **connection_to_wire(connection))
        if self._form != "jsonl" and connection.message:
            self.say(connection.message)

    def _update(self) -> None:
        running = [run_id for run_id, runs in self._unfinished.items() if runs]
        self.state.queued = len(running) < len(self._unfinished)
        if not running:
            self.state.running_since_s, self.state.cancelling = None, False
        self.draw()

    def _why(self, trigger: Trigger) -> str:
        if trigger.kind not in {TriggerKind.CHANGE, TriggerKind.SAVE}:
            return ""
        names = [str(path.relative_to(self._folder)) for path in trigger.files[:_NAMED_FILES]]
        more = len(trigger.files) - len(names)
        return f"{', '.join(names)}{f' and {more} more' if more else ''} changed"

    async def _write(self, stream: Stream, text: str, *, errors: str = "surrogatepass") -> None:
        """To the terminal or pipe, off the loop: a reader that does not read holds up the stream, not the keys."""
        target = sys.stdout if stream is Stream.STDOUT else sys.stderr
        data = text.encode("utf-8", errors)

        def write() -> None:
            target.buffer.write(data)
            target.buffer.flush()

        self._writing = True
        try:
            await asyncio.to_thread(write)
        except OSError:
            self._on_gone()
        finally:
            self._writing = False

    async def _event(self, event: str, **fields: Any) -> None:
        if self._form == "jsonl":
            await self._write(Stream.STDOUT, _line(event, **fields), errors="backslashreplace")


def _line(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n"
