"""The editor as an observer of runs: each event of a run's life becomes the messages that this client understands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rdev_bridge.editor.features.log_message import LogView
from rdev_bridge.editor.features.output import output_frames
from rdev_bridge.editor.features.progress import Progress
from rdev_bridge.editor.features.runs import run_for_editor
from rdev_bridge.editor.peer import notification
from rdev_bridge.editor.sanitize import plain
from rdev_bridge.editor.wording import headline, title_of
from rdev_bridge.model import Outcome, Trigger, TriggerKind
from rdev_bridge.wire import connection_to_wire, trigger_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdev_bridge.editor.channel import Writer
    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.model import Connection, Run, SyncProgress
    from rdev_bridge.runs.mark import DeliveredMark
    from rdev_bridge.runs.observer import OutputBatch

_ERROR, _INFO, _LOG = 1, 3, 4  # MessageType
_TOLD_BY_MESSAGE = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST, Outcome.ERROR})


class EditorFace:
    """A `RunObserver`. What it awaits holds the stream back: the editor's pace is the run's pace.

    The mark of a run (`mark_of`) is advanced when the editor's pipe has taken the output before that place in its log,
    `ended(run)` says whether somebody else tells a person of an end that the editor has heard of.
    """

    def __init__(self, peer: Peer, writer: Writer, client: Client, runs_changed: Callable[[], None]) -> None:
        self._peer, self._writer, self._client = peer, writer, client
        self._runs_changed = runs_changed
        self.progress = Progress(peer)
        self.mark_of: Callable[[str], DeliveredMark | None] = lambda _: None
        self._logs: dict[str, LogView] = {}
        self._started: set[str] = set()
        self._own: dict[str, None] = {}
        self._ends_on_their_way = 0
        self.ended: Callable[[Run], bool] = lambda _: False

    def own_runs(self) -> list[str]:
        """The runs that this editor asked for and that have not ended, those that wait for their turn included."""
        return list(self._own)

    async def run_queued(self, run: Run) -> None:
        """Nothing to say but that the lenses are not what they were."""
        self._own[run.run_id] = None
        self._runs_changed()

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """Say so at once, ahead of other runs' output; but behind an end on its way, which may be what let it start."""
        self._started.add(run.run_id)
        if trigger.kind is not TriggerKind.ATTACH:
            self._own[run.run_id] = None
        if self._client.rdev:
            started = {"run": run_for_editor(run), "trigger": trigger_to_wire(trigger)}
            body = notification("rdev/runStarted", started)
        else:
            view = self._logs[run.run_id] = LogView(run)
            body = view.started(run)
        (self._writer.send_behind if self._ends_on_their_way else self._writer.send)(body)
        if self._client.progress:
            self.progress.started(run)
        self._runs_changed()

    def sync_progressed(self, run: Run, progress: SyncProgress) -> None:
        """Files are on their way to where the run will see them."""
        if self._client.progress:
            self.progress.synced(run, progress)

    async def output(self, run: Run, batch: OutputBatch) -> None:
        """Hand the lines on; returns once there is room, which is the backpressure."""
        view = self._logs.get(run.run_id)
        if self._client.rdev:
            bodies = list(output_frames(run.run_id, batch.seq, batch.lines))
        elif view is not None:
            message = view.output([line for chunk in batch.lines for line in chunk.lines])
            bodies = [] if message is None else [message]
        else:
            bodies = []
        for body in bodies[:-1]:
            await self._writer.send_output(body)
        if bodies:  # else the next message says it, for what is before it may not be written yet
            mark = self.mark_of(run.run_id)  # kept with the message: the run may end before the editor has it
            has_it = None if mark is None else partial(mark.advance, batch.end_offset)
            await self._writer.send_output(bodies[-1], has_it)
        if self._client.progress and batch.lines and batch.lines[-1].lines:
            self.progress.output(run, batch.lines[-1].lines[-1])

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """In the output's lane, where the lines would have been."""
        if self._client.rdev:
            gap = {"runId": run.run_id, "seq": seq, "missing": missing}
            await self._writer.send_output(notification("rdev/outputGap", gap))
        else:
            many = "some lines" if missing is None else f"{missing:,} lines"
            self._log(f"[{title_of(run)}] the server no longer has {many} of this run's output")

    async def run_finished(self, run: Run) -> None:
        """After all of the run's output, exactly once for each start."""
        if run.run_id not in self._started:
            await self.run_started(run, Trigger(TriggerKind.REQUEST))
        self._started.discard(run.run_id)
        self._own.pop(run.run_id, None)
        self.progress.finished(run)
        if self._client.rdev:
            body = notification("rdev/runFinished", {"run": run_for_editor(run)})
        else:
            body = self._logs.pop(run.run_id).finished(run)
        self._ends_on_their_way += 1
        await self._writer.send_output(body, self._end_arrived)
        is_told = self.ended(run)
        if not self._client.rdev and not is_told:
            self._tell_end(run)
        self._runs_changed()

    def _end_arrived(self) -> None:
        self._ends_on_their_way -= 1

    async def connection_changed(self, connection: Connection) -> None:
        """How the server is doing."""
        message = None if connection.message is None else plain(connection.message)
        if self._client.rdev:
            wire = connection_to_wire(connection)
            self._peer.notify("rdev/connection", wire if message is None else wire | {"message": message})
        else:
            self._log(f"{connection.server}: {connection.state.value}. {message or ''}".strip())

    def _tell_end(self, run: Run) -> None:
        """A failure is worth a message; success only where nothing else showed the run."""
        if run.outcome in _TOLD_BY_MESSAGE:
            kind = _ERROR
        elif run.outcome is Outcome.SUCCEEDED and not self._client.progress:
            kind = _INFO
        else:
            return
        text = headline(run)
        if not (self._client.code_actions or self._client.lens_refresh):  # either leads to the output
            text += f". Output: {run.log_path}"
        self._peer.notify("window/showMessage", {"type": kind, "message": text})

    def _log(self, text: str) -> None:
        self._peer.notify("window/logMessage", {"type": _LOG, "message": text})
