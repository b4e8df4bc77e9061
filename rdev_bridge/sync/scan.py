"""What the workspace holds: one walk, and only what changed since the last one is read."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rdev_bridge.core.shown import visible
from rdev_bridge.ignore import IgnoreRules
from rdev_bridge.sync.errors import SyncError
from rdev_bridge.sync.manifest import FOLDER, Manifest, weight

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

NEVER = frozenset({".git", ".rdev-push"})
"""Names that are never brought over: git's own, and the folder where a push keeps its state on the server."""

Seen = tuple[int, int, int, int, str]
"""A file as it was when it was hashed: mtime and ctime in ns (mtime -1: not to be trusted), size, inode, state."""

_TICK_NS = 50_000_000
_COARSE_TICK_NS = 2_000_000_000
_BLOCK = 1 << 20


@dataclass
class Scan:
    """A workspace at one moment. Never changed once it is made: the next one may share its parts."""

    manifest: Manifest = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    """Paths that the ignore rules exclude (the topmost of each), and names that are never brought."""
    refused: dict[str, str] = field(default_factory=dict)
    """Path to the reason why it cannot be brought over."""
    rules: str = ""
    """Which ignore rules were in force: decisions of an earlier scan hold only under the same ones."""
    weight: int = 0
    """The sum of the manifest's weights: what the state is named by (`manifest.name_of`)."""


def scan(folder: Path, before: Scan | None = None, hashed: Callable[[int], None] = lambda _: None) -> Scan:
    """Walk `folder`. Files whose size, times and inode are as `before` are not read again; all as before is `before`.

    A file that was changed within a clock tick of its hashing may change again without a trace in its times; such an
    entry is not trusted the next time (git's racy entries, Documentation/technical/racy-git). `hashed` is called with
    the bytes of each file that was read. Raises SyncError for what cannot be read.
    """
    return _Walk(folder, before or Scan(), hashed).run()


def rescan(folder: Path, before: Scan, changed: Collection[Path]) -> Scan | None:
    """The same, looking at nothing but the `changed` paths; None where only a full scan can tell.

    That is so for folders, ignore files, and whatever stands in a folder that was not there.
    """
    root = str(folder)
    real = os.path.realpath(root)
    rules = IgnoreRules(real)
    result = Scan(
        dict(before.manifest), dict(before.seen), before.ignored, dict(before.refused), before.rules, before.weight
    )
    walk = _Walk(folder, before, lambda _: None)
    walk.result = result
    for changed_path in changed:
        whole = os.fspath(changed_path)
        if not whole.startswith(root + "/"):
            return None
        path = whole[len(root) + 1 :]
        above, _, name = path.rpartition("/")
        if not NEVER.isdisjoint(path.split("/")) or within(path, before.ignored):
            continue
        if name == ".gitignore" or (above and before.manifest.get(above) != FOLDER):
            return None
        if before.manifest.get(path) == FOLDER:
            return None
        if path in result.manifest:
            result.weight -= weight(path, result.manifest.pop(path))
        result.seen.pop(path, None)
        result.refused.pop(path, None)
        try:
            info = os.lstat(whole)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(info.st_mode):
            return None
        if path not in before.manifest and rules.file_ignored(f"{real}/{path}"):
            continue
        walk.entry(whole, path, info)
        if path in result.manifest:
            result.weight += weight(path, result.manifest[path])
    return result


def within(path: str, folders: set[str]) -> bool:
    """Is `path` one of `folders`, or below one?"""
    if path in folders:
        return True
    above = path.rpartition("/")[0]
    return bool(above) and within(above, folders)


class _Walk:
    """`result` holds what was found, `_kept` the files that are as they were before."""

    def __init__(self, folder: Path, before: Scan, hashed: Callable[[int], None]) -> None:
        self._root = str(folder)
        self._real = os.path.realpath(folder)
        self._before = before
        self._hashed = hashed
        self._ignore = IgnoreRules(self._real)
        self._kept: list[str] = []
        self.result = Scan()

    def run(self) -> Scan:
        outer = hashlib.sha256(b"".join(_stamp(path) for path in self._ignore.outer_files())).hexdigest()
        self.result.rules = outer
        pending = [("", True)]
        rules_changed = outer != self._before.rules
        while pending:
            path, trusted = pending.pop()
            pending.extend(self._folder(path, trusted and not rules_changed))
        return self._joined()

    def _joined(self) -> Scan:
        """What was found on top of what is as it was, sharing all that did not change."""
        before, found = self._before, self.result
        manifest, total = before.manifest, before.weight
        new = {path: state for path, state in found.manifest.items() if manifest.get(path) != state}
        if new or len(self._kept) + len(found.manifest) != len(manifest):
            manifest = dict(manifest)
            for path in manifest.keys() - found.manifest.keys() - set(self._kept):
                total -= weight(path, manifest.pop(path))
            for path, state in new.items():
                if path in manifest:
                    total -= weight(path, manifest[path])
                total += weight(path, state)
            manifest.update(new)
        seen = before.seen
        if found.seen or len(self._kept) != len(seen):
            seen = {path: seen[path] for path in self._kept} | found.seen
        joined = Scan(manifest, seen, found.ignored, found.refused, found.rules, total)
        shares_all = manifest is before.manifest and seen is before.seen
        return before if shares_all and joined == before else joined

    def _folder(self, path: str, trusted: bool) -> Iterator[tuple[str, bool]]:
        """Take in one folder; yields those below it. `trusted`: earlier ignore decisions still hold here."""
        prefix = f"{path}/" if path else ""
        where = f"{self._root}/{path}" if path else self._root
        try:
            descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and path:
                self.result.manifest.pop(path, None)
                return
            raise _unreadable(path, error) from error  # a workspace that is gone is not an empty one
        try:  # by its descriptor, so that the system need not find the way here again for each entry
            with os.scandir(descriptor) as listing:
                entries = list(listing)
            trusted = trusted and self._same_rules(entries, prefix)
            below = self._entries(entries, prefix, where, trusted)
        except OSError as error:
            raise _unreadable(path, error) from error
        finally:
            os.close(descriptor)
        for folder in below:
            yield folder, trusted

    def _entries(self, entries: list[os.DirEntry[str]], prefix: str, where: str, trusted: bool) -> list[str]:
        """Take in what a folder holds; returns the folders in it."""
        result, kept = self.result, self._kept
        old_manifest, old_seen, old_ignored = self._before.manifest, self._before.seen, self._before.ignored
        folders = []
        for entry in entries:  # most are files that are as they were: for those, as little as can be
            name = entry.name
            below = prefix + name
            known = old_seen.get(below)
            if known is not None and trusted:
                try:
                    info = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                # As `_is_as_seen`, whose call would be half a millisecond of 15 for 5 000 files.
                if (
                    known[1] == info.st_ctime_ns
                    and known[0] == info.st_mtime_ns
                    and known[2] == info.st_size
                    and known[3] == info.st_ino
                ):
                    kept.append(below)
                    continue
            is_folder = entry.is_dir(follow_symlinks=False)
            was_taken_in = trusted and (old_manifest.get(below) == FOLDER if is_folder else known is not None)
            if not was_taken_in and (
                name in NEVER or (trusted and below in old_ignored) or self._is_ignored(below, is_folder)
            ):
                result.ignored.add(below)
                continue
            if is_folder:
                result.manifest[below] = FOLDER
                folders.append(below)
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if known is not None and _is_as_seen(info, known):
                kept.append(below)
            else:
                self.entry(f"{where}/{name}", below, info)
        return folders

    def _same_rules(self, entries: list[os.DirEntry[str]], prefix: str) -> bool:
        """Is this folder's own ignore file, or its absence, as it was?"""
        path = f"{prefix}.gitignore"
        before = self._before.seen.get(path)
        for entry in entries:
            if entry.name == ".gitignore":
                return before is not None and _is_as_seen(entry.stat(follow_symlinks=False), before)
        return before is None and path not in self._before.ignored

    def _is_ignored(self, path: str, is_folder: bool) -> bool:
        whole = f"{self._real}/{path}"
        return self._ignore.folder_ignored(whole) if is_folder else self._ignore.file_ignored(whole)

    def entry(self, whole: str, path: str, info: os.stat_result) -> None:
        """Take in a file or link, `path`, whose lstat is `info`."""
        started_ns = time.time_ns()
        try:
            if stat.S_ISREG(info.st_mode):
                state = ("x " if info.st_mode & stat.S_IXUSR else "f ") + hash_file(whole)
                self._hashed(info.st_size)
            elif stat.S_ISLNK(info.st_mode):
                target = os.readlink(whole)  # noqa: PTH115 (a Path would tidy up the text)
                reason = leads_out(self._real, path, target)
                if reason:
                    self.result.refused[path] = reason
                    return
                state = link_state(target)
            else:
                self.result.refused[path] = "neither a file nor a folder"
                return
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(path, error) from error
        tick_ns = _TICK_NS if info.st_ctime_ns % 1_000_000_000 else _COARSE_TICK_NS
        racy = info.st_ctime_ns + tick_ns > started_ns
        self.result.manifest[path] = state
        self.result.seen[path] = (
            -1 if racy else info.st_mtime_ns,
            info.st_ctime_ns,
            info.st_size,
            info.st_ino,
            state,
        )


def _is_as_seen(info: os.stat_result, seen: Seen) -> bool:
    return (
        seen[1] == info.st_ctime_ns
        and seen[0] == info.st_mtime_ns
        and seen[2] == info.st_size
        and seen[3] == info.st_ino
    )


def link_state(target: str) -> str:
    """The state of a symbolic link to `target`."""
    return "l " + hashlib.sha256(os.fsencode(target)).hexdigest()


def hash_file(path: str) -> str:
    """SHA-256 of a file's content, in hex."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        block = os.read(file, _BLOCK)
        whole = hashlib.sha256(block)
        while block:
            block = os.read(file, _BLOCK)
            whole.update(block)
    finally:
        os.close(file)
    return whole.hexdigest()


def leads_out(root: str, path: str, target: str) -> str | None:
    """Why the link at `path` with this `target` must not be brought over, or None.

    It must be relative, and stay inside `root` both as it is spelt and as the file system follows it.
    """
    if target.startswith("/"):
        return "an absolute link"
    above = path.rpartition("/")[0]
    depth = 0
    for part in f"{above}/{target}".split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return "a link that leads out of the workspace"
    followed = os.path.realpath(f"{root}/{above}/{target}")
    if followed != root and not followed.startswith(root + "/"):
        return "a link that leads out of the workspace"
    return None


def _stamp(path: str) -> bytes:
    try:
        info = Path(path).stat()
    except OSError:
        return b"-"
    return f"{path}\0{info.st_mtime_ns}\0{info.st_size}\0{info.st_ino}\0".encode("utf-8", "surrogateescape")


def _unreadable(path: str, error: OSError) -> SyncError:
    reason = (error.strerror or str(error)).lower()
    if not path:
        return SyncError(f"cannot read the workspace: {reason}")
    return SyncError(f"cannot read {visible(path)}: {reason}; fix that or put it into .gitignore")
