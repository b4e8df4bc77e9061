"""What the runner needs from the house around it; `app.py` provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rdev_bridge.core.paths import PathMap
    from rdev_bridge.model import RunRequest, SyncProgress, SyncResult, Target, Task
    from rdev_bridge.remote.connect import Connector
    from rdev_bridge.remote.shell import ToldShell
    from rdev_bridge.runs.store import RunStore
    from rdev_bridge.runs.stored import StoredTarget


class Surroundings(Protocol):
    """Settings, connections, history and the barrier, as the runner sees them."""

    def target_of(self, request: RunRequest) -> Target:
        """Where this request goes. Raises UsageError, SettingsError."""

    def stored_target(self, stored: StoredTarget, folder: Path) -> Target:
        """Where an earlier run went; its key is looked up afresh. Raises RdevError without that server."""

    def tasks_of(self, folder: Path) -> Mapping[str, Task]:
        """The tasks of one folder by name."""

    async def connector(self, target: Target) -> Connector:
        """An open connection, shared by the runs that go there. Raises RdevError, SettingsError."""

    async def synchronise(
        self, request: RunRequest, target: Target, shell: ToldShell, progress: Callable[[SyncProgress], None]
    ) -> SyncResult:
        """The barrier before a run. Raises SyncError: then the run must not start."""

    def paths_of(self, request: RunRequest, target: Target) -> PathMap:
        """How the server's paths and the workspace's belong together."""

    def store(self, folder: Path) -> RunStore:
        """The history of one folder."""

    def stores(self) -> Sequence[RunStore]:
        """The histories of all open folders."""
