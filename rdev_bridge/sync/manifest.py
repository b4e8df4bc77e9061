"""What a tree holds, what differs between two of them, and what to do where a server's tree moved. Pure.

A manifest maps paths (relative to the root, `/` between names, non-UTF-8 bytes as surrogates) to states:
`f HASH` a file, `x HASH` an executable file, `l HASH` a symbolic link (the hash is of its target), `d` a folder,
`o` anything else (only ever seen on a server). Hashes are SHA-256 in hex. The scripts on the server say the same words.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdev_bridge.model import ConflictPolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Manifest = dict[str, str]
Spared = dict[str, tuple[str, str]]
"""Paths where the server's file was chosen over ours: (local state, server's state) at that time, "" for no file."""

FOLDER = "d"
OTHER = "o"


def weight(path: str, state: str) -> int:
    """What one entry adds to the weight of its tree."""
    return int.from_bytes(hashlib.sha256(f"{path}\0{state}".encode("utf-8", "surrogateescape")).digest())


def name_of(total: int) -> str:
    """A name for the state of a whole tree, from the sum of its weights: one change does not count the rest again."""
    return f"{total % _MODULUS:064x}"[:16]


_MODULUS = 1 << 256


def parent(path: str) -> str:
    """The folder that `path` stands in; "" is the root."""
    return path.rpartition("/")[0]


def is_file(state: str | None) -> bool:
    """Is this the state of a regular file?"""
    return state is not None and state[0] in "fx"


@dataclass
class Difference:
    """What makes one tree into another, each list in path order."""

    bring: list[str] = field(default_factory=list)
    """Files and links to write into folders that are there."""
    trees: list[str] = field(default_factory=list)
    """Folders that are not there: each is brought whole, with all that is below it."""
    below: list[str] = field(default_factory=list)
    """What is below `trees`."""
    modes: list[str] = field(default_factory=list)
    """Files that only gain or lose their run bit."""
    drop: list[str] = field(default_factory=list)
    """Files and links to remove."""
    empty: list[str] = field(default_factory=list)
    """Folders to remove where nothing is left in them, deepest first."""
    in_the_way: set[str] = field(default_factory=set)
    """What of `drop` and `empty`, or of the old state of `bring` and `trees`, must go before the new can come."""

    @property
    def written(self) -> list[str]:
        """All that is there afterwards and was not, or not so, before."""
        return [*self.bring, *self.trees, *self.below, *self.modes]

    def __bool__(self) -> bool:
        return bool(self.bring or self.trees or self.modes or self.drop or self.empty)


def difference(base: Mapping[str, str], local: Mapping[str, str], spared: Mapping[str, tuple[str, str]]) -> Difference:
    """What makes `base` into `local`; `spared` paths are left alone until the local file changes."""
    found = Difference()
    new_folders: set[str] = set()
    replaced: set[str] = set()  # folders that give way to a file or link
    for path in sorted([path for path, state in local.items() if base.get(path) != state]):
        now, before = local[path], base.get(path)
        if _is_spared(path, now, spared):
            continue
        if parent(path) in new_folders:
            found.below.append(path)
            if now == FOLDER:
                new_folders.add(path)
            continue
        if now == FOLDER:
            found.trees.append(path)
            new_folders.add(path)
            if before is not None:
                found.in_the_way.add(path)
        elif is_file(now) and is_file(before) and now[1:] == (before or "")[1:]:
            found.modes.append(path)
        else:
            found.bring.append(path)
            if before == FOLDER:
                replaced.add(path)
                found.in_the_way.add(path)
    for path in sorted(path for path in base.keys() - local.keys() if not _is_spared(path, "", spared)):
        (found.empty if base[path] == FOLDER else found.drop).append(path)
        if replaced and not replaced.isdisjoint(_above(path)):
            found.in_the_way.add(path)
    found.empty.extend(replaced)
    found.empty.sort(reverse=True)
    return found


def _is_spared(path: str, now: str, spared: Mapping[str, tuple[str, str]]) -> bool:
    return path in spared and spared[path][0] == now


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def after_push(base: Mapping[str, str], local: Mapping[str, str], spared: Mapping[str, tuple[str, str]]) -> Manifest:
    """What the server holds once `difference(base, local, spared)` is done, as far as this push knows."""
    result = dict(local)
    for path in spared:
        if _is_spared(path, local.get(path, ""), spared):
            result.pop(path, None)
            if path in base:
                result[path] = base[path]
    return result


@dataclass
class Reconciled:
    """The outcome of a look at the server."""

    base: Manifest
    """What the next push may build on."""
    conflicts: list[str] = field(default_factory=list)
    """Changed here and there, and the policy says that the user must choose."""
    blocked: list[str] = field(default_factory=list)
    """What no policy can solve: a folder there where a file is here, a link to somewhere else, a device."""
    kept: list[str] = field(default_factory=list)
    """Where the server's file differs and is left as it is."""
    spared: Spared = field(default_factory=dict)


def reconcile(
    base: Mapping[str, str],
    local: Mapping[str, str],
    actual: Mapping[str, str],
    spared: Mapping[str, tuple[str, str]],
    intended: Mapping[str, Collection[str]],
    policy: ConflictPolicy,
) -> Reconciled:
    """Decide, path by path, what it means that the server holds `actual` where the last push left `base`.

    `intended` are the states that pushes of ours with no known end would have left: as much ours as the base.

    A file that changed on the server while the local one did not is no conflict: it is left alone, as it would be had
    nobody looked. What vanished on the server is brought again: that overwrites nothing.
    """
    found = Reconciled({})
    for path in sorted(base.keys() | local.keys() | intended.keys()):
        reachable = "/" not in path or actual.get(parent(path)) == FOLDER
        here, before, there = local.get(path), base.get(path), actual.get(path) if reachable else None
        if there is None or there in (here, before) or there in intended.get(path, ()):
            if there is not None:
                found.base[path] = there
        elif here == before and here != FOLDER:
            found.kept.append(path)
            if here is not None:
                found.base[path] = here
        elif _is_spared(path, here or "", spared):
            _spare(found, path, here, before, there)
        elif FOLDER in (here, there) or there == OTHER:
            _two_kinds(found, path, here, before, there, policy)
        elif policy is ConflictPolicy.FAIL:
            found.conflicts.append(path)
        elif policy is ConflictPolicy.OURS:
            found.base[path] = there
        else:
            _spare(found, path, here, before, there)
    return found


def _spare(found: Reconciled, path: str, here: str | None, before: str | None, there: str) -> None:
    """Leave the server's file alone. What is remembered of it stays, so that the next local change is told again."""
    found.kept.append(path)
    found.spared[path] = (here or "", there)
    if before is not None:
        found.base[path] = before


def _two_kinds(
    found: Reconciled, path: str, here: str | None, before: str | None, there: str, policy: ConflictPolicy
) -> None:
    """A folder on one side only, or something that is neither file, link nor folder on the server."""
    if here is None:  # gone here, and what is there is nothing that was ever brought
        found.kept.append(path)
    elif policy is ConflictPolicy.FAIL:
        found.conflicts.append(path)
    elif policy is ConflictPolicy.OURS and here == FOLDER and there != OTHER:
        found.base[path] = there
    elif policy is ConflictPolicy.THEIRS and here != FOLDER:
        _spare(found, path, here, before, there)
    else:
        found.blocked.append(path)
