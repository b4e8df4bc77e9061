"""How many connections it takes: one that said all it had to say is used again."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.model import RemoteServer, Secret, Target
from rdev_bridge.remote.connect import Connector, open_server
from rdev_bridge.remote.items import CommandSpec, Completed
from tests.remote.desk import QUICK, bound, gather
from tests.server.served import serving
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
COMPLETE = b'event: complete\ndata: {"exit_code": 0}\n\n'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Lines:
    """Connections as they are made and closed, by number; `answer` plays the server on each."""

    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Future[None]]
    port: int = 0
    opened: int = 0
    closed: set[int] = field(default_factory=set)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.opened = self.opened, self.opened + 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.answer(reader, writer)
        finally:
            self.closed.add(number)
            writer.close()


@contextlib.asynccontextmanager
async def counting(answer: Callable) -> AsyncIterator[Lines]:
    lines = Lines(answer)
    server = await asyncio.start_server(lines.take, "127.0.0.1", 0)
    lines.port = server.sockets[0].getsockname()[1]
    try:
        yield lines
        await eventually_async(lambda: len(lines.closed) == lines.opened, what="the end of all connections")
    finally:
        server.close()
        await server.wait_closed()


def connector_to(port: int, key: str = "k") -> Connector:
    target = Target(RemoteServer("work", f"http://127.0.0.1:{port}"), "p")
    return open_server(target, key=Secret(key), policy=QUICK, jitter=lambda: 0.5)


async def test_runs_one_after_the_other_share_connections(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(to):
            while data := await source.read(65536):
                to.write(data)
                await to.drain()

    with serving(tmp_path / "root", tmp_path / "state") as server:
        async with counting(pass_on) as lines, connector_to(lines.port, server.key) as connector:
            for number in range(20):
                followed = await gather((await connector.start(CommandSpec(f"echo {number}"))).follow(None))
                assert followed.lines == [("stdout", str(number))]
                assert (await connector.ask("echo asked")).stdout == "asked\n"
    assert lines.opened <= 10, "40 without; now and then the next call comes before the last byte of the one before"


@pytest.mark.parametrize("more", [b"", chunk(b": still here\n\n") * 20_000], ids=["silence", "a flood"])
async def test_a_server_that_goes_on_after_complete_is_not_listened_to(more: bytes) -> None:
    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunk(COMPLETE) + more)
        await writer.drain()
        await reader.read()

    async with counting(stay) as lines, connector_to(lines.port) as connector:
        async with asyncio.timeout(60):
            followed = await gather(connector.adopt(bound("x")).follow(None))
        assert followed.end == Completed(0, None)
        assert lines.closed == set(), "the run's end did not wait for that of the connection"
        await eventually_async(lambda: lines.closed, what="the end of the connection")


async def test_what_comes_after_complete_is_of_no_other_call() -> None:
    """Its end arrives late, in pieces, with words that nobody asked for."""
    late = chunk(b'event: output\ndata: {"line": "late", "stream": "stdout"}\n\n' + COMPLETE) + b"0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            line = b'event: output\ndata: {"line": "hello", "stream": "stdout"}\n\n'
            writer.write(HEAD + chunk(line) + chunk(COMPLETE))
            for place in range(len(late)):
                writer.write(late[place : place + 1])
                await asyncio.sleep(0)

    async with counting(answer) as lines, connector_to(lines.port) as connector:
        for _ in range(20):
            followed = await gather(connector.adopt(bound("x")).follow(None))
            assert followed.lines == [("stdout", "hello")]
            assert followed.end == Completed(0, None)
    assert lines.opened >= 1


@pytest.mark.parametrize("says_so", [False, True])
async def test_a_server_that_closes_between_two_calls_costs_no_run_and_starts_none_twice(says_so: bool) -> None:
    close = b"Connection: close\r\n" if says_so else b""
    line = b'event: output\nid: 1\ndata: {"line": "hello", "stream": "stdout"}\n\n'
    starts = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal starts
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"POST"):
            starts += 1
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n%b\r\n{"data": {"id": "one"}}' % close)
        else:
            writer.write(HEAD + chunk(line) + chunk(COMPLETE) + b"0\r\n\r\n")
        await writer.drain()

    async with counting(answer) as lines, connector_to(lines.port) as connector:
        for number in range(10):
            command = await connector.start(CommandSpec(f"echo {number}"))
            await eventually_async(lambda: len(lines.closed) == lines.opened, what="the end of the connection")
            followed = await gather(command.follow(None))
            await eventually_async(lambda: len(lines.closed) == lines.opened, what="the end of the connection")
            assert followed.lines == [("stdout", "hello")]
            assert isinstance(followed.end, Completed)
            assert [one.state.value for one in followed.told] == ["connected"], "nor is anything said of it"
    assert starts == 10
