"""What a workspace holds, for one push: known enough to begin early, known whole before it ends."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from rdev_bridge.model import SyncProgress
from rdev_bridge.sync.manifest import name_of
from rdev_bridge.sync.memory import load_scan, save_scan
from rdev_bridge.sync.scan import Scan, rescan, scan
from rdev_bridge.sync.walker import Walker, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine
    from pathlib import Path

_T = TypeVar("_T")
_TELL_EVERY_S = 0.05


@dataclass
class Scans:
    """What one process remembers of the folders that it pushed, and who looks at them too."""

    latest: dict[Path, Scan] = field(default_factory=dict)
    walker: Walker = field(default_factory=Walker)


@dataclass
class Survey:
    """One push's view of `folder`. `file` keeps the scan for the next bridge; `changed` is what the watcher told."""

    scans: Scans
    folder: Path
    file: Path
    changed: Collection[Path] | None
    progress: Callable[[SyncProgress], None]
    found: Scan = field(default_factory=Scan, init=False)
    """What the push works with."""
    _whole: asyncio.Task[Scan] | None = field(default=None, init=False)
    _aside: list[asyncio.Task[Any]] = field(default_factory=list, init=False)

    async def begin(self) -> None:
        """Learn what the workspace holds.

        `changed` gives a head start and is not relied on, since events can be late or lost. The push begins with it,
        and while the server works a whole scan finds out what else there is (`saw_all`). Raises SyncError.
        """
        before = self.scans.latest.get(self.folder)
        if before is not None and self.changed is not None:
            walk = self.scans.walker.walk(self.folder)
            found = await asyncio.to_thread(rescan, self.folder, before, self.changed)
            if found is not None:
                self.found = self.scans.latest[self.folder] = found
                self._whole = self._meanwhile(self._beyond(found, walk))
                return
        await self.begin_whole()

    async def begin_whole(self) -> None:
        """The same without a head start. Raises SyncError."""
        known = self.scans.latest.get(self.folder)
        before = await asyncio.to_thread(load_scan, self.file) if known is None else known
        hashed, told_s = 0, time.monotonic()

        def tell(size: int) -> None:
            nonlocal hashed, told_s
            hashed += size
            if (now_s := time.monotonic()) - told_s >= _TELL_EVERY_S:
                told_s = now_s
                loop.call_soon_threadsafe(self.progress, SyncProgress("scan", hashed))

        loop = asyncio.get_running_loop()
        self.found = self.scans.latest[self.folder] = await asyncio.to_thread(scan, self.folder, before, tell)
        self._whole = None
        self._meanwhile(self._keep(self.found, before))

    async def saw_all(self) -> str | None:
        """The name of the state that `found` is; None where there is more, which `found` is from now on."""
        before = self.found
        if self._whole is not None:
            self.found = self.scans.latest[self.folder] = await self._whole
        same = self.found is before or self.found.manifest == before.manifest
        return name_of(self.found.weight) if same else None

    async def end(self) -> None:
        """Wait for what goes on aside. To be called whatever happened."""
        while self._aside:
            under_way, self._aside = self._aside, []
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _beyond(self, found: Scan, walk: asyncio.Future[str]) -> Scan:
        """What there is, where `found` is what there should be and `walk` comes to what there was meanwhile."""
        if await walk == fingerprint(found):
            return found
        self.scans.walker.forget(self.folder)
        more = await asyncio.to_thread(scan, self.folder, found)
        self._meanwhile(self._keep(more, None))
        return more

    async def _keep(self, found: Scan, kept: Scan | None) -> None:
        """Write the scan down, for the next bridge and for the walker."""
        if found is not kept:
            await asyncio.to_thread(save_scan, self.file, found)
        if self.changed is not None:
            self.scans.walker.get_ready(self.folder, found, self.file)

    def _meanwhile(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Do this while the server works."""
        task = asyncio.create_task(work)
        self._aside.append(task)
        return task
