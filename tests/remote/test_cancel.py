# ruff: noqa: E501 - one tree of processes, one line
"""Cancel on a server that has only `/shell`: nothing of the command lives when it returns."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from rdev_bridge.model import RemoteServer, Secret, Target
from rdev_bridge.remote import client
from rdev_bridge.remote.command import cancellable_text
from rdev_bridge.remote.connect import Connector, open_server
from rdev_bridge.remote.items import Binding, CommandSpec, Completed, ConnectionChanged, OutputArrived
from rdev_bridge.remote.running import RemoteCommand, end_by_script
from tests.faults.proxy import PASS, Fault, FaultProxy
from tests.remote.desk import QUICK, Followed, bound, connect, gather
from tests.support.foreign_server import ForeignServer


def alive(token: str) -> list[str]:
    """The command lines of the processes that carry `token` in their environment, zombies left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if f"RDEV_BRIDGE_RUN={token}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


async def started(connector: Connector, text: str) -> tuple[RemoteCommand, asyncio.Task[Followed]]:
    """A command that said "ready", and its stream being followed."""
    command = await connector.start(CommandSpec(text))
    followed, ready = Followed(), asyncio.Event()

    async def follow() -> Followed:
        async for item in command.follow(None):
            followed.note(item)
            if isinstance(item, OutputArrived) and any("ready" in line for _, line in followed.lines):
                ready.set()
        return followed

    task = asyncio.create_task(follow())
    async with asyncio.timeout(60):
        await ready.wait()
    return command, task


TREES = {
    "one process": "echo ready; exec sleep 1000",
    "a tree of grandchildren": "(sh -c 'sleep 1000 & sleep 1001 & wait' & sleep 1002 & echo ready; wait)",
    "a child that ignores TERM": "trap '' TERM; sleep 1000 & echo ready; while :; do sleep 1; done",
    "all ignore TERM": "sh -c \"trap '' TERM; echo ready; while :; do sleep 1; done\"",
    "one that left the group": "setsid sleep 1000 & echo ready; sleep 1001",
    "one that left and ignores TERM": "setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" & echo ready; sleep 1001",
    "one that is stopped": "sh -c 'kill -STOP $$' & sleep 0.1; echo ready; sleep 1001",
    "a pipeline": "echo ready; yes | sleep 1000",
    "one without its environment": "env -i sleep 1000 & echo ready; sleep 1001",
    "one that goes on forking": "echo ready; while :; do (sleep 0.02 &) ; sleep 0.01; done",
}


@pytest.mark.parametrize("text", TREES.values(), ids=TREES)
@pytest.mark.parametrize("new_group", [True, False], ids=["server makes groups", "server makes none"])
async def test_all_of_it_is_dead(text: str, new_group: bool) -> None:
    async with ForeignServer(new_group=new_group) as server, connect(server) as connector:
        command, following = await started(connector, text)
        token = command.binding.token
        assert alive(token)
        result = await command.cancel(0.3)
        assert result.dead
        assert result.message is None
        assert alive(token) == []
        followed = await following
        assert isinstance(followed.end, Completed)
        assert followed.end.exit_code != 0
        assert server.folders_left() == []


async def test_those_that_end_on_term_get_the_time_they_need() -> None:
    text = "trap 'sleep 0.5; echo cleaned; exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    async with ForeignServer() as server, connect(server) as connector:
        command, following = await started(connector, text)
        assert (await command.cancel(20.0)).dead
        followed = await following
    assert ("stdout", "cleaned") in followed.lines
    assert isinstance(followed.end, Completed)
    assert followed.end.exit_code == 3


async def test_a_child_that_holds_the_pipe_after_its_parents_end() -> None:
    async with ForeignServer() as server, connect(server) as connector:
        command, following = await started(connector, "sleep 1000 & echo ready; exit 5")
        assert (await command.cancel(0.3)).dead
        assert alive(command.binding.token) == []
        assert isinstance((await following).end, Completed)


async def test_before_the_first_output() -> None:
    async with ForeignServer() as server, connect(server) as connector:
        command = await connector.start(CommandSpec("sleep 1000"))
        assert (await command.cancel(0.3)).dead
        assert alive(command.binding.token) == []
        assert isinstance((await gather(command.follow(None))).end, Completed)


async def test_before_the_server_started_it() -> None:
    """The cancel overtakes the start: the command finds that and never begins."""
    async with ForeignServer() as server, connect(server) as connector:
        token = "f" * 24 + os.urandom(4).hex()
        assert (await end_by_script(connector, token, 0.0)).dead
        answer = await connector.api.start(cancellable_text(CommandSpec("echo never"), token), "k")
        followed = await gather(connector.adopt(bound(answer.stream_id)).follow(None))
    assert followed.lines == []
    assert isinstance(followed.end, Completed)
    assert followed.end.exit_code == 143


async def test_twice_at_once_and_again_after_the_end() -> None:
    async with ForeignServer() as server, connect(server) as connector:
        command, following = await started(connector, TREES["a tree of grandchildren"])
        results = await asyncio.gather(command.cancel(0.3), command.cancel(0.3))
        assert [one.dead for one in results] == [True, True]
        await following
        calls = len(server.starts)
        assert (await command.cancel(0.3)).dead
        assert len(server.starts) == calls, "what has ended needs no call"
        assert (await connector.adopt(command.binding).cancel(0.3)).dead, "another bridge does not know that it ended"


async def test_while_the_stream_is_down() -> None:
    async with ForeignServer() as server, FaultProxy(server.port) as proxy, connect(server, proxy.url) as connector:
        command, following = await started(connector, "echo ready; sleep 1000")
        down = Fault(answer=b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n")
        proxy.plan = lambda request: down if request.target.endswith("=cmd-000") else PASS
        await proxy.break_all()
        assert (await command.cancel(0.3)).dead
        assert alive(command.binding.token) == []
        proxy.plan = lambda _: PASS
        assert isinstance((await following).end, Completed)


async def test_by_another_bridge_from_what_was_kept() -> None:
    async with ForeignServer() as server, connect(server) as first, connect(server) as second:
        command, following = await started(first, "echo ready; sleep 1000")
        kept = Binding.from_wire(command.binding.to_wire())
        assert (await second.adopt(kept).cancel(0.3)).dead
        await following


async def test_a_server_that_is_gone_is_no_proof_of_death() -> None:
    async with ForeignServer() as server, FaultProxy(server.port) as proxy, connect(server, proxy.url) as connector:
        command, following = await started(connector, "echo ready; sleep 1000")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await proxy.refuse()
        before, client.START_RETRY_S = client.START_RETRY_S, 0.2
        try:
            result = await command.cancel(0.1)
        finally:
            client.START_RETRY_S = before
        assert not result.dead
        assert result.message is not None
        await proxy.listen()
        assert (await command.cancel(0.1)).dead


async def test_a_dead_command_s_last_words_are_fetched_at_once() -> None:
    """The stream is down, and the server said to come back in five minutes."""
    later = Fault(answer=b"HTTP/1.1 503 X\r\nRetry-After: 300\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    text = "trap 'echo last; exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    async with ForeignServer() as server, FaultProxy(server.port) as proxy, connect(server, proxy.url) as connector:
        command = await connector.start(CommandSpec(text))
        followed = Followed()
        async with asyncio.timeout(100):
            async for item in command.follow(None):
                followed.note(item)
                if isinstance(item, OutputArrived) and len(followed.lines) == 1:
                    proxy.plan = lambda request: later if request.is_stream else PASS
                    await proxy.break_all()
                if isinstance(item, ConnectionChanged) and (item.connection.retry_in_ms or 0) >= 300_000:
                    proxy.plan = lambda request: PASS
                    cancelling = asyncio.create_task(command.cancel())
        assert (await cancelling).dead
    assert [line for name, line in followed.lines if name == "stdout"] == ["ready", "last"]
    assert isinstance(followed.end, Completed)


async def test_the_key_is_in_no_command() -> None:
    async with ForeignServer(key="rdev_SECRET") as server:
        target = Target(RemoteServer("work", server.url), server.project)
        async with open_server(target, key=Secret(server.key), policy=QUICK) as connector:
            command, following = await started(connector, "env; echo ready; sleep 1000")
            await command.cancel(0.1)
            followed = await following
            shown = f"{connector!r} {connector.__dict__!r} {command!r} {command.binding!r} {command.binding.to_wire()}"
    assert "SECRET" not in shown
    assert not any("SECRET" in text for text in server.starts)
    assert not any(re.search("SECRET", line) for _, line in followed.lines)
