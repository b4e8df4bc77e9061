"""The embedded server: found or started, shared, gone by itself, and replaced when it died."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from rdev_bridge import places
from rdev_bridge.errors import RdevError
from rdev_bridge.model import EmbeddedServer, Target
from rdev_bridge.remote.connect import Connector, open_server
from rdev_bridge.remote.embedded import Lease
from rdev_bridge.remote.items import Binding, CommandSpec, Completed, OutputArrived, StreamLost
from tests.remote.desk import QUICK, Followed, gather
from tests.support.wait import eventually, eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rdev_bridge.remote.client import Api


def is_alive(pid: int) -> bool:
    try:
        stat_line = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat_line.rpartition(")")[2].split()[0] not in "ZX"


def process_text(pid: int) -> str:
    """What anyone may see of a process, and its environment."""
    return Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()


def address(folder: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads((places.runtime_dir(folder) / "address.json").read_text())
    return read


def server_pid(folder: Path) -> int:
    pid = address(folder)["pid"]
    assert isinstance(pid, int)
    return pid


def here(folder: Path) -> Connector:
    return open_server(Target(EmbeddedServer(folder), folder.name), policy=QUICK)


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A workspace; its server must be gone by itself at the end."""
    folder = tmp_path / "my work"
    folder.mkdir()
    yield folder
    file = places.runtime_dir(folder) / "address.json"
    await eventually_async(lambda: not file.exists(), what="the server's leaving")


async def test_started_used_and_gone(folder: Path) -> None:
    async with here(folder) as connector:
        pid = server_pid(folder)
        command = await connector.start(CommandSpec('pwd; echo "$A"; env | grep -c ^RDEV_; exit 3', env={"A": "b"}))
        followed = await gather(command.follow(None))
        assert followed.lines == [("stdout", str(folder)), ("stdout", "b"), ("stdout", "0")]
        assert isinstance(followed.end, Completed)
        assert followed.end.exit_code == 3
    await eventually_async(lambda: not is_alive(pid), what="the server's end")


async def test_many_bridges_at_once_share_one(folder: Path) -> None:
    connectors = [here(folder) for _ in range(5)]
    await asyncio.gather(*(one.__aenter__() for one in connectors))
    try:
        assert len({str(one.api.events_url("x")) for one in connectors}) == 1
        answers = await asyncio.gather(*(one.ask("echo $PPID") for one in connectors))
        assert {answer.stdout for answer in answers} == {f"{server_pid(folder)}\n"}
    finally:
        for one in connectors:
            await one.aclose()


async def test_one_that_comes_while_the_server_leaves_gets_a_server_that_stays(folder: Path) -> None:
    for _ in range(3):
        async with here(folder):
            pid = server_pid(folder)
        await gone_or_leaving(folder, pid)
        async with here(folder) as connector:
            assert (await connector.ask("echo hello")).stdout == "hello\n"


async def gone_or_leaving(folder: Path, pid: int) -> None:
    await eventually_async(lambda: not (is_alive(pid) and address_exists(folder)), what="the leaving")


def address_exists(folder: Path) -> bool:
    return (places.runtime_dir(folder) / "address.json").exists()


async def test_what_is_private_is_private(folder: Path) -> None:
    async with here(folder) as connector:
        runtime = places.runtime_dir(folder)
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        for file in runtime.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        key = str(address(folder)["key"])
        assert key not in process_text(server_pid(folder))
        assert key not in repr(connector)
        lease = connector._lease
        assert lease is not None
        assert key not in repr(await lease.find(os.environ))


@pytest.mark.parametrize(
    "stale",
    [b"", b"nonsense", b"{}", b'{"url":"http://127.0.0.1:1","project":"x","pid":1,"key":"k","version":"0"}'],
    ids=["empty", "not JSON", "no fields", "nobody there"],
)
async def test_a_stale_address_is_replaced(folder: Path, stale: bytes) -> None:
    (places.runtime_dir(folder) / "address.json").write_bytes(stale)
    async with here(folder) as connector:
        assert (await connector.ask("echo hello")).stdout == "hello\n"


async def test_killed_in_the_middle_the_run_is_lost_and_said_once(folder: Path) -> None:
    async with here(folder) as connector:
        pid = server_pid(folder)
        command = await connector.start(CommandSpec("echo before; exec sleep 1000"))
        followed = Followed()
        async with asyncio.timeout(60):
            async for item in command.follow(None):
                followed.note(item)
                if isinstance(item, OutputArrived):
                    os.kill(pid, signal.SIGKILL)
        assert followed.lines == [("stdout", "before")]
        assert isinstance(followed.end, StreamLost)
        assert server_pid(folder) != pid
        assert (await connector.ask("echo again")).stdout == "again\n"


async def test_killed_between_two_commands_the_next_one_finds_another_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with here(folder) as connector:
        assert (await connector.ask("echo one")).stdout == "one\n"
        kill_and_wait(server_pid(folder))
        async with asyncio.timeout(60):
            assert (await connector.ask("echo two")).stdout == "two\n"
        located = connector.locate

        async def located_too_early() -> Api:
            """It dies after it was found."""
            monkeypatch.undo()
            api = await located()
            kill_and_wait(server_pid(folder))
            return api

        monkeypatch.setattr(connector, "locate", located_too_early)
        async with asyncio.timeout(60):
            assert (await connector.ask("echo three")).stdout == "three\n"


def kill_and_wait(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid), what="the server's death")


async def test_a_finished_run_can_be_read_from_a_later_server(folder: Path) -> None:
    async with here(folder) as connector:
        command = await connector.start(CommandSpec("echo kept; exit 4"))
        await gather(command.follow(None))
        os.kill(server_pid(folder), signal.SIGKILL)
    async with here(folder) as connector:
        followed = await gather(connector.adopt(command.binding).follow(None))
    assert followed.lines == [("stdout", "kept")]
    assert isinstance(followed.end, Completed)
    assert followed.end.exit_code == 4


async def test_cancel_there(folder: Path) -> None:
    text = "trap '' TERM; sleep 1000 & setsid sleep 1001 & echo $! ready; while :; do sleep 0.2; done"
    async with here(folder) as connector:
        command = await connector.start(CommandSpec(text))
        followed, escaped = Followed(), 0
        async with asyncio.timeout(60):
            async for item in command.follow(None):
                followed.note(item)
                if isinstance(item, OutputArrived) and not escaped:
                    escaped = int(followed.lines[0][1].split()[0])
                    assert (await command.cancel(0.2)).dead
                    assert not is_alive(escaped)
        assert isinstance(followed.end, Completed)
        assert (await command.cancel(0.2)).dead
        assert (await connector.adopt(command.binding).cancel(0.2)).dead


async def test_a_cancel_reads_no_output_there(folder: Path) -> None:
    calls: list[str] = []

    async def note(request: httpx.Request) -> None:
        calls.append(request.method)

    async with here(folder) as connector:
        command = await connector.start(CommandSpec("exec yes"))
        items = command.follow(None)
        while not isinstance(await anext(items), OutputArrived):
            pass
        connector.api.client.event_hooks = {"request": [note]}
        assert (await command.cancel()).dead
        assert calls == ["DELETE"]
        await items.aclose()


async def read_again(connector: Connector, binding: Binding) -> None:
    followed = await gather(connector.adopt(binding).follow(None))
    assert followed.lines == [("stdout", "kept")]
    assert isinstance(followed.end, Completed)


async def cancel_again(connector: Connector, binding: Binding) -> None:
    assert (await connector.adopt(binding).cancel(0.2)).dead


async def ask_anew(connector: Connector, _: Binding) -> None:
    assert (await connector.ask("echo hello")).stdout == "hello\n"


@pytest.mark.parametrize("come_back", [read_again, cancel_again, ask_anew])
async def test_the_key_goes_to_nobody_who_took_a_dead_server_s_port(
    folder: Path, come_back: Callable[[Connector, Binding], Awaitable[None]]
) -> None:
    """Any user of this machine can listen there and answer like an rdev server."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1 << 16))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
        writer.close()

    async with here(folder) as connector:
        command = await connector.start(CommandSpec("echo kept"))
        await gather(command.follow(None))
        pid, port = server_pid(folder), httpx.URL(str(address(folder)["url"])).port
        os.kill(pid, signal.SIGKILL)
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def take() -> bool:  # a dead process may hold its port until the last of its threads is gone
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True

        await eventually_async(take, what="the dead server's port")
        async with await asyncio.start_server(answer, sock=taken):
            await come_back(connector, command.binding)
            async with here(folder) as later:
                await come_back(later, command.binding)
            assert heard == []


async def test_a_server_that_is_only_slow_stays(folder: Path) -> None:
    async with here(folder) as connector:
        pid = server_pid(folder)
        os.kill(pid, signal.SIGSTOP)
        try:
            async with here(folder):
                assert server_pid(folder) == pid
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await connector.ask("echo hello")).stdout == "hello\n"


async def test_a_command_that_started_another_folder_s_server_does_not_take_it_along(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    text = f"cd '{other}' && exec '{sys.executable}' -m rdev_bridge run -- 'echo up; sleep 1000'"
    async with here(folder) as connector:
        command = await connector.start(CommandSpec(text, env={"RDEV_BRIDGE_RUN": "x"}))
        followed = Followed()
        async with asyncio.timeout(60):
            async for item in command.follow(None):
                followed.note(item)
                if isinstance(item, OutputArrived):
                    break
            async with here(other) as neighbour:
                pid = server_pid(other)
                assert "BRIDGE_STREAM_" not in process_text(pid)
                assert "RDEV_BRIDGE_RUN" not in process_text(pid)
                assert (await command.cancel(5)).dead
                assert is_alive(pid)
                assert (await neighbour.ask("echo still here")).stdout == "still here\n"
    await eventually_async(lambda: not is_alive(pid), what="the other server's end")


async def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    state = places.workspace_state_dir(folder)
    (state.parent.parent / "server").write_text("in the way")
    with pytest.raises(RdevError, match="did not start"):
        async with here(folder):
            pass
    (state.parent.parent / "server").unlink()


async def test_a_lease_alone_keeps_nothing_open(folder: Path) -> None:
    lease = await Lease.take(folder)
    lease.release()
    assert not address_exists(folder)
