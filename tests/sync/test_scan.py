"""The walk over a workspace: complete, and cheap the second time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.sync import scan as module
from rdev_bridge.sync.memory import load_scan, save_scan
from rdev_bridge.sync.scan import Scan, leads_out, rescan, scan

if TYPE_CHECKING:
    from pathlib import Path

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose content was read."""
    names: list[str] = []
    real = module.hash_file

    def hash_file(path: str) -> str:
        names.append(path.rpartition("/")[2])
        return real(path)

    monkeypatch.setattr(module, "hash_file", hash_file)
    return names


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on scans happen an hour after what the files' times say."""
    real = module.time.time_ns
    monkeypatch.setattr(module.time, "time_ns", lambda: real() + HOUR_NS)


def test_only_what_changed_is_read_again(tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    later(monkeypatch)
    first = scan(tmp_path)
    assert sorted(read) == ["a", "b", "c"]
    read.clear()
    assert scan(tmp_path, first).manifest == first.manifest
    assert read == []
    (tmp_path / "b").write_text("other")
    assert scan(tmp_path, first).manifest != first.manifest
    assert read == ["b"]


def test_a_file_hashed_within_a_tick_of_its_change_is_not_trusted(tmp_path: Path, read: list[str]) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    first = scan(tmp_path)
    times = file.stat()
    file.write_text("two")  # same size; the clock may not have moved
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    read.clear()
    second = scan(tmp_path, first)
    assert read == ["a"]
    assert second.manifest != first.manifest


def test_the_memory_on_disk_is_the_scan(tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / ".gitignore").write_text("*.o\n")
    for name in ("a", "sub/b\udcff", "sub/x.o"):
        (folder / name).write_text(name.encode("utf-8", "replace").decode())
    (folder / "link").symlink_to("a")
    later(monkeypatch)
    first = scan(folder)
    save_scan(tmp_path / "scan", first)
    loaded = load_scan(tmp_path / "scan")
    assert loaded == first
    read.clear()
    assert scan(folder, loaded) == first
    assert read == []
    (tmp_path / "scan").write_bytes(b"\x00garbage")
    assert load_scan(tmp_path / "scan") == Scan()


def test_ignore_files_take_effect_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.o", "sub/b.o", "sub/c.o"):
        (tmp_path / name).write_text(name)
    later(monkeypatch)
    found = scan(tmp_path)
    assert set(found.manifest) == {"a.o", "sub", "sub/b.o", "sub/c.o"}
    for file, text, expected in [
        (".gitignore", "*.o\n", {".gitignore", "sub"}),
        ("sub/.gitignore", "!b.o\n", {".gitignore", "sub", "sub/.gitignore", "sub/b.o"}),
        (".gitignore", "sub/\n", {".gitignore", "a.o"}),
        (".gitignore", "# none\n", {".gitignore", "a.o", "sub", "sub/.gitignore", "sub/b.o", "sub/c.o"}),
    ]:
        (tmp_path / file).write_text(text)
        found = scan(tmp_path, found)
        assert set(found.manifest) == expected
        assert set(scan(tmp_path).manifest) == expected
    (tmp_path / "sub/.gitignore").write_text("*\n")
    found = scan(tmp_path, found)
    (tmp_path / "sub/.gitignore").unlink()
    found = scan(tmp_path, found)
    assert "sub/c.o" in found.manifest


def test_known_changes(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / ".gitignore").write_text("*.o\n")
    for name in ("a", "d/b"):
        (tmp_path / name).write_text(name)
    before = scan(tmp_path)
    (tmp_path / "a").unlink()
    (tmp_path / "d/b").write_text("more")
    (tmp_path / "d/new").write_text("new")
    (tmp_path / "d/x.o").write_text("ignored")
    found = rescan(tmp_path, before, [tmp_path / name for name in ("a", "d/b", "d/new", "d/x.o", ".git/index")])
    assert found is not None
    assert found.manifest == scan(tmp_path).manifest


@pytest.mark.parametrize("changed", ["d", "new/file", ".gitignore", "d/.gitignore", "../elsewhere"])
def test_changes_that_only_a_whole_scan_can_tell(tmp_path: Path, changed: str) -> None:
    (tmp_path / "w" / "d").mkdir(parents=True)
    before = scan(tmp_path / "w")
    assert (
        rescan(tmp_path / "w", before, [tmp_path / "elsewhere" if ".." in changed else tmp_path / "w" / changed])
        is None
    )


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("l", "a", False),
        ("d/l", "../a", False),
        ("d/l", ".", False),
        ("l", "missing", False),
        ("l", "d/../a", False),
        ("l", "/etc", True),
        ("l", "..", True),
        ("d/l", "../../a", True),
        ("l", "d/../../w/a", True),
        ("l", "self/../x", True),
        ("l", "self/a", False),
    ],
)
def test_links(tmp_path: Path, path: str, target: str, out: bool) -> None:
    root = tmp_path / "w"
    (root / "d").mkdir(parents=True)
    (root / "a").write_text("")
    (root / "self").symlink_to(".")
    assert bool(leads_out(str(root), path, target)) is out
