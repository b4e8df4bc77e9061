"""Which tasks run again by themselves, folder by folder, and with whose consent.

A task with `watch` patterns is on by itself in a trusted folder. Any task can be switched on by its name, which is
consent to that task as it is written now: when it or what it depends on changes in an untrusted folder, it is off.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rdev_bridge.core.consent import meaning
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.globs import compile_globs
from rdev_bridge.model import RunRequest
from rdev_bridge.watch.watcher import Watch, WorkspaceWatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from rdev_bridge.model import Run, Task, Trigger
    from rdev_bridge.runs.runner import Submission
    from rdev_bridge.watch.notice import WatchNotice


class Watching:
    """The watchers of one session, and a `RunObserver` for them.

    `stale` hears of runs that a change has overtaken, `untrusted` of folders where a task would have started by itself
    and of the files that changed there, `changed` of every file of a folder that changed. `look` is called before
    anything starts: where the settings are no longer what they were, it calls `take_tasks`.
    """

    def __init__(
        self,
        *,
        submit: Callable[[RunRequest], Submission],
        is_trusted: Callable[[Path], bool],
        notice: Callable[[WatchNotice], None],
        stale: Callable[[str], None],
        untrusted: Callable[[Path, list[Path]], None],
        changed: Callable[[Path, list[Path]], None],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._submit, self._is_trusted, self._look = submit, is_trusted, look
        self._notice, self._stale, self._untrusted, self._tell_changed = notice, stale, untrusted, changed
        self._watchers: dict[Path, tuple[WorkspaceWatcher, AsyncExitStack]] = {}
        self._tasks: dict[tuple[Path, str], Task] = {}
        self._named: dict[tuple[Path, str], bool] = {}
        self._under_way: dict[str, Run] = {}
        self._set_from: dict[Path, tuple[bool, object]] = {}  # trust and tasks, when its watches were last set
        self._applying = asyncio.Lock()  # a folder has one watcher, however many calls ask for it at once

    # ── what is on ──

    def is_on(self, task: Task) -> bool:
        """Whether a change of its files starts it."""
        key = (task.folder, task.name)
        return self._named.get(key, bool(task.watch) and self._is_trusted(task.folder))

    async def set_tasks(self, tasks: Iterable[Task]) -> None:
        """The tasks there are now. Raises RdevError or UsageError where a folder cannot be watched; the others are."""
        self.take_tasks(tasks)
        await self.apply()

    def take_tasks(self, tasks: Iterable[Task]) -> None:
        """The tasks there are now: nothing else starts from here on. `apply` watches the folders that they need."""
        now = {(task.folder, task.name): task for task in tasks}
        for key in [key for key in self._named if key not in now]:
            del self._named[key]
        for key, task in now.items():
            before = self._tasks.get(key)
            is_same = before is None or meaning(before, _of(key[0], self._tasks)) == meaning(task, _of(key[0], now))
            if self._named.get(key) and not is_same and not self._is_trusted(task.folder):
                del self._named[key]
        self._tasks = now

    async def switch(self, task: Task, enabled: bool) -> bool:
        """Turn one task on or off, by its name. Starts nothing. Raises as `set_tasks` does, for its folder."""
        self._named[task.folder, task.name] = enabled
        failure = (await self._apply()).get(task.folder)
        if failure is not None:
            del self._named[task.folder, task.name]
            raise failure
        return enabled

    async def apply(self) -> None:
        """Watch what the tasks and the trust in their folders ask for now. Raises as `set_tasks` does."""
        for failure in (await self._apply()).values():
            raise failure

    async def close(self) -> None:
        """Watch nothing any more."""
        async with self._applying:
            for folder in list(self._watchers):
                await self._stop(folder)

    async def _apply(self) -> dict[Path, RdevError | UsageError]:
        """Watch what is to be watched now; what stands in the way, by folder."""
        async with self._applying:
            wanted = dict.fromkeys(task.folder for task in self._tasks.values() if task.watch or self.is_on(task))
            for folder in self._watchers.keys() - wanted.keys():
                await self._stop(folder)
            failures: dict[Path, RdevError | UsageError] = {}
            for folder in wanted:
                try:
                    self._set_watches(folder, await self._watcher(folder))
                except OSError as error:
                    failures[folder] = RdevError(f"{folder} cannot be watched: {error.strerror or error}")
                except UsageError as error:
                    failures[folder] = error
            return failures

    def _set_watches(self, folder: Path, watcher: WorkspaceWatcher) -> None:
        self._set_from[folder] = self._is_trusted(folder), self._tasks
        watches = {
            task.name: Watch(RunRequest(folder=folder, task=task), task.watch, is_on)
            for (where, _), task in self._tasks.items()
            if where == folder and ((is_on := self.is_on(task)) or task.watch)
        }
        watcher.set_watches(watches)
        for run in self._under_way.values():  # what one makes that began before its task was watched is its output too
            watcher.is_under_way(run)

    async def _watcher(self, folder: Path) -> WorkspaceWatcher:
        if folder not in self._watchers:
            watcher = WorkspaceWatcher(
                folder,
                submit=lambda request: self._submit(replace(request, task=self._now(request))),
                notice=self._notice,
                stale=self._stale,
                changed=lambda paths: self._changed(folder, paths),
                may_start=self._may_start,
            )
            stack = AsyncExitStack()
            await stack.enter_async_context(watcher)
            self._watchers[folder] = watcher, stack
        return self._watchers[folder][0]

    async def _stop(self, folder: Path) -> None:
        _, stack = self._watchers.pop(folder)
        await stack.aclose()

    def _now(self, request: RunRequest) -> Task | None:
        """The task that `request` was made for, as it is now."""
        return self._tasks.get((request.folder, request.task.name)) if request.task else None

    def _may_start(self, request: RunRequest) -> bool:
        self._look()
        task = self._now(request)
        return task is not None and self.is_on(task)

    def _changed(self, folder: Path, paths: list[Path]) -> None:
        self._tell_changed(folder, paths)
        self._look()
        is_trusted = self._is_trusted(folder)
        was_trusted, tasks = self._set_from.get(folder, (False, None))
        if folder in self._watchers and (is_trusted is not was_trusted or tasks is not self._tasks):
            with suppress(UsageError):  # a pattern, which was told when the tasks were read
                self._set_watches(folder, self._watchers[folder][0])
        if is_trusted:
            return
        for (where, name), task in self._tasks.items():
            if where == folder and task.watch and (folder, name) not in self._named:
                matches = compile_globs(task.watch)
                if any(matches(path.relative_to(folder).as_posix()) for path in paths):
                    self._untrusted(folder, paths)
                    return

    # ── what happens ──

    def saved(self, path: Path) -> None:
        """`textDocument/didSave`."""
        for folder, (watcher, _) in self._watchers.items():
            if path.is_relative_to(folder):
                watcher.saved(path)

    def made_up_for(self, folder: Path, paths: Iterable[Path]) -> None:
        """What `paths` of `folder` would have started, had it been trusted when they changed, starts now."""
        if folder in self._watchers:
            for path in paths:
                self._watchers[folder][0].saved(path)

    async def run_queued(self, run: Run) -> None:
        """As a `RunObserver`."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """As a `RunObserver`."""
        self._under_way[run.run_id] = run
        for watcher, _ in list(self._watchers.values()):
            await watcher.run_started(run, trigger)

    async def output(self, run: Run, batch: object) -> None:
        """As a `RunObserver`."""

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """As a `RunObserver`."""

    async def run_finished(self, run: Run) -> None:
        """As a `RunObserver`."""
        self._under_way.pop(run.run_id, None)
        for watcher, _ in list(self._watchers.values()):
            await watcher.run_finished(run)

    async def connection_changed(self, connection: object) -> None:
        """As a `RunObserver`."""


def _of(folder: Path, tasks: Mapping[tuple[Path, str], Task]) -> dict[str, Task]:
    return {name: task for (where, name), task in tasks.items() if where == folder}
