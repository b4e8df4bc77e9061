"""What `run.json` holds: enough to show a run, and to find its command again. Never a key, never an environment."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it when it decodes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.model import DiagnosticCounts, EmbeddedServer, OnClientExit, Outcome, Run, RunState

if TYPE_CHECKING:
    from rdev_bridge.model import Target


class StoredTarget(msgspec.Struct):
    """Where the run went. `url` is None for an embedded server, which serves `folder`."""

    server: str
    project: str
    folder: str | None = None
    url: str | None = None
    remote_root: str | None = None

    @classmethod
    def of(cls, target: Target) -> StoredTarget:
        """What of `target` is kept on disk: never a key."""
        server = target.server
        stored = cls(server.name, target.project, remote_root=target.remote_root)
        if isinstance(server, EmbeddedServer):
            stored.folder = str(server.folder)
        else:
            stored.url = server.url
        return stored


class StoredRun(msgspec.Struct, omit_defaults=True):
    """`run.json`: the last snapshot that was worth keeping, and the way back to the command."""

    run_id: str
    command: str
    folder: str
    project: str
    server: str
    state: RunState
    started_at: datetime
    target: StoredTarget
    task: str | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    duration_ms: int | None = None
    lines: int = 0
    errors: int | None = None
    warnings: int = 0
    unmapped: int = 0
    message: str | None = None
    reason: str | None = None
    parent_run_id: str | None = None
    workspace_state: str | None = None
    stale: bool = False
    on_client_exit: OnClientExit = OnClientExit.CANCEL
    timeout_s: float | None = None
    command_started_at: datetime | None = None
    binding: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        run: Run,
        target: StoredTarget,
        *,
        on_client_exit: OnClientExit,
        timeout_s: float | None,
        command_started_at: datetime | None,
        binding: dict[str, Any] | None,
    ) -> StoredRun:
        """What is kept of `run`."""
        counts = run.diagnostics
        return cls(
            run_id=run.run_id,
            command=run.command,
            folder=str(run.folder),
            project=run.project,
            server=run.server,
            state=run.state,
            started_at=run.started_at,
            target=target,
            task=run.task,
            outcome=run.outcome,
            exit_code=run.exit_code,
            duration_ms=run.duration_ms,
            lines=run.lines,
            errors=counts.errors if counts else None,
            warnings=counts.warnings if counts else 0,
            unmapped=counts.unmapped if counts else 0,
            message=run.message,
            reason=run.reason,
            parent_run_id=run.parent_run_id,
            workspace_state=run.workspace_state,
            stale=run.stale,
            on_client_exit=on_client_exit,
            timeout_s=timeout_s,
            command_started_at=command_started_at,
            binding=binding,
        )

    def to_run(self, log_path: Path) -> Run:
        """The snapshot."""
        counts = None if self.errors is None else DiagnosticCounts(self.errors, self.warnings, self.unmapped)
        return Run(
            run_id=self.run_id,
            command=self.command,
            folder=Path(self.folder),
            project=self.project,
            server=self.server,
            state=self.state,
            started_at=self.started_at,
            log_path=log_path,
            task=self.task,
            outcome=self.outcome,
            exit_code=self.exit_code,
            duration_ms=self.duration_ms,
            lines=self.lines,
            diagnostics=counts,
            message=self.message,
            reason=self.reason,
            parent_run_id=self.parent_run_id,
            workspace_state=self.workspace_state,
            stale=self.stale,
        )
