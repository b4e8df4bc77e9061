"""`rdev.showOutput`: a run's log in the editor, or its path where the editor cannot open it for us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.editor.features.runs import newest_asked_for
from rdev_bridge.editor.peer import Unanswered
from rdev_bridge.editor.wording import title_of
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.model import Run, Task

_INFO = 3  # MessageType


class ShowOutputParams(msgspec.Struct, rename="camel"):
    """`run`: a run's id, or a task for its newest run; without it, the newest run that is no other one's dependency.

    With `runId` and `task`: that run, or where it is no longer known, the task's newest one.
    """

    run: str | None = None
    run_id: str | None = None
    task: str | None = None


def choose(params: ShowOutputParams, runs: Sequence[Run], tasks: Mapping[str, Task]) -> Run:
    """The run that is meant; `runs` are newest first, `tasks` are by id. Raises UsageError."""
    wanted = [one for one in (params.run_id, params.run, params.task) if one is not None]
    for name in wanted:
        task = tasks.get(name)
        for run in runs:
            if run.run_id == name or (run.task == name if task is None else _is_of(task, run)):
                return run
    newest = newest_asked_for(runs)
    if not wanted and newest is not None:
        return newest
    raise UsageError(f"no run is known of {wanted[-1]!r}" if wanted else "nothing has run yet")


def _is_of(task: Task, run: Run) -> bool:
    return (run.folder, run.task) == (task.folder, task.name)


def show(run: Run, peer: Peer, client: Client) -> None:
    """Open the log, or say where it is.

    The latter at once, before the request is answered: what comes behind an answer in one read is left lying in
    Emacs 28 until more comes (golang/go#54559).
    """
    if client.show_document:
        peer.spawn(_open(run, peer))
    else:
        _say_where(run, peer)


async def _open(run: Run, peer: Peer) -> None:
    try:
        answer = await peer.ask("window/showDocument", {"uri": run.log_path.as_uri(), "takeFocus": True})
    except Unanswered:
        answer = None
    if not (isinstance(answer, dict) and answer.get("success") is True):
        _say_where(run, peer)


def _say_where(run: Run, peer: Peer) -> None:
    text = f"The output of {title_of(run)} is in {run.log_path}"
    peer.notify("window/showMessage", {"type": _INFO, "message": text})
