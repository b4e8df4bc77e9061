"""The barrier: what a task's `sync` asks for, done before its run starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdev_bridge import places
from rdev_bridge.model import ConflictPolicy, EmbeddedServer, SyncCommand, SyncProgress, SyncResult
from rdev_bridge.sync.command import run_command
from rdev_bridge.sync.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from rdev_bridge.model import Target, Task
    from rdev_bridge.sync.shell import Shell


class Barrier:
    """Brings a workspace to where its tasks run. One object serves all tasks and folders of a bridge."""

    async def __call__(
        self,
        task: Task,
        target: Target,
        connector: Shell,
        folder: Path,
        changed: Collection[Path] | None = None,
        progress: Callable[[SyncProgress], None] = lambda _: None,
        *,
        consent: bool,
        conflict: ConflictPolicy = ConflictPolicy.FAIL,
    ) -> SyncResult:
        """Return once the run may start.

        `changed` is every path of the workspace that changed since the last barrier of this folder; None (unknown)
        costs one scan. `consent` says that the workspace is trusted or that the user named this task: without it no
        command of the workspace runs here.

        Raises SyncError; the run must not start then. Cancelling stops what is under way.
        """
        match task.sync:
            case None:
                return SyncResult()
            case SyncCommand() as command:
                if not consent:
                    raise SyncError(
                        f"the sync command of {task.name} waits for your trust in this workspace: "
                        f"`rdev-bridge trust`, or run the task by its name",
                        reason="untrusted",
                    )
                progress(SyncProgress("command"))
                await run_command(command, folder)
                return SyncResult()
        if isinstance(target.server, EmbeddedServer) and places.workspace_key(
            target.server.folder
        ) == places.workspace_key(folder):
            return SyncResult()
        raise SyncError("push is not there yet")
