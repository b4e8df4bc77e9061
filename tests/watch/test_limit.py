"""Where the system gives no more watches, files are looked at instead, and the user is told once."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import watchfiles._rust_notify

from rdev_bridge.ignore import IgnoreRules
from rdev_bridge.watch.notice import NoticeKind
from rdev_bridge.watch.tree import Tree
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    import threading

    from tests.watch.desk import Desk

REAL = watchfiles._rust_notify.RustNotify


@pytest.mark.parametrize(
    "error",
    [
        OSError('OS file watch limit reached. about ["/w/d19"] (Error { kind: MaxFilesWatch, paths: ["/w/d19"] })'),
        watchfiles._rust_notify.WatchfilesRustInternalError(
            "Error creating recommended watcher: Too many open files (os error 24)"
        ),
    ],
)
async def test_a_reached_limit_is_told_and_changes_are_still_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The errors are those of watchfiles 1.3 under user.max_inotify_watches=20 and user.max_inotify_instances=0."""

    def limited(paths: list[str], debug: bool, polling: bool, *rest: object) -> watchfiles._rust_notify.RustNotify:
        if not polling:
            raise error
        return REAL(paths, debug, polling, *rest)

    monkeypatch.setattr(watchfiles._rust_notify, "RustNotify", limited)
    desk.write("src/a.py", "old")
    async with desk.watching():
        await eventually_async(lambda: desk.of(NoticeKind.POLLING))
        assert "fs.inotify.max_user_watches" in desk.of(NoticeKind.POLLING)[0]
        desk.write("src/a.py", "new and longer")
        await desk.asked(1)
        desk.write("new/deep/b.py")
        await eventually_async(lambda: "new/deep/b.py" in desk.all_files)
        assert len(desk.notices) == 1


async def test_polling_can_be_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    async with desk.watching():
        await desk.sentinel()
        assert desk.notices == []


async def test_any_other_failure_is_told_as_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(watchfiles._rust_notify, "RustNotify", broken)
    with pytest.raises(OSError, match="on fire"):
        async with desk.watching():
            pass


async def test_a_failure_that_passes_blinds_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `rm -rf` of many folders brings it about: those to watch are gone again each time."""
    failures = ["come", "and", "go"]

    def shaky(*args: Any) -> watchfiles._rust_notify.RustNotify:
        if failures:
            raise OSError(failures.pop())
        return REAL(*args)

    async with desk.watching():
        monkeypatch.setattr(watchfiles._rust_notify, "RustNotify", shaky)
        desk.write("new/a.py")
        await eventually_async(lambda: "new/a.py" in desk.all_files)
        await desk.sentinel("new/b.py")
        assert failures == []
        assert desk.notices == []


def test_files_that_vanish_while_they_are_looked_at(tmp_path: Path) -> None:
    class Vanishing(IgnoreRules):
        """Asked about a file, which happens once it is known by name."""

        def file_ignored(self, path: str) -> bool:
            for name in ("b", "c"):
                (tmp_path / name).unlink(missing_ok=True)
            return super().file_ignored(path)

    tree = Tree(str(tmp_path), Vanishing(str(tmp_path)))
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("x")
    found = {Path(change.path).name: change.info is None for change in tree.walk(str(tmp_path))}
    assert found.keys() <= {"a", "b", "c"}
    assert not (tmp_path / "b").exists()


async def test_many_folders_that_come_and_go_at_once(desk: Desk) -> None:
    for number in range(60):
        desk.write(f"packed/{number}/deep/a.txt")
    again = "for i in 1 2 3 4; do cp -r packed unpacked; rm -rf unpacked & cp -r packed also; wait; rm -rf also; done"
    async with desk.watching():
        process = await asyncio.create_subprocess_exec("sh", "-c", again, cwd=desk.folder, stderr=DEVNULL)
        await process.wait()
        await desk.sentinel()
        await desk.sentinel("packed/7/deep/b.py")
        # of a file that changed under two runs, as here on a busy machine, it may well say that it looks like their own
        assert [notice for notice in desk.notices if notice.kind is not NoticeKind.LOOP] == []


async def test_a_file_that_appears_just_before_the_new_watch_is_in_place(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word of it goes to the old watch alone, and on a busy machine comes there too late."""

    class Late:
        def __init__(self, *args: Any) -> None:
            if (desk.folder / "new").exists() and not (desk.folder / "old/late.py").exists():
                desk.write("old/late.py")
            self._real = REAL(*args)
            self.close = self._real.close

        def watch(self, debounce_ms: int, step_ms: int, timeout_ms: int, stop: threading.Event) -> object:
            return "timeout" if timeout_ms else self._real.watch(debounce_ms, step_ms, timeout_ms, stop)

    monkeypatch.setattr(watchfiles._rust_notify, "RustNotify", Late)
    desk.write("old/a.py")
    async with desk.watching():
        desk.write("new/b.py")
        await eventually_async(lambda: {"new/b.py", "old/late.py"} <= desk.all_files)
