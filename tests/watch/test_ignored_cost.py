"""Ignored folders cost nothing: no watch, no look inside, whatever they hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdev_bridge.sync.scan import scan

if TYPE_CHECKING:
    from tests.watch.desk import Desk

IGNORED_FOLDERS = 500


def dependencies(folder: Path) -> None:
    (folder / ".gitignore").write_text("node_modules/\n/out\n")
    for number in range(IGNORED_FOLDERS):
        below = folder / "node_modules" / f"package{number}" / "lib"
        below.mkdir(parents=True)
        (below / "index.py").touch()
    (folder / "out" / "deep" / "er").mkdir(parents=True)
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("a")


def inotify_watches() -> int:
    """How many folders this process watches, as the kernel counts them (proc(5), fdinfo)."""
    lines = []
    for entry in Path("/proc/self/fdinfo").iterdir():
        try:
            lines += entry.read_text().splitlines()
        except OSError:
            continue  # the descriptor that reads this folder
    return sum(line.startswith("inotify wd:") for line in lines)


class Looks:
    """Every folder that was opened or listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        for name in ("scandir", "listdir", "open", "lstat", "stat"):
            monkeypatch.setattr(os, name, self._noting(getattr(os, name)))

    def _noting(self, call: Any) -> Any:
        def noting(path: Any = ".", *rest: Any, **more: Any) -> Any:
            self.paths.append(str(path))
            return call(path, *rest, **more)

        return noting

    def below_ignored(self) -> list[str]:
        return [path for path in self.paths if "/node_modules/" in path or "/out/" in path]


@pytest.mark.skipif(sys.platform != "linux", reason="counts the kernel's watches, which only Linux tells")
async def test_no_ignored_folder_is_watched(desk: Desk) -> None:
    dependencies(desk.folder)
    before = inotify_watches()
    async with desk.watching():
        assert 0 < inotify_watches() - before <= 4, "the workspace, src, and what belongs to git"
        for number in range(20):
            (desk.folder / "node_modules" / f"package{number}" / "lib" / "index.py").write_text("changed")
        (desk.folder / "node_modules" / "new" / "deep").mkdir(parents=True)
        await desk.sentinel()
        assert desk.all_files == {"sentinel.py"}
        assert inotify_watches() - before <= 4


async def test_no_ignored_folder_is_looked_into_by_the_watcher(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dependencies(desk.folder)
    looks = Looks(monkeypatch)
    async with desk.watching():
        desk.write("src/b.py")
        await desk.asked(1)
        desk.write("fresh/folder/c.py")
        await desk.sentinel()
    assert any(path.endswith("/src") for path in looks.paths)
    assert looks.below_ignored() == []


def test_no_ignored_folder_is_looked_into_by_a_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dependencies(tmp_path)
    looks = Looks(monkeypatch)
    first = scan(tmp_path)
    again = scan(tmp_path, first)
    assert set(again.manifest) == {".gitignore", "src", "src/a.py"}
    assert again.ignored == {"node_modules", "out"}
    assert any(path.endswith("/src") for path in looks.paths)
    assert looks.below_ignored() == []
