"""Tells news from echoes: one save is heard of twice, from the editor and from the file system, in either order."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdev_bridge.watch.tree import RawChange

_ECHO_S = 2.0
_HASHED_BYTES = 1 << 20
_MOST_FILES = 100_000

_Stamp = tuple[int, int, int, int]  # mtime, size, inode, mode


@dataclass(slots=True)
class _Seen:
    stamp: _Stamp | None  # None: gone
    at_s: float
    digest: bytes | None = None
    saved: bool = False
    refused: bool = False


class SeenFiles:
    """What each changed file looked like when it was last heard of. Paths are real paths, times the loop's clock.

    A file is news when its time of change, size, inode or mode differ from what is known, so `touch` counts.
    Within `_ECHO_S` of an editor's save the same content is the same save, whatever the stamps say.
    """

    def __init__(self) -> None:
        self._files: dict[str, _Seen] = {}

    def saved(self, path: str, now_s: float) -> bool:
        """An editor saved the file; false where the file system told of this very save already, and was heard."""
        before, stamp = self._files.get(path), _stamp(path)
        heard = (
            before is not None
            and before.stamp == stamp
            and now_s - before.at_s < _ECHO_S
            and not before.saved
            and not before.refused
        )
        self._keep(path, _Seen(stamp, now_s, digest=_digest(path), saved=True))
        return not heard

    def noticed(self, raw: RawChange, now_s: float) -> bool:
        """The file system told of a change; false for an echo."""
        before = self._files.get(raw.path)
        stamp = None if raw.info is None else _stamp_of(raw.info)
        if before is None:
            self._keep(raw.path, _Seen(stamp, now_s))
            return True
        if before.stamp == stamp:
            return False
        if before.saved and now_s - before.at_s < _ECHO_S and stamp is not None and _digest(raw.path) == before.digest:
            before.stamp = stamp
            return before.digest is None
        self._keep(raw.path, _Seen(stamp, now_s))
        return True

    def refused(self, path: str) -> None:
        """The change just noticed was held to be a run's own, or started nothing; an editor's word of it is news."""
        if path in self._files:
            self._files[path].refused = True

    def was_saved(self, path: str) -> bool:
        """Whether the last that was heard of the file is an editor's save."""
        return path in self._files and self._files[path].saved

    def _keep(self, path: str, seen: _Seen) -> None:
        self._files.pop(path, None)
        self._files[path] = seen
        if len(self._files) > _MOST_FILES:
            del self._files[next(iter(self._files))]


def _stamp(path: str) -> _Stamp | None:
    try:
        return _stamp_of(os.lstat(path))
    except OSError:
        return None


def _stamp_of(info: os.stat_result) -> _Stamp:
    return info.st_mtime_ns, info.st_size, info.st_ino, info.st_mode


def _digest(path: str) -> bytes | None:
    """A hash of a small file's content; None for a big one, or one that cannot be read."""
    try:
        if os.lstat(path).st_size > _HASHED_BYTES:
            return None
        return hashlib.blake2b(Path(path).read_bytes()).digest()
    except OSError:
        return None
