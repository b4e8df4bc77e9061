"""The folders that are worth watching and the names in them, so that events can be told apart.

It belongs to the watcher's thread. Ignored folders are never entered: they cost nothing, whatever they hold.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdev_bridge.watch.names import ANY_FILE, is_temporary, saving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdev_bridge.ignore import IgnoreRules

ADDED = 1  # watchfiles.Change.added
_FORGET_GONE_S = 2.0


@dataclass(frozen=True, slots=True)
class RawChange:
    """A file in the workspace that is new, different or (`info` None) gone. `gone_at_s` is seconds since the epoch."""

    path: str
    info: os.stat_result | None
    made: bool = False
    by_user: bool = False
    gone_at_s: float = 0.0


@dataclass(slots=True)
class Digest:
    """What a batch of events comes to. `new_folders` must be watched and then looked through again."""

    changes: list[RawChange] = field(default_factory=list)
    new_folders: list[str] = field(default_factory=list)
    folders_gone: int = 0
    rules_changed: bool = False

    @property
    def folders_changed(self) -> int:
        """How many folders came or went."""
        return len(self.new_folders) + self.folders_gone

    def add(self, later: Digest) -> None:
        """What came after it belongs to it."""
        self.changes += later.changes
        self.new_folders += later.new_folders
        self.folders_gone += later.folders_gone
        self.rules_changed |= later.rules_changed


class Tree:
    """The folders below `root` (links resolved, not followed) that are not ignored, and the names of their files."""

    def __init__(self, root: str, rules: IgnoreRules) -> None:
        self.root, self._rules = root, rules
        self._names: dict[str, set[str]] = {}
        self._gone: dict[str, float] = {}
        self.refresh()

    @property
    def folders(self) -> list[str]:
        """Every folder to watch."""
        return list(self._names)

    def refresh(self) -> None:
        """Look at everything again without a word, because what is ignored has changed."""
        self._names = dict(self._listings(self.root))

    def walk(self, top: str, since_s: float | None = None) -> list[RawChange]:
        """Look through `top` and all below it: new and vanished files, and those changed `since_s` (epoch)."""
        found: list[RawChange] = []
        seen = set()
        for folder, names in self._listings(top):
            seen.add(folder)
            found += self._compare(folder, names, since_s)
        lost = [folder for folder in self._names if folder not in seen and _within(folder, top)]
        return found + [gone for folder in lost for gone in self._drop(folder)]

    def look_again(self, since_s: float) -> list[RawChange]:
        """The same for the folders in which something came or went `since_s`, each by itself, and for new ones."""
        found: list[RawChange] = []
        for folder in list(self._names):
            try:
                if os.lstat(folder).st_mtime < since_s:
                    continue
                names, below = self._list(folder)
            except OSError:
                continue  # it vanished; the event of that says the rest
            found += self._compare(folder, names, since_s)
            for new in below:
                if new not in self._names:
                    found += self.walk(new)
        return found

    def _compare(self, folder: str, names: set[str], since_s: float | None) -> list[RawChange]:
        known, self._names[folder] = self._names.get(folder, set()), names
        found: list[RawChange] = []
        for name in list(names):  # one that has vanished meanwhile is taken out
            if name not in known or since_s is not None:
                found += self._file(folder, name, made=name not in known, since_s=since_s)
        return found + [gone for name in known - names for gone in self._vanished(folder, name)]

    def _listings(self, top: str) -> Iterator[tuple[str, set[str]]]:
        todo = [top]
        while todo:
            folder = todo.pop()
            try:
                names, below = self._list(folder)
            except OSError:
                continue  # it vanished, or we may not look into it
            todo += below
            yield folder, names

    def _list(self, folder: str) -> tuple[set[str], list[str]]:
        """The files in a folder, and the folders in it that are not ignored."""
        names: set[str] = set()
        below = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    names.add(entry.name)
                elif not self._rules.folder_ignored(entry.path):
                    below.append(entry.path)
        return names, below

    def digest(self, events: Iterable[tuple[int, str]]) -> Digest:
        """Make sense of a batch of events, as (kind, absolute path)."""
        result = Digest()
        editing: set[str] = set()
        for kind, path in sorted(events, key=lambda event: event[1]):
            folder, _, name = path.rpartition("/")
            if path == self._rules.exclude_file:
                result.rules_changed = True
            names = self._names.get(folder)
            if names is None:
                continue
            if is_temporary(name):
                edited = saving(name)
                editing |= {f"{folder}/{edited}"} if edited else set()
                continue
            result.rules_changed |= name == ".gitignore"
            self._look(kind, folder, name, result)
        now_s = time.time()
        self._gone = {path: at_s for path, at_s in self._gone.items() if now_s - at_s < _FORGET_GONE_S}
        if editing:
            result.changes = [_vouched(change, editing) for change in result.changes]
        return result

    def _look(self, kind: int, folder: str, name: str, result: Digest) -> None:
        path = f"{folder}/{name}"
        try:
            info = os.lstat(path)
        except OSError:
            if path in self._names:
                result.folders_gone += 1
                for below in [known for known in self._names if _within(known, path)]:
                    result.changes += self._drop(below)
            elif name in self._names[folder]:
                result.changes += self._vanished(folder, name)
            return
        if stat.S_ISDIR(info.st_mode):
            if (kind == ADDED or path not in self._names) and not self._rules.folder_ignored(path):
                result.new_folders.append(path)
            return
        made = name not in self._names[folder]
        self._names[folder].add(name)
        result.changes += self._file(folder, name, made=made)

    def _file(self, folder: str, name: str, *, made: bool, since_s: float | None = None) -> list[RawChange]:
        path = f"{folder}/{name}"
        try:
            info = os.lstat(path)
        except OSError:
            return self._vanished(folder, name)
        recent = made or since_s is None or max(info.st_mtime, info.st_ctime) >= since_s
        counts = stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)
        if not recent or not counts or is_temporary(name) or self._rules.file_ignored(path):
            return []
        return [RawChange(path, info, made=made and path not in self._gone)]

    def _vanished(self, folder: str, name: str) -> list[RawChange]:
        self._names[folder].discard(name)
        path = f"{folder}/{name}"
        if is_temporary(name) or self._rules.file_ignored(path):
            return []
        self._gone[path] = time.time()
        return [RawChange(path, None, gone_at_s=_emptied_at_s(folder))]

    def _drop(self, folder: str) -> list[RawChange]:
        gone = [change for name in list(self._names[folder]) for change in self._vanished(folder, name)]
        del self._names[folder]
        return gone


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _emptied_at_s(folder: str) -> float:
    """When a name was last taken from `folder`, which is the best that can be known of a file that is gone."""
    try:
        return os.lstat(folder).st_mtime
    except OSError:
        return time.time()


def _vouched(change: RawChange, editing: set[str]) -> RawChange:
    folder = change.path.rpartition("/")[0]
    if change.path in editing or f"{folder}/{ANY_FILE}" in editing:
        return RawChange(change.path, change.info, made=change.made, by_user=True, gone_at_s=change.gone_at_s)
    return change
