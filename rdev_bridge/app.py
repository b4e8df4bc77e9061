"""The composition root: builds what the faces use, and takes it down again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from rdev_bridge.core.consent import meaning
from rdev_bridge.errors import SettingsError, UsageError
from rdev_bridge.model import EmbeddedServer, RemoteServer, RunState, SyncProgress, SyncResult, Target
from rdev_bridge.runs.log import LogReader
from rdev_bridge.runs.replay import ReadOutput, Replay
from rdev_bridge.runs.runner import Runner
from rdev_bridge.runs.store import RunStore, find_run
from rdev_bridge.settings import Flags, load_user, load_workspace, path_map, resolve, unknown_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rdev_bridge.core.paths import PathMap
    from rdev_bridge.model import RunRequest, Server, Task
    from rdev_bridge.remote.connect import Connector
    from rdev_bridge.remote.shell import ToldShell
    from rdev_bridge.runs.observer import RunObserver
    from rdev_bridge.runs.stored import StoredTarget
    from rdev_bridge.settings import Workspace
    from rdev_bridge.sync.barrier import Barrier
    from rdev_bridge.trust import Review

_READERS_KEPT = 8
_OPENING_S = 1.0
_CHANGES_KEPT = 10_000


class App:
    """One bridge: some workspace folders, their tasks, and the runner. An async context manager.

    It can be asked for tasks before it is entered; a run needs it entered. Leaving it ends the runs that are to end
    with the bridge and lets go of the others. `observers` may grow at any time. `vouched_for` says that the user's
    editor trusts the workspace itself.
    A wrong `rdev.toml` raises SettingsError only from what needs it.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        environ: Mapping[str, str],
        flags: Flags | None = None,
        observers: Sequence[RunObserver] = (),
    ) -> None:
        self.environ = environ
        self.flags = flags or Flags()
        self.observers = list(observers)
        self.vouched_for = False
        self.runner = Runner(self, self.observers)
        self._workspaces: dict[Path, Workspace] = {}
        self._errors: dict[Path, SettingsError] = {}
        self._stores: dict[Path, RunStore] = {}
        self._connectors: dict[Target, asyncio.Task[Connector]] = {}
        self._readers: dict[str, LogReader] = {}
        self._barrier: Barrier | None = None
        self._changed: dict[Path, dict[Path, None]] = {}
        self._folders = list(folders)
        self.reload()

    async def __aenter__(self) -> Self:
        self._group = asyncio.TaskGroup()
        self.runner.group = await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        async with AsyncExitStack() as last_to_first:
            last_to_first.push_async_callback(self._close_barrier)
            last_to_first.push_async_callback(self._close_connectors)
            last_to_first.push_async_callback(self._group.__aexit__, None, None, None)
            await self.runner.close()

    async def _close_connectors(self) -> None:
        openings = self._connectors.values()
        if openings:
            _, late = await asyncio.wait(openings, timeout=_OPENING_S)
            for opening in late:
                opening.cancel()
        for outcome in await asyncio.gather(*openings, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                await outcome.aclose()

    async def _close_barrier(self) -> None:
        if self._barrier is not None:
            await self._barrier.aclose()

    # ── settings ──

    @property
    def folders(self) -> Sequence[Path]:
        """The open workspace folders, in the order in which they were opened."""
        return self._folders

    async def set_folders(self, folders: Sequence[Path]) -> None:
        """Open and close folders; the runs of a folder that was closed go on."""
        self._folders = list(folders)
        self.reload()

    def reload(self) -> None:
        """Read every `rdev.toml` again. Where one is wrong, its last good tasks stay and `settings_errors` tells."""
        self._errors.clear()
        for folder in self._folders:
            try:
                self._workspaces[folder] = load_workspace(folder)
            except SettingsError as error:
                self._errors[error.path or folder] = error

    def settings_errors(self) -> dict[Path, SettingsError]:
        """What is wrong, by configuration file."""
        return dict(self._errors)

    def reference_errors(self) -> list[SettingsError]:
        """Matchers and servers that an `rdev.toml` names and that nobody knows, or what is wrong in `config.toml`."""
        from rdev_bridge.problems.matchers import wrong_in

        known = [self._workspaces[folder] for folder in self._folders if folder in self._workspaces]
        errors = [error for workspace in known for error in wrong_in(workspace)]
        try:
            user = load_user()
        except SettingsError as error:
            return [*errors, error]
        for workspace in known:
            errors += unknown_servers(workspace, user, flags=self.flags, environ=self.environ)
        return errors

    def matcher_errors(self, task: Task) -> list[SettingsError]:
        """What is wrong with the matchers of `task` and of what it depends on; they run all the same."""
        meant = meaning(task, self.tasks_of(task.folder))
        if not any(self.tasks_of(task.folder)[name].problem_matcher for name in meant):
            return []  # so that a run without any need not import them
        from rdev_bridge.problems.matchers import wrong_in

        return list(wrong_in(self._workspace(task.folder), meant))

    def tasks(self) -> list[Task]:
        """The tasks of all folders."""
        return [task for folder in self._folders for task in self.tasks_of(folder).values()]

    def is_trusted(self, folder: Path) -> bool:
        """Whether something of this folder, as it was read, may start by itself."""
        from rdev_bridge import trust

        return self.vouched_for or trust.is_trusted(folder, self._workspace(folder).digest)

    def trust(self, folder: Path) -> None:
        """The user trusts this folder as it was read."""
        from rdev_bridge import trust

        trust.grant(folder, self._workspace(folder).source.content)

    def trust_review(self, folder: Path) -> Review:
        """What the user decides on: this folder as it was read, and what changed since it was trusted."""
        from rdev_bridge import trust

        return trust.review(folder, self._workspace(folder).source.content)

    def changed(self, folder: Path, paths: Iterable[Path]) -> None:
        """Files of this folder changed: the next barrier begins with them. It does not rely on hearing of every one."""
        known = self._changed.setdefault(folder, {})
        if self._barrier is None or len(known) > _CHANGES_KEPT:
            known.clear()
        else:
            known.update(dict.fromkeys(paths))

    # ── output of earlier and present runs ──

    async def read_output(self, run_id: str, seq: int, limit: int) -> ReadOutput:
        """At most `limit` lines of a run, from line `seq` on. Raises UsageError for an unknown run."""
        folder, stored = find_run(run_id, self.stores())
        reader = self._readers.pop(folder.run_id, None) or LogReader(folder.path)
        self._readers[folder.run_id] = reader
        if len(self._readers) > _READERS_KEPT:
            del self._readers[next(iter(self._readers))]
        finished = stored.state is RunState.FINISHED
        reader.refresh()
        return Replay(reader, seq=seq).page(limit, finished=finished)

    # ── what the runner needs (Surroundings) ──

    def tasks_of(self, folder: Path) -> Mapping[str, Task]:
        """See Surroundings; so are the others."""
        workspace = self._workspaces.get(folder)
        return workspace.tasks if workspace else {}

    def target_of(self, request: RunRequest) -> Target:
        workspace = self._workspace(request.folder)
        return resolve(workspace, load_user(), task=request.task, flags=self.flags, environ=self.environ)

    def stored_target(self, stored: StoredTarget, folder: Path) -> Target:
        if stored.url is None:
            server: Server = EmbeddedServer(Path(stored.folder) if stored.folder else folder)
            return Target(server, stored.project, stored.remote_root)
        # Nothing that a record on disk says decides where a key goes: the url is looked up as if it had been typed.
        workspace = self._workspace(folder)
        target = resolve(workspace, load_user(), flags=Flags(url=stored.url), environ=self.environ)
        assert isinstance(target.server, RemoteServer)
        server = replace(target.server, setting="the url that the run was started with")
        return Target(server, stored.project, stored.remote_root)

    def paths_of(self, request: RunRequest, target: Target) -> PathMap:
        return path_map(self._workspace(request.folder), target)

    async def connector(self, target: Target) -> Connector:
        opening = self._connectors.get(target)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = asyncio.create_task(_open(target, self.environ))
            self._connectors[target] = opening
        return await asyncio.shield(opening)

    async def synchronise(
        self, request: RunRequest, target: Target, shell: ToldShell, progress: Callable[[SyncProgress], None]
    ) -> SyncResult:
        task = request.task
        if task is None or task.sync is None:
            return SyncResult()
        if self._barrier is None:
            from rdev_bridge.sync.barrier import Barrier

            self._barrier = Barrier()
        consent = self.runner.is_named(request) or self.is_trusted(request.folder)
        result = await self._barrier(
            task,
            target,
            shell,
            request.folder,
            self._changed.pop(request.folder, None),
            progress,
            consent=consent,
            conflict=request.sync_conflict,
        )
        progress(SyncProgress("done"))
        return result

    def store(self, folder: Path) -> RunStore:
        if folder not in self._stores:
            self._stores[folder] = RunStore(folder)
        return self._stores[folder]

    def stores(self) -> Sequence[RunStore]:
        return [self.store(folder) for folder in self._folders]

    def _workspace(self, folder: Path) -> Workspace:
        """Raises the SettingsError of a folder whose file was wrong from the start, UsageError for an unknown one."""
        workspace = self._workspaces.get(folder)
        if workspace is not None:
            return workspace
        for path, error in self._errors.items():
            if path.parent == folder:
                raise error
        raise UsageError(f"{folder} is no open folder")


async def _open(target: Target, environ: Mapping[str, str]) -> Connector:
    from rdev_bridge.remote.connect import open_server

    return await open_server(target, environ=environ).__aenter__()
