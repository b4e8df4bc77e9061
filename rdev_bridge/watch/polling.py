"""Looking at files again and again, for where the system gives no more watches and for file systems without events.

watchfiles can poll too, but compares whole seconds, so it misses the second save within a second.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

_ADDED, _MODIFIED, _DELETED = 1, 2, 3  # watchfiles.Change
_INTERVAL_S = 0.5
_SHARE = 10  # a look may take a tenth of the time

_Stamp = tuple[int, int, int, int]


class Poller:
    """Answers like `watchfiles._rust_notify.RustNotify` for the entries of `folders`, without looking below them."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = list(folders)
        self._look_s = 0.0
        self._known = self._look()

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: threading.Event
    ) -> set[tuple[int, str]] | Literal["signal", "stop", "timeout"]:
        """The changes since the last call, as soon as there are any; with a timeout, after one look."""
        while True:
            pause_s = min(timeout_ms / 1000 or float("inf"), max(_INTERVAL_S, self._look_s * _SHARE))
            if stop_event.wait(pause_s):
                return "stop"
            before, self._known = self._known, self._look()
            changed = before.items() ^ self._known.items()
            if changed:
                return {(self._kind(path, before), path) for path, _ in changed}
            if timeout_ms:
                return "timeout"

    def close(self) -> None:
        """Nothing is held open."""

    def _kind(self, path: str, before: dict[str, _Stamp]) -> int:
        if path not in self._known:
            return _DELETED
        return _MODIFIED if path in before and before[path][2] == self._known[path][2] else _ADDED

    def _look(self) -> dict[str, _Stamp]:
        began_s = time.monotonic()
        found: dict[str, _Stamp] = {}
        for folder in self._folders:
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            found[entry.path] = (0, 0, entry.inode(), 0)
                        else:
                            info = entry.stat(follow_symlinks=False)
                            found[entry.path] = (info.st_mtime_ns, info.st_size, info.st_ino, info.st_mode)
            except OSError:
                continue  # it vanished in between; the next look tells
        self._look_s = time.monotonic() - began_s
        return found
