"""`rdev.showOutput`: a run's log in the editor, or its path where the editor cannot open it for us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.editor.peer import Unanswered
from rdev_bridge.editor.wording import title_of
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.model import Run

_INFO = 3  # MessageType


class ShowOutputParams(msgspec.Struct, rename="camel"):
    """`run`: a run's id, or a task for its newest run; without it, the newest run of all."""

    run: str | None = None
    run_id: str | None = None
    task: str | None = None


def choose(params: ShowOutputParams, runs: Sequence[Run]) -> Run:
    """The run that is meant; `runs` are newest first. Raises UsageError."""
    wanted = params.run or params.run_id or params.task
    for run in runs:
        if wanted is None or wanted == run.run_id or (run.task is not None and wanted.split(":")[-1] == run.task):
            return run
    raise UsageError("nothing has run yet" if wanted is None else f"no run is known of {wanted!r}")


async def show(run: Run, peer: Peer, client: Client) -> None:
    """Open the log, or say where it is."""
    if client.show_document:
        try:
            answer = await peer.ask("window/showDocument", {"uri": run.log_path.as_uri(), "takeFocus": True})
        except Unanswered:
            answer = None
        if isinstance(answer, dict) and answer.get("success") is True:
            return
    text = f"The output of {title_of(run)} is in {run.log_path}"
    peer.notify("window/showMessage", {"type": _INFO, "message": text})
