"""The path map: which local file a remote path means, and the other way round.

Pure text: nothing is looked up on any disk. Both ways take the pair with the longest matching prefix, compare whole
components, and take `.` and `..` out before they compare, so a mapped path never leaves the workspace. Symbolic links
that do are the business of whoever opens the file.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_WINDOWS = re.compile(r"[A-Za-z]:(?=[\\/]|$)|\\\\[^\\/]")
_FILE_URI = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)


class PathPair(NamedTuple):
    """One `[[paths]]` entry: the folder `remote` of the server is the folder `local` of the workspace.

    `remote` may be relative to the remote root, `local` to the workspace folder.
    """

    remote: str
    local: str


class _RemotePath(NamedTuple):
    """An absolute remote path in pieces: `anchor` is "/", "c:/" or "//host/"."""

    anchor: str
    parts: tuple[str, ...]

    def key(self) -> tuple[str, ...]:
        """What two spellings of one place share: Windows does not tell upper from lower case."""
        return self.parts if self.anchor == "/" else tuple(part.casefold() for part in self.parts)


class PathMap(msgspec.Struct, frozen=True, dict=True):
    """Maps between a workspace `folder` (absolute) and where a server sees it.

    Without a `remote_root` the server is taken to see the workspace under the same path (which is so for the embedded
    server); `pairs` add to that, and win where they are longer.
    """

    folder: Path
    remote_root: str | None = None
    pairs: tuple[PathPair, ...] = ()

    @classmethod
    def of(cls, folder: Path, remote_root: str | None = None, pairs: Iterable[tuple[str, str]] = ()) -> PathMap:
        """The same, from any pairs of (remote, local)."""
        return cls(folder, remote_root, tuple(PathPair(*pair) for pair in pairs))

    def to_local(self, path: str, cwd: str | None = None) -> Path | None:
        """The local file that the server calls `path`, or None where that is nothing inside the workspace.

        A relative path counts from `cwd`, and a relative `cwd` (None: the workspace) from the remote root.
        `file:` URIs are decoded; in anything else a percent sign is a percent sign.
        """
        uri = _FILE_URI.match(path)
        if uri:
            path = unquote(path[uri.end() :])
            if _WINDOWS.match(path, 1):  # file:///C:/x
                path = path[1:]
        if not path or "\0" in path or "\n" in path:
            return None
        remote = self._absolute(path, cwd)
        for prefix, local in self._by_remote:
            if prefix.anchor == remote.anchor and remote.key()[: len(prefix.parts)] == prefix.key():
                return local.joinpath(*remote.parts[len(prefix.parts) :])
        return None

    def to_remote(self, path: Path) -> str | None:
        """What the server calls the local file `path` (relative: to the folder); None where it cannot see it."""
        local = _normal_local(self.folder, str(path))
        for prefix, remote in self._by_local:
            if local.parts[: len(prefix.parts)] == prefix.parts:
                return _joined(remote.anchor, (*remote.parts, *local.parts[len(prefix.parts) :]))
        return None

    def remote_cwd(self, cwd: str | None = None) -> str:
        """Where on the server a task with this `cwd` runs, absolute."""
        return _joined(*self._absolute(cwd or ".", None))

    @cached_property
    def _root(self) -> _RemotePath:
        return _split(self.remote_root or str(self.folder))

    @cached_property
    def _all(self) -> list[tuple[_RemotePath, Path]]:
        """Each prefix with its folder, the root first; a pair whose local side leaves the workspace maps nothing."""
        folder = _normal_local(self.folder, ".")
        pairs = ((self._absolute(p.remote, None), _normal_local(folder, p.local)) for p in self.pairs)
        return [(self._root, folder), *((r, local) for r, local in pairs if local.is_relative_to(folder))]

    @cached_property
    def _by_remote(self) -> list[tuple[_RemotePath, Path]]:
        return sorted(self._all, key=lambda pair: -len(pair[0].parts))

    @cached_property
    def _by_local(self) -> list[tuple[Path, _RemotePath]]:
        return sorted(((local, remote) for remote, local in self._all), key=lambda pair: -len(pair[0].parts))

    def _absolute(self, path: str, cwd: str | None) -> _RemotePath:
        windows = self._root.anchor != "/"
        if windows and path.startswith(("/", "\\")) and not _WINDOWS.match(path) and not path.startswith("//"):
            return _split(self._root.anchor + path.lstrip("/\\"))  # "\x" is on the drive of the root
        if path.startswith("/") or _WINDOWS.match(path):
            return _split(path)
        base = self._absolute(cwd, None) if cwd else self._root
        return _RemotePath(base.anchor, _resolved(base.parts, _components(path, windows=windows)))


def _split(path: str) -> _RemotePath:
    """An absolute path of either shape. A backslash separates on Windows alone: elsewhere a name may hold one."""
    if not _WINDOWS.match(path):
        return _RemotePath("/", _resolved((), _components(path, windows=False)))
    if path.startswith("\\\\"):
        host, *rest = _components(path[2:], windows=True)
        return _RemotePath(f"//{host.casefold()}/", _resolved((), rest))
    return _RemotePath(f"{path[0].lower()}:/", _resolved((), _components(path[2:], windows=True)))


def _components(path: str, *, windows: bool) -> list[str]:
    return (path.replace("\\", "/") if windows else path).split("/")


def _resolved(base: tuple[str, ...], parts: Iterable[str]) -> tuple[str, ...]:
    """`base` followed by `parts`, without empty parts, `.` and `..`; above the root there is nothing."""
    result = list(base)
    for part in parts:
        if part == "..":
            del result[-1:]
        elif part not in ("", "."):
            result.append(part)
    return tuple(result)


def _joined(anchor: str, parts: tuple[str, ...]) -> str:
    if anchor == "/":
        return "/" + "/".join(parts)
    return (anchor + "/".join(parts)).replace("/", "\\")


def _normal_local(folder: Path, path: str) -> Path:
    """`path` (relative: to `folder`) as an absolute path without `.` and `..`."""
    whole = folder / path
    return Path("/", *_resolved((), whole.parts[1:]))
