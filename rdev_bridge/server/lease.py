"""How a server that a bridge started learns that nobody needs it any more, even if every bridge was killed.

Each bridge holds a shared flock on the lease file; the kernel lets go of it when the bridge dies. Whoever starts a
server, or looks for one, holds the start lock meanwhile, so that no bridge finds a server which is about to leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Lease:
    """The three files by which bridges and their server know of each other."""

    lease: Path
    start_lock: Path | None
    address: Path | None

    async def ended(self, is_idle: Callable[[], bool], idle_s: float) -> None:
        """Return once nobody has held the lease and nothing was going on for `idle_s`; the address is gone by then."""
        since_s = time.monotonic()
        while True:
            await asyncio.sleep(min(_LOOK_S, idle_s / 2))
            if not (is_idle() and self._is_free()):
                since_s = time.monotonic()
            elif time.monotonic() - since_s >= idle_s and self._leave(is_idle):
                return

    def _is_free(self) -> bool:
        with _locked(self.lease) as free:
            return free

    def _leave(self, is_idle: Callable[[], bool]) -> bool:
        """Take the address away while nobody can be looking for it; False where somebody is, or has come."""
        with _locked(self.start_lock) as nobody_starts:
            if not (nobody_starts and is_idle() and self._is_free()):
                return False
            if self.address is not None:
                self.address.unlink(missing_ok=True)
            return True


@contextlib.contextmanager
def _locked(path: Path | None) -> Iterator[bool]:
    """Whether the exclusive lock could be had at once, and had for the length of the block."""
    if path is None:
        yield True
        return
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # its folder was removed, and with it every way to find this server
        yield True
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
