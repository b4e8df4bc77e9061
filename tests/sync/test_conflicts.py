"""What changed on the server is never overwritten unasked."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.model import ConflictPolicy
from rdev_bridge.sync import SyncConflictError, SyncError, push
from tests.sync.conftest import tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sync.conftest import Pushed


async def test_a_changed_file_on_the_server_stops_the_push_before_anything_is_written(pushed_by: Pushed) -> None:
    pushed = pushed_by
    for name in ("a", "b", "gone", "quiet"):
        pushed.write(name, name)
    await pushed.push()
    (pushed.there / "a").write_text("theirs")
    (pushed.there / "gone").write_text("theirs")
    pushed.write("a", "mine")
    pushed.write("b", "mine")
    (pushed.here / "gone").unlink()
    before = tree(pushed.there)
    for _ in range(2):
        with pytest.raises(SyncConflictError, match="--sync-conflict=ours") as caught:
            await pushed.push()
        assert caught.value.paths == ("a", "gone")
        assert tree(pushed.there) == before
    await pushed.push(conflict=ConflictPolicy.OURS)
    pushed.alike()


async def test_theirs_stays_until_the_file_changes_here_again(pushed: Pushed) -> None:
    pushed.write("a", "1")
    pushed.write("gone", "1")
    await pushed.push()
    (pushed.there / "a").write_text("theirs")
    (pushed.there / "gone").write_text("theirs")
    pushed.write("a", "mine")
    pushed.write("b", "mine")
    (pushed.here / "gone").unlink()
    result = await pushed.push(conflict=ConflictPolicy.THEIRS)
    assert result.kept == ("a", "gone")
    assert [(pushed.there / name).read_text() for name in ("a", "b", "gone")] == ["theirs", "mine", "theirs"]
    pushed.barrier = type(pushed.barrier)()
    await pushed.push()
    assert (pushed.there / "a").read_text() == "theirs"
    pushed.write("a", "mine again")
    with pytest.raises(SyncConflictError):
        await pushed.push()
    await pushed.push(conflict=ConflictPolicy.OURS)
    assert (pushed.there / "a").read_text() == "mine again"


async def test_the_same_change_on_both_sides_is_no_conflict(pushed: Pushed) -> None:
    pushed.write("a", "1")
    await pushed.push()
    pushed.write("a", "2")
    (pushed.there / "a").write_text("2")
    assert (await pushed.push()).kept == ()
    pushed.alike()


async def test_what_stands_there_at_the_first_push_is_not_overwritten(pushed: Pushed) -> None:
    pushed.write("a", "mine")
    pushed.write("same", "same")
    (pushed.there / "a").write_text("theirs")
    (pushed.there / "same").write_text("same")
    (pushed.there / "other").write_text("not ours to delete")
    with pytest.raises(SyncConflictError):
        await pushed.push()
    await pushed.push(conflict=ConflictPolicy.OURS)
    assert (pushed.there / "a").read_text() == "mine"
    assert (pushed.there / "other").exists()


async def test_a_link_in_the_place_of_a_folder_is_never_followed(pushed_by: Pushed, tmp_path: Path) -> None:
    pushed = pushed_by
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "precious").write_text("precious")
    (outside / "deep" / "precious").write_text("precious")
    safe = tree(outside)
    pushed.write("sub/precious", "1")
    pushed.write("sub/deep/precious", "1")
    pushed.write("sub/deep/other", "1")
    await pushed.push()
    for place, target in (("sub/deep", outside / "deep"), ("sub", outside)):
        shutil.rmtree(pushed.there / place)
        (pushed.there / place).symlink_to(target)
        pushed.write("sub/deep/precious", f"changed for {place}")
        pushed.write("sub/deep/new/tree", "1")
        (pushed.here / "sub/deep/other").unlink(missing_ok=True)
        with pytest.raises(SyncError):
            await pushed.push()
        with pytest.raises(SyncError):
            await pushed.push(conflict=ConflictPolicy.THEIRS)
        assert tree(outside) == safe
    await pushed.push(conflict=ConflictPolicy.OURS)
    assert tree(outside) == safe
    pushed.alike()


async def test_a_link_in_the_place_of_the_bridges_own_folder_is_refused(pushed: Pushed, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (pushed.there / ".rdev-push").symlink_to(tmp_path / "outside")
    pushed.write("a", "1")
    with pytest.raises(SyncError, match="symbolic link"):
        await pushed.push()
    assert tree(tmp_path / "outside") == {}


async def test_a_file_behind_a_link_there_is_replaced_not_written_through(pushed: Pushed, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    pushed.write("a", "1")
    await pushed.push()
    (pushed.there / "a").unlink()
    (pushed.there / "a").symlink_to(tmp_path / "outside")
    pushed.write("a", "2")
    with pytest.raises(SyncConflictError):
        await pushed.push()
    await pushed.push(conflict=ConflictPolicy.OURS)
    assert (tmp_path / "outside").read_text() == "precious"
    pushed.alike()


async def test_a_folder_there_where_a_file_is_here_needs_a_person(pushed: Pushed) -> None:
    pushed.write("a", "1")
    (pushed.there / "a").mkdir()
    (pushed.there / "a" / "precious").write_text("x")
    for policy in (ConflictPolicy.FAIL, ConflictPolicy.OURS):
        with pytest.raises(SyncError, match=r"\ba\b"):
            await pushed.push(conflict=policy)
    await pushed.push(conflict=ConflictPolicy.THEIRS)
    assert (pushed.there / "a" / "precious").exists()


async def test_two_pushers_of_different_files_both_arrive(pushed_by: Pushed, tmp_path: Path) -> None:
    first = pushed_by
    first.write("shared", "s")
    second = first.another(tmp_path / "second")
    second.write("shared", "s")
    for pusher, name in ((first, "one"), (second, "two")):
        pusher.write(f"{name}/file", "0")

    async def rounds(pusher: Pushed, name: str) -> None:
        for number in range(6):
            pusher.write(f"{name}/file", f"{name} {number}")
            pusher.write(f"{name}/more{number}", f"{number}")
            await pusher.push()

    await asyncio.gather(rounds(first, "one"), rounds(second, "two"))
    assert tree(first.there) == tree(first.here) | tree(second.here)


async def test_two_pushers_of_one_file_never_lose_the_others_change_unasked(pushed: Pushed, tmp_path: Path) -> None:
    pushed.write("shared", "0")
    await pushed.push()
    second = pushed.another(tmp_path / "second")
    second.write("shared", "0")
    await second.push()
    pushed.write("shared", "first")
    second.write("shared", "second")
    ended = await asyncio.gather(pushed.push(), second.push(), return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["SyncConflictError", "SyncResult"]
    winner = pushed if not isinstance(ended[0], Exception) else second
    assert tree(winner.there) == tree(winner.here)


async def test_a_conflict_is_known_before_much_is_sent(pushed: Pushed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "_LOOK_FIRST_BYTES", 500_000)
    pushed.write("large", os.urandom(600_000))
    await pushed.push()
    (pushed.there / "large").write_text("theirs")
    pushed.write("large", os.urandom(600_000))
    pushed.shell.sent_bytes = 0
    with pytest.raises(SyncConflictError, match="large"):
        await pushed.push()
    assert pushed.shell.sent_bytes < 100_000
