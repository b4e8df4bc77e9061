"""The life of one `rdev-bridge watch`: a first run, a run after each change, keys, signals, and a clean end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from rdev_bridge.cli.keys import Keys
from rdev_bridge.cli.main import EXIT_GONE
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import ConflictPolicy
from rdev_bridge.signals import exit_code_for, heeded
from rdev_bridge.watch.notice import NoticeKind

if TYPE_CHECKING:
    from rdev_bridge.cli.watch_face import WatchFace
    from rdev_bridge.model import Run, RunRequest
    from rdev_bridge.watch.notice import WatchNotice
    from rdev_bridge.watch.watcher import WorkspaceWatcher

_REDRAW_S = 1.0


class _Submission(Protocol):
    @property
    def run_id(self) -> str: ...


class _Runner(Protocol):
    def submit(self, request: RunRequest) -> _Submission: ...
    def cancel(self, run_id: str) -> bool: ...
    def mark_stale(self, run_id: str) -> Run | None: ...


class WatchSession:
    """Joins the watcher, the runner and the face. `request` is the run that `r` and the start ask for."""

    def __init__(self, runner: _Runner, watcher: WorkspaceWatcher, face: WatchFace, request: RunRequest) -> None:
        self._runner, self._watcher, self._face, self.request = runner, watcher, face, request
        self._leaving: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._idle = asyncio.Event()
        self._may_claim = False
        self._telling: set[asyncio.Task[None]] = set()
        self._keys = Keys(sys.stdin.fileno(), self._key, face.redraw)

    def idle(self) -> None:
        """Nothing runs or waits any more."""
        self._idle.set()

    def gone(self, _: OSError) -> None:
        """Nobody reads our output any more."""
        self._leave(EXIT_GONE)

    def notice(self, notice: WatchNotice) -> None:
        """The watcher has something to say."""
        can_claim = notice.kind is NoticeKind.LOOP and self._keys.heard
        if can_claim:
            self._may_claim = self._face.state.asks_whose = True
        self._face.say(notice.in_full + ("; if you changed it, press m" if can_claim else ""))

    def stale(self, run_id: str) -> None:
        """Files changed after this run began."""
        run = self._runner.mark_stale(run_id)
        if run is not None:
            telling = asyncio.create_task(self._face.run_stale(run))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    def hold(self, why: str) -> None:
        """Start nothing by itself until the user says so."""
        self._watcher.pause()
        how = "r runs it once, p goes on with it" if self._keys.heard else "start watch again to go on with it"
        self._face.say(f"{why}: paused; {how}, `rdev-bridge trust` shows what changed")
        self._refresh()

    async def run(self) -> int:
        """Watch until the user leaves; returns the exit code. Every run is over by then."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, self._face.redraw)
        ticking = asyncio.create_task(self._tick())
        try:
            with heeded(self._signalled), self._keys:
                async with self._watcher:
                    self._runner.submit(self.request)
                    code = await self._leaving
                await self._cancel_all()
                await asyncio.gather(*self._telling)
                return code
        finally:
            ticking.cancel()
            self._face.close()
            loop.remove_signal_handler(signal.SIGWINCH)

    def _key(self, key: str) -> None:
        if self._leaving.done():
            return
        match key:
            case "r":
                self._run_now(self.request)
            case "o" if self._face.state.in_conflict:
                self._run_now(replace(self.request, sync_conflict=ConflictPolicy.OURS))
            case "t" if self._face.state.in_conflict:
                self._run_now(replace(self.request, sync_conflict=ConflictPolicy.THEIRS))
            case "m" if self._may_claim:
                self._may_claim = self._face.state.asks_whose = False
                self._watcher.take_loops()
                self._run_now(self.request)
            case "p":
                (self._watcher.resume if self._watcher.paused else self._watcher.pause)()
            case "c":
                self._cancel()
            case "q":
                self._leave(0)
        self._refresh()

    def _run_now(self, request: RunRequest) -> None:
        try:
            self._runner.submit(request)
        except (UsageError, RdevError) as error:
            self._face.say(str(error))

    def _signalled(self, number: signal.Signals) -> None:
        code = exit_code_for(number)
        if self._leaving.done():  # asked twice: at once, but never without giving the terminal back
            self._keys.give_back()
            self._face.close()
            os._exit(code)
        self._leave(code)

    def _leave(self, code: int) -> None:
        if not self._leaving.done():
            self._leaving.set_result(code)

    def _cancel(self) -> None:
        for run_id in reversed(self._face.unfinished):  # what waits first, or it would start in between
            self._runner.cancel(run_id)
        self._face.cancelling()

    async def _cancel_all(self) -> None:
        while self._face.unfinished:
            self._idle.clear()
            self._cancel()
            self._face.draw()
            await self._idle.wait()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_REDRAW_S)
            self._keys.attend()
            self._refresh()

    def _refresh(self) -> None:
        state = self._face.state
        state.paused, state.changed = self._watcher.paused, bool(self._watcher.waiting)
        self._face.draw()
