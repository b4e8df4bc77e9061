"""`sync = { command = ... }`: done before the run, or the run does not start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.model import EmbeddedServer, RemoteServer, Sync, SyncCommand, SyncPush, Target, Task
from rdev_bridge.sync import Barrier, SyncError
from tests.support.localshell import LocalShell
from tests.support.wait import eventually, eventually_async
from tests.sync.conftest import tree

if TYPE_CHECKING:
    from rdev_bridge.model import SyncResult

SERVER = RemoteServer("w", "http://127.0.0.1:1")


async def barrier(folder: Path, sync: Sync, target: Target | None = None, *, consent: bool = True) -> SyncResult:
    task = Task(name="test", folder=folder, command="true", sync=sync)
    return await Barrier()(task, target or Target(SERVER, "p"), LocalShell(folder), folder, consent=consent)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_no_sync_does_nothing(tmp_path: Path) -> None:
    assert (await barrier(tmp_path, None)).state is None


async def test_it_runs_in_the_workspace_without_our_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDEV_API_KEY", "secret")
    await barrier(tmp_path, SyncCommand("pwd >out; env >>out"))
    text = (tmp_path / "out").read_text()
    assert text.startswith(str(tmp_path))
    assert "RDEV_" not in text
    assert "PATH=" in text


async def test_a_failure_says_what_the_command_said_last(tmp_path: Path) -> None:
    with pytest.raises(SyncError, match=r"exited with 3: no \\x1b\[31mroute to host; the task did not run"):
        await barrier(tmp_path, SyncCommand("echo trying; printf 'no \\033[31mroute to host\\n' >&2; exit 3"))


async def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(SyncError, match=r"`true` cannot be started in .*/gone: No such file or directory"):
        await barrier(tmp_path / "gone", SyncCommand("true"))


async def test_without_consent_nothing_of_the_workspace_runs(tmp_path: Path) -> None:
    with pytest.raises(SyncError, match="trust") as caught:
        await barrier(tmp_path, SyncCommand("touch ran"), consent=False)
    assert caught.value.reason == "untrusted"
    assert not (tmp_path / "ran").exists()


async def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    command = "sleep 1000 & echo $! >child; trap '' TERM; echo $$ >leader; wait; sleep 1000"
    with pytest.raises(SyncError, match=r"did not end within 0\.5 s") as caught:
        await barrier(tmp_path, SyncCommand(command, timeout_s=0.5))
    assert caught.value.reason == "syncTimedOut"
    for name in ("child", "leader"):
        pid = int((tmp_path / name).read_text())
        eventually(lambda pid=pid: not alive(pid))  # type: ignore[misc]


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    syncing = asyncio.create_task(barrier(tmp_path, SyncCommand("sleep 1000 & echo $! >child; wait")))
    await eventually_async(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    pid = int((tmp_path / "child").read_text())
    eventually(lambda: not alive(pid))


async def test_cancelling_while_it_starts_ends_the_whole_group(tmp_path: Path) -> None:
    task = asyncio.create_task(barrier(tmp_path, SyncCommand("sleep 600 & echo $! >pid; wait")))
    await asyncio.sleep(0)  # it begins, and comes as far as it can
    eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    eventually(lambda: not alive(int((tmp_path / "pid").read_text())), 10)


async def test_a_child_left_behind_holds_nobody_up_and_is_ended(tmp_path: Path) -> None:
    await barrier(tmp_path, SyncCommand("sleep 1000 & echo $! >child"))
    pid = int((tmp_path / "child").read_text())
    eventually(lambda: not alive(pid))


async def test_push_to_the_embedded_server_of_the_same_folder_asks_nobody(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    target = Target(EmbeddedServer(tmp_path / "link"), "p", None)
    await barrier(tmp_path, SyncPush(), target)
    assert set(tree(tmp_path)) == {"link"}
    assert not (tmp_path / ".rdev-push").exists()


async def test_push_without_remote_root_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SyncError, match=f'remote_root = "{tmp_path}"') as caught:
        await barrier(tmp_path, SyncPush())
    assert caught.value.reason == "noRemoteRoot"
