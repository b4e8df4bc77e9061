"""Where the system gives no more watches, files are looked at instead, and the user is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import watchfiles._rust_notify

from rdev_bridge.watch.notice import NoticeKind
from tests.support.wait import eventually_async

if TYPE_CHECKING:
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
