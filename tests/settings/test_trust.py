"""Trust: for one folder, with one content."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

from rdev_bridge import places, trust
from rdev_bridge.core.shown import visible
from rdev_bridge.settings import load_workspace

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "rdev.toml").write_text(text)
    return load_workspace(folder).digest


def test_trust_is_for_this_content_of_this_folder(tmp_path: Path) -> None:
    folder, other = tmp_path / "a", tmp_path / "b"
    first = write(folder, "[tasks.a]\ncommand='x'\n")
    same = write(other, "[tasks.a]\ncommand='x'\n")
    assert not trust.is_trusted(folder, first)
    trust.grant(folder, (folder / "rdev.toml").read_bytes())
    assert trust.is_trusted(folder, first)
    assert not trust.is_trusted(other, same)
    assert not trust.is_trusted(folder, write(folder, "[tasks.a]\ncommand='y'\n"))
    assert trust.is_trusted(folder, write(folder, "[tasks.a]\ncommand='x'\n"))
    assert trust.revoke(folder)
    assert not trust.revoke(folder)
    assert not trust.is_trusted(folder, first)


def test_a_link_is_the_folder_that_it_leads_to(tmp_path: Path) -> None:
    digest = write(tmp_path / "a", "")
    trust.grant(tmp_path / "a", b"")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert trust.is_trusted(tmp_path / "link", digest)
    (tmp_path / "link").unlink()
    write(tmp_path / "evil", "")
    (tmp_path / "link").symlink_to(tmp_path / "evil")
    assert not trust.is_trusted(tmp_path / "link", digest)


def test_grants_are_listed_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folders = [tmp_path / "a b\n", tmp_path / "c\udcff"]
    for folder in folders:
        folder.mkdir()
        trust.grant(folder, "# é".encode())
    assert [grant.folder for grant in trust.grants()] == folders
    assert trust.grants()[0].content == "# é".encode()


def test_files_are_private_and_what_is_broken_in_them_is_no_trust(tmp_path: Path) -> None:
    digest = write(tmp_path, "")
    trust.grant(tmp_path, b"")
    (path,) = (places.state_dir() / "trust").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for broken in (
        b"",
        b"{}",
        b"\xff",
        path.read_bytes()[:-9],
        path.read_bytes().replace(b'"content":"', b'"content":"*'),
    ):
        path.write_bytes(broken)
        assert not trust.is_trusted(tmp_path, digest)
        assert trust.grants() == []


def test_two_processes_never_tear_a_grant(tmp_path: Path) -> None:
    text = """
import sys
from pathlib import Path
from rdev_bridge import trust
for n in range(60):
    trust.grant(Path(sys.argv[1]), sys.argv[2].encode() * 20000)
    seen = trust.granted(Path(sys.argv[1]))
    assert seen is not None and set(seen.content) in ({97}, {98}), seen
"""
    others = [subprocess.Popen([sys.executable, "-c", text, str(tmp_path), letter]) for letter in "ab"]
    assert [other.wait(60) for other in others] == [0, 0]
    assert len(list((places.state_dir() / "trust").iterdir())) == 1


def test_changes_hide_nothing_and_steer_nothing() -> None:
    lines = trust.changes(b"a\nb\n", "a\n\x1b]0;x\x07\u202eb\t\u00e9\n\xff".encode("latin-1", "replace") + b"\xff\n")
    shown = "\n".join(lines)
    assert "+\\x1b]0;x\\x07" in shown
    assert all(c.isprintable() or c in "\t\n" for c in shown)
    assert visible("ok \u202e\u2066\x9b\t") == "ok \\u202e\\u2066\\x9b\t"
