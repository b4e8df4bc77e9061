"""What a push does to the server's tree, in every shell."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.sync import SyncError, memory, push
from tests.sync.conftest import tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.sync.conftest import Pushed

ODD_NAMES = [
    b"two\nlines",
    b"it's",
    b'"quoted"',
    b"-rf",
    b"--",
    b"back\\slash",
    b"a\\cb",
    b"$(touch gone)`x`;&|<>*?[!]#~",
    b" leading and trailing ",
    "grüße-日本語-🙂".encode(),
    b"latin\xfc\xff\x81\x88",
    b"\x01\x07\x1b[31m\x7f",
    b"n" * 255,
    b".hidden",
    b"..two",
    b"...",
    b"tab\tcr\r",
    b"\\n",
    b"trailing\n",
]


async def test_tree_arrives_and_then_only_what_changed(pushed_by: Pushed) -> None:
    pushed = pushed_by
    pushed.write("src/a.py", "a")
    pushed.write("src/deep/er/b.py", "b" * 100_000)
    pushed.write("bin/run", "#!/bin/sh\n", executable=True)
    pushed.write("empty.txt", "")
    (pushed.here / "logs").mkdir()
    (pushed.here / "link").symlink_to("src/a.py")
    first = await pushed.push()
    pushed.alike()
    assert (first.files, first.refused, first.kept) == (4, (), ())

    pushed.write("src/a.py", "changed")
    second = await pushed.push()
    pushed.alike()
    assert (second.files, second.bytes) == (1, 7)
    assert second.state != first.state

    calls = pushed.shell.calls
    third = await pushed.push()
    assert (third.files, third.deleted, third.state) == (0, 0, second.state)
    assert pushed.shell.calls == calls + 1


async def test_odd_names(pushed_by: Pushed) -> None:
    pushed = pushed_by
    files = []
    for name in map(os.fsdecode, ODD_NAMES):
        for folder in ("files", f"folder {os.fsdecode(os.fsencode(name)[:200])}"):
            files.append(pushed.write(f"{folder}/{name}", os.fsencode(name)))
        (pushed.here / "files" / ("l" + name[:254])).symlink_to(name)
    await pushed.push()
    pushed.alike()
    for file in files:
        file.write_bytes(file.read_bytes() + b" more")
    await pushed.push()
    pushed.alike()
    for entry in list(pushed.here.iterdir()):
        shutil.rmtree(entry)
    await pushed.push()
    pushed.alike()
    assert tree(pushed.there) == {}


async def test_every_change_of_kind(pushed_by: Pushed) -> None:
    pushed = pushed_by
    kinds = ["file", "run", "folder", "full", "link", "gone"]

    def make(path: str, kind: str) -> None:
        file = pushed.here / path
        match kind:
            case "file" | "run":
                pushed.write(path, "same", executable=kind == "run")
            case "folder":
                file.mkdir()
            case "full":
                pushed.write(f"{path}/in/side", "x")
                pushed.write(f"{path}/beside", "y")
            case "link":
                file.symlink_to("anywhere")

    for old in kinds:
        for new in kinds:
            make(f"{old}-{new}", old)
            make(f"below/{old}-{new}", old) if old != "gone" else pushed.write("below/keep", "")
    await pushed.push()
    pushed.alike()
    for old in kinds:
        for new in kinds:
            for path in (f"{old}-{new}", f"below/{old}-{new}"):
                file = pushed.here / path
                if file.is_symlink() or file.is_file():
                    file.unlink()
                elif file.exists():
                    shutil.rmtree(file)
                make(path, new)
    await pushed.push()
    pushed.alike()


async def test_run_bit_alone_sends_no_content(pushed: Pushed) -> None:
    file = pushed.write("tool", "x" * 10_000)
    await pushed.push()
    file.chmod(0o755)
    result = await pushed.push()
    pushed.alike()
    assert result.files == 0
    file.chmod(0o644)
    await pushed.push()
    pushed.alike()


async def test_links_that_lead_out_are_refused_and_told(pushed: Pushed) -> None:
    pushed.write("sub/file", "x")
    (pushed.here / "absolute").symlink_to("/etc/passwd")
    (pushed.here / "up").symlink_to("../outside")
    (pushed.here / "sub" / "fine").symlink_to("../sub/file")
    (pushed.here / "dot").symlink_to(".")
    (pushed.here / "sneaky").symlink_to("dot/../../x")
    (pushed.here / "by-folder").symlink_to("sub/../..")
    os.mkfifo(pushed.here / "pipe")
    result = await pushed.push()
    assert {line.partition(":")[0] for line in result.refused} == {"absolute", "up", "sneaky", "by-folder", "pipe"}
    assert set(tree(pushed.there)) == {"sub", "sub/file", "sub/fine", "dot"}


async def test_ignored_files_stay_where_they_are(pushed: Pushed) -> None:
    pushed.write(".gitignore", "*.log\n/build/\n!keep.log\n")
    pushed.write("sub/.gitignore", "!this.log\nlocal\n")
    for name in ("a.log", "keep.log", "build/x", "sub/this.log", "sub/local", "sub/build/kept", ".git/config"):
        pushed.write(name, name)
    (pushed.there / "build").mkdir()
    (pushed.there / "build" / "made-there").write_text("1")
    (pushed.there / "a.log").write_text("theirs")
    await pushed.push()
    assert set(tree(pushed.there)) == {
        ".gitignore", "keep.log", "sub", "sub/.gitignore", "sub/this.log", "sub/build", "sub/build/kept",
        "build", "build/made-there", "a.log",
    }  # fmt: skip
    assert (pushed.there / "a.log").read_text() == "theirs"

    pushed.write("sub/.gitignore", "!this.log\nlocal\nbuild\n")  # what becomes ignored is no longer ours to delete
    shutil.rmtree(pushed.here / "sub" / "build")
    pushed.write("sub/build/new", "")
    await pushed.push()
    assert (pushed.there / "sub/build/kept").exists()
    assert not (pushed.there / "sub/build/new").exists()


async def test_a_folder_goes_only_when_nothing_is_left_in_it(pushed: Pushed) -> None:
    pushed.write("pkg/a.py", "")
    pushed.write("other/a.py", "")
    await pushed.push()
    (pushed.there / "pkg" / "__pycache__").mkdir()
    shutil.rmtree(pushed.here / "pkg")
    shutil.rmtree(pushed.here / "other")
    await pushed.push()
    assert set(tree(pushed.there)) == {"pkg", "pkg/__pycache__"}
    pushed.write("pkg/b.py", "again")
    await pushed.push()
    assert (pushed.there / "pkg/b.py").read_text() == "again"


async def test_many_files_go_in_parts_and_changed_ones_too(pushed_by: Pushed) -> None:
    pushed = pushed_by
    for number in range(1200):
        pushed.write(f"d{number % 40}/f{number}", os.urandom(300))
    result = await pushed.push()
    assert result.files == 1200
    pushed.alike()
    for number in range(0, 1200, 2):
        pushed.write(f"d{number % 40}/f{number}", os.urandom(301))
    for number in range(1, 1200, 7):
        (pushed.here / f"d{number % 40}/f{number}").unlink(missing_ok=True)
    await pushed.push()
    pushed.alike()
    assert not list((pushed.there / ".rdev-push" / "spool").iterdir())
    assert sorted(entry.name for entry in (pushed.there / ".rdev-push").iterdir()) == [
        ".gitignore",
        "generation",
        "spool",
    ]


async def test_known_changes_are_brought_first_and_what_nobody_told_too(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        pushed.write(f"d/f{number}", "x")
    await pushed.push(changed=[])  # nothing is known yet, so this scans all the same
    pushed.alike()
    brought = []

    def intend(path: Path, states: Mapping[str, str]) -> None:
        brought.append(set(states))
        memory.intend(path, states)

    monkeypatch.setattr(push, "intend", intend)
    pushed.write("d/f1", "an edit that nobody told")
    edited = pushed.write("d/f2", "an edit")
    (pushed.here / "d/f3").unlink()
    new = pushed.write("d/new", "new")
    result = await pushed.push(changed=[edited, pushed.here / "d/f3", new])
    pushed.alike()
    assert brought == [{"d/f2", "d/new"}, {"d/f1"}]
    assert (result.files, result.deleted) == (3, 1)
    assert (await pushed.push()).state == result.state
    pushed.write(".gitignore", "d/new\n")
    pushed.write("fresh/folder/file", "1")
    await pushed.push(changed=[pushed.here / ".gitignore", pushed.here / "fresh"])
    assert (pushed.there / "fresh/folder/file").exists()


async def test_no_word_of_a_change_at_all_is_no_reason_to_miss_it(pushed: Pushed) -> None:
    pushed.write("a", "1")
    await pushed.push()
    pushed.write("a", "2")
    pushed.write("new/b", "3")
    await pushed.push(changed=[])
    pushed.alike()


async def test_what_vanished_on_the_server_comes_again(pushed: Pushed) -> None:
    pushed.write("a/b", "x")
    pushed.write("c", "y")
    await pushed.push()
    shutil.rmtree(pushed.there)
    await pushed.push()
    pushed.alike()


async def test_a_root_that_cannot_be_made_is_told(pushed: Pushed) -> None:
    pushed.write("a", "x")
    pushed.there = pushed.there / "no" / "where"
    with pytest.raises(SyncError, match="remote_root"):
        await pushed.push()


async def test_an_unreadable_file_is_told(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed.write("a", "x")
    pushed.write("secret", "x")

    def deny(path: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rdev_bridge.sync.scan.hash_file", deny)
    with pytest.raises(SyncError, match=r"cannot read .*permission denied.*\.gitignore"):
        await pushed.push()
    assert tree(pushed.there) == {}


async def test_a_second_process_knows_what_the_first_pushed(pushed: Pushed) -> None:
    for number in range(50):
        pushed.write(f"f{number}", str(number))
    await pushed.push()
    pushed.write("f7", "changed")
    pushed.barrier = type(pushed.barrier)()
    calls = pushed.shell.calls
    result = await pushed.push()
    assert (result.files, pushed.shell.calls - calls) == (1, 1)
    pushed.alike()


async def test_a_folder_that_was_there_is_adopted_without_sending_it(pushed: Pushed) -> None:
    for number in range(30):
        pushed.write(f"d/f{number}", os.urandom(2000))
    shutil.copytree(pushed.here, pushed.there, dirs_exist_ok=True)
    pushed.write("d/f1", "mine is newer")
    (pushed.there / "d/f1").unlink()
    result = await pushed.push()
    assert result.files == 1
    pushed.alike()


async def test_a_workspace_that_is_gone_is_not_an_empty_one(pushed: Pushed) -> None:
    pushed.write("src/a.py", "a")
    await pushed.push()
    pushed.here.rename(pushed.here.with_name("elsewhere"))
    for known in (pushed.barrier, type(pushed.barrier)()):
        pushed.barrier = known
        for changed in ((), None):
            with pytest.raises(SyncError, match="the workspace: no such file or directory"):
                await pushed.push(changed)
    assert (pushed.there / "src" / "a.py").read_text() == "a"
