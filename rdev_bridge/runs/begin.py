"""What a request becomes: a run with a name, a folder on disk and all that is decided before its turn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rdev_bridge.model import OnClientExit, Run, RunState
from rdev_bridge.runs.live import LiveRun
from rdev_bridge.runs.spec import spec_of
from rdev_bridge.runs.stored import StoredTarget

if TYPE_CHECKING:
    from rdev_bridge.model import RunRequest
    from rdev_bridge.runs.dependencies import Needs
    from rdev_bridge.runs.relay import Audience
    from rdev_bridge.runs.surroundings import Surroundings


def begin(request: RunRequest, needs: Needs | None, around: Surroundings, audience: Audience) -> LiveRun:
    """The run of `request`, which waits for its turn and belongs to this process.

    Raises UsageError, SettingsError for one that can never run, RdevError where no record of it can be kept.
    """
    target = around.target_of(request)
    spec = spec_of(request, target, around.paths_of(request, target))
    folder, mark = around.store(request.folder).begin()
    task = request.task
    run = Run(
        run_id=folder.run_id,
        command=spec.command,
        folder=request.folder,
        project=target.project,
        server=target.server.name,
        state=RunState.QUEUED,
        started_at=datetime.now(UTC),
        log_path=folder.log_path,
        task=task.name if task else None,
        parent_run_id=request.parent_run_id,
    )
    return LiveRun(
        run=run,
        folder=folder,
        trigger=request.trigger,
        target=target,
        stored_target=StoredTarget.of(target),
        audience=audience,
        mark=mark,
        on_client_exit=request.on_client_exit or (task.on_client_exit if task else OnClientExit.CANCEL),
        timeout_s=request.timeout_s if request.timeout_s is not None else (task.timeout_s if task else None),
        request=request,
        spec=spec,
        needs=needs,
        line=(request.folder, task.name if task else spec.command, task is not None),
        needed_by={request.parent_run_id} if request.parent_run_id else set(),
    )
