"""A workspace with a real watcher and a runner that only notes what it is asked to run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rdev_bridge.model import BusyPolicy, Outcome, Run, RunRequest, RunState, Task
from rdev_bridge.watch.watcher import Watch, WorkspaceWatcher
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rdev_bridge.watch.notice import NoticeKind, WatchNotice


@dataclass
class Submission:
    run_id: str


@dataclass
class Desk:
    """Requests, notices and stale runs as they come. `begin` and `end` play the runner's part, unless `instant`: then
    each request is a run that takes no time.
    """

    folder: Path
    requests: list[RunRequest] = field(default_factory=list)
    notices: list[WatchNotice] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    trusted: bool = True
    instant: bool = True
    _watcher: WorkspaceWatcher | None = None
    _runs: set[asyncio.Task[None]] = field(default_factory=set)

    def submit(self, request: RunRequest) -> Submission:
        self.requests.append(request)
        run_id = f"run{len(self.requests)}"
        if self.instant:
            task = asyncio.get_running_loop().create_task(self._live(run_id, request))
            self._runs.add(task)
            task.add_done_callback(self._runs.discard)
        return Submission(run_id)

    async def _live(self, run_id: str, request: RunRequest) -> None:
        assert self._watcher is not None
        assert request.task is not None
        await self._watcher.run_started(self.run(run_id, request.task.name), request.trigger)
        await self.end(self._watcher, run_id, request.task.name)

    def watch(
        self, name: str = "t", *globs: str, on_busy: BusyPolicy = BusyPolicy.QUEUE, enabled: bool = True
    ) -> dict[str, Watch]:
        task = Task(name=name, folder=self.folder, command="true", watch=globs, on_busy=on_busy)
        return {name: Watch(RunRequest(folder=self.folder, task=task), globs, enabled)}

    def write(self, name: str, text: str = "x") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @property
    def files(self) -> list[list[str]]:
        """The changed files of each request, relative and sorted."""
        return [sorted(str(p.relative_to(self.folder)) for p in r.trigger.files) for r in self.requests]

    @property
    def all_files(self) -> set[str]:
        return {name for names in self.files for name in names}

    def of(self, kind: NoticeKind) -> list[str]:
        return [notice.message for notice in self.notices if notice.kind is kind]

    def run(self, run_id: str, task: str = "t", outcome: Outcome | None = None) -> Run:
        state = RunState.FINISHED if outcome else RunState.RUNNING
        return Run(run_id=run_id, command="true", folder=self.folder, project="p", server="s", state=state,
                   started_at=datetime.now(UTC), log_path=Path("/dev/null"), task=task, outcome=outcome)  # fmt: skip

    async def begin(self, watcher: WorkspaceWatcher, run_id: str, task: str = "t") -> None:
        run = self.run(run_id, task)
        await watcher.run_started(run, RunRequest(folder=self.folder).trigger)
        probe = self.folder.parent / "probe"  # the file system's clock lags by up to a tick
        await eventually_async(lambda: (probe.touch(), probe.stat().st_mtime > run.started_at.timestamp())[1])

    async def end(
        self, watcher: WorkspaceWatcher, run_id: str, task: str = "t", outcome: Outcome = Outcome.SUCCEEDED
    ) -> None:
        await watcher.run_finished(self.run(run_id, task, outcome))

    async def asked(self, count: int) -> None:
        await eventually_async(lambda: len(self.requests) >= count, what=f"request {count}")

    async def sentinel(self, name: str = "sentinel.py") -> None:
        """Change one more file and wait until it was asked for: whatever came before it has been dealt with by then."""
        self.write(name, str(asyncio.get_running_loop().time()))
        await eventually_async(lambda: name in self.all_files, what=f"a request for {name}")

    @asynccontextmanager
    async def watching(self, watches: dict[str, Watch] | None = None) -> AsyncIterator[WorkspaceWatcher]:
        watcher = WorkspaceWatcher(
            self.folder,
            submit=self.submit,
            notice=self.notices.append,
            stale=self.stale.append,
            changed=lambda paths: self.changed.update(path.name for path in paths),
            may_start=lambda _: self.trusted,
        )
        watcher.set_watches(watches if watches is not None else self.watch())
        self._watcher = watcher
        async with watcher:
            yield watcher
