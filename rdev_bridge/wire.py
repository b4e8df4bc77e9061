"""The JSON shapes of the contract's section 4, made from the model; shared by `--output jsonl` and the editor.

A field that has no value is left out, times are ISO 8601 UTC, paths travel as file URIs.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from rdev_bridge.model import OnClientExit

if TYPE_CHECKING:
    from datetime import datetime

    from rdev_bridge.model import Connection, Location, Run, Task, Trigger


def task_to_wire(task: Task, *, task_id: str, watching: bool, trusted: bool) -> dict[str, Any]:
    """`Task {id, name, folder, command, description?, group?, watching, trusted, location, onClientExit?}`."""
    return _present(
        id=task_id,
        name=task.name,
        folder=task.folder.as_uri(),
        command=task.command,
        description=task.description,
        group=task.group,
        watching=watching,
        trusted=trusted,
        location=task.location and location_to_wire(task.location),
        onClientExit=None if task.on_client_exit is OnClientExit.CANCEL else task.on_client_exit.value,
    )


def location_to_wire(location: Location) -> dict[str, Any]:
    """An LSP `Location`."""
    return {
        "uri": location.path.as_uri(),
        "range": {
            "start": {"line": location.line, "character": location.start},
            "end": {"line": location.line, "character": location.end},
        },
    }


def run_to_wire(run: Run) -> dict[str, Any]:
    """`Run {runId, task?, command, folder, project, state, …, logUri}`."""
    counts = run.diagnostics
    return _present(
        runId=run.run_id,
        task=run.task,
        command=run.command,
        folder=run.folder.as_uri(),
        project=run.project,
        server=run.server,
        state=run.state.value,
        outcome=run.outcome and run.outcome.value,
        exitCode=run.exit_code,
        startedAt=time_to_wire(run.started_at),
        durationMs=run.duration_ms,
        lines=run.lines,
        diagnostics=counts
        and _present(errors=counts.errors, warnings=counts.warnings, unmapped=counts.unmapped or None),
        message=run.message,
        reason=run.reason,
        logUri=run.log_path.as_uri(),
        parentRunId=run.parent_run_id,
        workspaceState=run.workspace_state,
        stale=run.stale or None,
    )


def trigger_to_wire(trigger: Trigger) -> dict[str, Any]:
    """`{kind, files?}`, files as URIs."""
    return _present(kind=trigger.kind.value, files=[f.as_uri() for f in trigger.files] or None)


def connection_to_wire(connection: Connection) -> dict[str, Any]:
    """`{server, state, attempt?, retryInMs?, message?}`."""
    return _present(
        server=connection.server,
        state=connection.state.value,
        attempt=connection.attempt,
        retryInMs=connection.retry_in_ms,
        message=connection.message,
    )


def time_to_wire(time: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _present(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
