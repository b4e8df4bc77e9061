"""The local file that a problem is in: the path map, and then a look at the disk.

What leaves the workspace, by its name or through a symbolic link, is not found here, and so never opened.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from rdev_bridge.problems.problem import FileLocation, FileLocationKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdev_bridge.core.paths import PathMap

MAX_SEARCHED = 50_000
"""Files that a search looks at before it gives up."""

MAX_TEXT = 8 * 1024 * 1024
_NEVER_SEARCHED = {".git", ".hg", "node_modules", "__pycache__", ".venv"}
_CACHED = 20_000


class Locator:
    """Finds files for one run. Everything here may block on the disk: call it from a thread."""

    def __init__(self, paths: PathMap, cwd: str | None) -> None:
        self._paths, self._cwd = paths, cwd
        self._real_root = paths.folder.resolve()
        self._found: dict[tuple[str, FileLocation], Path | None] = {}
        self._indexes: dict[FileLocation, dict[str, list[Path]]] = {}

    def known(self, path: str, location: FileLocation) -> bool:
        """Whether `locate` answers from memory."""
        return (path, location) in self._found

    def locate(self, path: str, location: FileLocation) -> Path | None:
        """The regular file inside the workspace that a tool called `path`, or None."""
        key = (path, location)
        if key not in self._found:
            if len(self._found) >= _CACHED:
                self._found.clear()
            self._found[key] = next(self._existing(path, location), None)
        return self._found[key]

    def _existing(self, path: str, location: FileLocation) -> Iterator[Path]:
        for base in self._bases(location):
            local = self._paths.to_local(path, base)
            if local is not None and self._is_inside(local):
                yield local
        if location.kind is FileLocationKind.SEARCH or location.include:
            hits = [hit for hit in self._index(location).get(os.path.basename(path), ()) if _ends_with(hit, path)]  # noqa: PTH119
            if hits and (location.kind is FileLocationKind.SEARCH or len(hits) == 1):
                yield hits[0]

    def _bases(self, location: FileLocation) -> list[str | None]:
        """What a relative name may count from. Only an absolute name is the same for all of them."""
        if location.prefix is not None:
            return [self._filled_in(location.prefix)]
        if location.kind is FileLocationKind.SEARCH:
            return []
        if location.kind is FileLocationKind.ABSOLUTE:
            return ["/"]
        told = [] if location.told is None else [self._joined(location.told)]
        return [*told, self._cwd, None] if self._cwd else [*told, None]

    def _joined(self, told: str) -> str:
        """A folder that the output named, itself relative to the run's folder."""
        return told if told.startswith(("/", "\\")) or ":" in told else f"{self._cwd or '.'}/{told}"

    def _filled_in(self, path: str) -> str:
        """`path` with VS Code's variables as the server sees them."""
        if not path.startswith("${"):
            return path
        variable, _, rest = path.partition("}")
        base = self._paths.remote_cwd(self._cwd if variable == "${cwd" else None)
        return base + rest

    def _is_inside(self, local: Path) -> bool:
        try:
            real = local.resolve()
            return real.is_relative_to(self._real_root) and real.is_file()
        except (OSError, RuntimeError, ValueError):  # a name too long, a loop of links
            return False

    def _index(self, location: FileLocation) -> dict[str, list[Path]]:
        if location not in self._indexes:
            index: dict[str, list[Path]] = defaultdict(list)
            self._indexes[location] = index
            left = MAX_SEARCHED
            exclude = {self._paths.to_local(self._filled_in(folder)) for folder in location.exclude}
            for folder in location.include or ("${workspaceFolder}",):
                top = self._paths.to_local(self._filled_in(folder))
                for parent, folders, files in os.walk(top) if top else ():
                    folders[:] = sorted(
                        name for name in folders if name not in _NEVER_SEARCHED and Path(parent, name) not in exclude
                    )
                    for name in files[:left]:
                        if self._is_inside(Path(parent, name)):
                            index[name].append(Path(parent, name))
                    left -= len(files)
                    if left <= 0:
                        break
        return self._indexes[location]


def _ends_with(file: Path, path: str) -> bool:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return list(file.parts[-len(parts) :]) == parts


def read_lines(path: Path, wanted: set[int]) -> dict[int, str]:
    """The `wanted` lines (from 1) of a file, without line ends; what cannot be read is left out."""
    try:
        if path.stat().st_size > MAX_TEXT:
            return {}
        text = path.read_bytes().decode(errors="replace")
    except OSError:
        return {}
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {number: lines[number - 1] for number in wanted if 0 < number <= len(lines)}
