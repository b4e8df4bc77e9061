"""The barrier: what a task's `sync` asks for, done before its run starts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rdev_bridge import places
from rdev_bridge.core.shown import visible
from rdev_bridge.model import ConflictPolicy, EmbeddedServer, SyncCommand, SyncProgress, SyncResult
from rdev_bridge.sync.command import run_command
from rdev_bridge.sync.errors import SyncError
from rdev_bridge.sync.push import Known, Push

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from rdev_bridge.model import Target, Task
    from rdev_bridge.sync.shell import Shell

_ASK_TIMEOUT_S = 10.0


class Barrier:
    """Brings a workspace to where its tasks run. One object serves all tasks and folders of a bridge."""

    def __init__(self) -> None:
        self._known = Known()
        self._turns: dict[Path, asyncio.Lock] = {}

    async def aclose(self) -> None:
        """End what works for it. No barrier is under way then."""
        await self._known.scans.walker.aclose()

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

        `changed` are paths known to have changed since the last barrier of this folder (None: nobody looks). They give
        a push a head start; it finds out by itself what else changed. `consent` says that the workspace is trusted or
        that the user named this task: without it no command of the workspace runs here.

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
        if target.remote_root is None:
            raise await _no_root(task, connector)
        push = Push(connector, folder, target, target.remote_root, changed, progress, conflict, self._known)
        async with self._turns.setdefault(folder, asyncio.Lock()):
            return await push.run()


async def _no_root(task: Task, connector: Shell) -> SyncError:
    """Say what is missing, and where this server starts commands: that is most likely what the user wants."""
    answer = await connector.ask("pwd", timeout_s=_ASK_TIMEOUT_S)
    there = answer.stdout.strip()
    hint = f"; this server starts commands in {visible(there)}" if there.startswith("/") else ""
    return SyncError(
        f'tasks.{task.name}: sync = "push" needs remote_root, the folder on the server that your files go to{hint}; '
        f'set remote_root = "{visible(there) or "/path/on/the/server"}" in rdev.toml if that is the one',
        reason="noRemoteRoot",
    )
