"""Starts the tasks of one workspace folder when their files change: `WorkspaceWatcher`.

What counts and when is decided in `core/trigger.py`; here the file system, the editor's saves and the runner meet it.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from rdev_bridge.core.trigger import FileChange, Triggers, Verdict
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.globs import compile_globs
from rdev_bridge.ignore import IgnoreRules
from rdev_bridge.model import BusyPolicy, Outcome, Trigger, TriggerKind
from rdev_bridge.watch.clocks import both_clocks
from rdev_bridge.watch.gitlock import GitLock
from rdev_bridge.watch.notice import LoopNotices, NoticeKind, WatchNotice, gone_notice
from rdev_bridge.watch.seen import SeenFiles
from rdev_bridge.watch.source import ChangeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rdev_bridge.model import Run, RunRequest
    from rdev_bridge.watch.tree import RawChange

_GIT_LOOK_S = 0.05
_UNSERVED = (Outcome.SUPERSEDED, Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class Watch:
    """Files that start a run: `globs` relative to the folder (none: every file that is not ignored).

    Where it is not `enabled` they start nothing, but still make its runs stale.
    """

    request: RunRequest
    globs: tuple[str, ...] = ()
    enabled: bool = True


class _Submission(Protocol):
    @property
    def run_id(self) -> str: ...


@dataclass(slots=True)
class _Entry:
    watch: Watch
    matches: Callable[[str], bool]


class WorkspaceWatcher:
    """Watches `folder` between `__aenter__` and `__aexit__`; hears of runs as a `RunObserver`.

    Watches have names; a run belongs to the watch of its task or command, or that submitted it. `submit` must return
    at once; what it raises is told. `stale` is told the id of each run that a later change has overtaken, `changed`
    every file that changed and is not ignored, watched or not. `may_start` is asked at the moment of each start: who
    consented may have taken that back since the file changed.
    All methods belong to the event loop.
    """

    def __init__(
        self,
        folder: Path,
        *,
        submit: Callable[[RunRequest], _Submission],
        notice: Callable[[WatchNotice], None],
        stale: Callable[[str], None] = lambda _: None,
        changed: Callable[[list[Path]], None] = lambda _: None,
        may_start: Callable[[RunRequest], bool] = lambda _: True,
    ) -> None:
        self.folder = folder
        self._root = os.path.realpath(folder)
        self._rules = IgnoreRules(self._root)
        self._submit, self._notice, self._stale, self._may_start = submit, notice, stale, may_start
        self._tell_changed = changed
        self._entries: dict[str, _Entry] = {}
        self._triggers = Triggers()
        self._seen = SeenFiles()
        self._ours: dict[str, str] = {}
        self._loops = LoopNotices()
        self._paused = self._gone = False
        self._timer: asyncio.TimerHandle | None = None
        self._git = GitLock(self._rules.git_dir)
        self._source: ChangeSource | None = None

    async def __aenter__(self) -> WorkspaceWatcher:
        """Begin; what changes from here on is noticed. Raises OSError where the folder cannot be watched."""
        self._loop = asyncio.get_running_loop()
        self._source = ChangeSource(self._root, self._rules, self._changed, self._polling, self._went)
        await self._source.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._source is not None:
            await self._source.stop()

    def set_watches(self, watches: Mapping[str, Watch]) -> None:
        """What is watched from now on; what waits for a watch that is off or gone starts nothing any more.

        Raises UsageError for a pattern that cannot be watched; then everything stays as it was.
        """
        entries = {name: _Entry(watch, compile_globs(watch.globs)) for name, watch in watches.items()}
        for name in self._entries:
            if name not in entries or not entries[name].watch.enabled:
                self._triggers.forget(name)
        self._entries = entries

    @property
    def paused(self) -> bool:
        """Whether starting is put off."""
        return self._paused

    @property
    def waiting(self) -> tuple[str, ...]:
        """The watches that start as soon as they may."""
        return self._triggers.waiting

    def pause(self) -> None:
        """Start nothing until `resume`; changes are remembered."""
        self._paused = True
        self._arm()

    def resume(self) -> None:
        """Go on; what changed in between starts one run."""
        self._paused = False
        self._arm()

    def take_loops(self) -> None:
        """What looks like a run's own output starts a run from now on: the user says that it was they."""
        self._triggers.takes_loops = True

    def saved(self, path: Path) -> None:
        """An editor saved `path` just now (`textDocument/didSave`)."""
        real = self._real(path)
        if real is None or self._rules.file_ignored(real):
            return
        if self._seen.saved(real, self._loop.time()):
            self._judge([FileChange(self._shown(real), self._loop.time(), by_user=True)])

    # -- what the runner tells --------------------------------------------------------------------------------------

    async def run_queued(self, run: Run) -> None:
        """A run waits for its turn."""

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        """A run began."""
        self.is_under_way(run)

    def is_under_way(self, run: Run) -> None:
        """As `run_started`, for a run that began before what is watched now was; one that is known is passed over."""
        name = self._name_of(run)
        if name is not None and not self._triggers.knows(run.run_id):
            self._loops.run_started(name)
            self._triggers.run_started(run.run_id, name, self._moment_s(run.started_at.timestamp()))

    async def output(self, run: Run, batch: object) -> None:
        """Nothing to do for output."""

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        """Nothing to do for a gap."""

    async def run_finished(self, run: Run) -> None:
        """A run ended."""
        self._triggers.run_ended(run.run_id, self._loop.time(), unserved=run.outcome in _UNSERVED)
        self._ours.pop(run.run_id, None)

    async def connection_changed(self, connection: object) -> None:
        """Nothing to do for the connection."""

    # -- what the file system tells ---------------------------------------------------------------------------------

    def _changed(self, changes: list[RawChange]) -> None:
        now_s = self._loop.time()
        self._judge(
            [
                FileChange(
                    self._shown(raw.path),
                    self._moment_s(raw.info.st_mtime if raw.info else raw.gone_at_s),
                    made=raw.made,
                    by_user=raw.by_user,
                    gone=raw.info is None,
                    late_s=max(0.0, time.time() - raw.info.st_ctime) if raw.info else 0.0,
                )
                for raw in changes
                if self._seen.noticed(raw, now_s)
            ]
        )

    def _polling(self, message: str) -> None:
        self._notice(WatchNotice(NoticeKind.POLLING, message))

    def _went(self, gone: bool) -> None:
        self._gone = gone
        if gone:
            self._notice(gone_notice(self.folder))
        self._arm()

    def _judge(self, changes: list[FileChange]) -> None:
        if not changes:
            return
        self._tell_changed([change.path for change in changes])
        now_s = self._loop.time()
        named = [(self._relative(change.path), change) for change in changes]
        unheard = {relative for relative, _ in named}
        for name, entry in self._entries.items():
            own: list[Path] = []
            for relative, change in named:
                if not entry.matches(relative):
                    continue
                verdict, stale = self._triggers.changed(name, change, now_s, starts=entry.watch.enabled)
                if verdict is not Verdict.COUNTS:
                    own.append(change.path)
                    self._seen.refused(f"{self._root}/{relative}")
                elif entry.watch.enabled:
                    unheard.discard(relative)
                for run_id in stale:
                    self._stale(run_id)
            notice = self._loops.notice(name, own, self._relative) if entry.watch.enabled else None
            if notice is not None:
                self._notice(notice)
        for relative in unheard:  # nothing was on then; what is switched on by now may hear an editor's word of it
            self._seen.refused(f"{self._root}/{relative}")
        self._arm()

    # -- starting ---------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_s = self._triggers.due_s
        if due_s is not None and not (self._paused or self._gone):
            self._timer = self._loop.call_at(due_s, self._start)

    def _start(self) -> None:
        worked = self._git.was_held
        if self._git.is_held(self._loop.time()):
            self._timer = self._loop.call_later(_GIT_LOOK_S, self._start)
            return
        if worked and not self._git.was_held:
            self._triggers.settle_anew(self._loop.time())
            self._arm()
            return
        # The loop may call a timer up to its clock's resolution early.
        due_s = self._triggers.due_s
        restarts = {name for name, entry in self._entries.items() if _policy(entry) is BusyPolicy.RESTART}
        for name, files in self._triggers.start(max(self._loop.time(), due_s or 0), restarts):
            self._start_one(name, files)
        self._arm()

    def _start_one(self, name: str, files: tuple[Path, ...]) -> None:
        entry = self._entries[name]
        if not (entry.watch.enabled and self._may_start(entry.watch.request)):
            self._triggers.forget(name)
            return
        by_save = any(self._seen.was_saved(f"{self._root}/{self._relative(path)}") for path in files)
        trigger = Trigger(TriggerKind.SAVE if by_save else TriggerKind.CHANGE, files)
        request = replace(entry.watch.request, trigger=trigger, file=files[-1])
        try:
            self._ours[self._submit(request).run_id] = name
        except (UsageError, RdevError) as error:
            self._notice(WatchNotice(NoticeKind.FAILED, f"{name} cannot start: {error}", name, files))

    # -- names and times --------------------------------------------------------------------------------------------

    def _name_of(self, run: Run) -> str | None:
        if run.run_id in self._ours:
            return self._ours[run.run_id]
        if run.folder != self.folder:
            return None
        return next((name for name, entry in self._entries.items() if _is_of(run, entry.watch.request)), None)

    def _real(self, path: Path) -> str | None:
        """`path` with links resolved where that stays in the workspace; None for a file outside of it."""
        for real in (os.path.realpath(path), f"{os.path.realpath(path.parent)}/{path.name}"):
            if real.startswith(self._root + "/"):
                return real
        return None

    def _shown(self, real: str) -> Path:
        return self.folder / real[len(self._root) + 1 :]

    def _relative(self, shown: Path) -> str:
        return str(shown)[len(str(self.folder)) + 1 :]

    def _moment_s(self, epoch_s: float) -> float:
        """A moment of the wall clock on the loop's clock; never in the future."""
        now_s, wall_s = both_clocks(self._loop.time, time.time)
        return now_s - max(0.0, wall_s - epoch_s)


def _is_of(run: Run, request: RunRequest) -> bool:
    if request.task is not None:
        return run.task == request.task.name
    return run.task is None and run.command == request.command


def _policy(entry: _Entry) -> BusyPolicy | None:
    request = entry.watch.request
    return request.on_busy or (request.task.on_busy if request.task else None)
