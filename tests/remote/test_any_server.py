"""Servers of every make that the guide allows, made up at random: all lines once, in order, and the right end.

What they have in common is the seed's events and ids that name each output. How they write them, frame them, cut them,
and what they add that nobody asked for, is drawn from a number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.model import RemoteServer, Secret, Target
from rdev_bridge.remote.connect import open_server
from rdev_bridge.remote.items import Completed
from tests.remote.desk import QUICK, Followed, bound, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = ["x", "", 'a \\ "q"', "naïve 日本", "same", "y" * 200, "data: z", "\x1b[1mbold"]
KIND = b"Content-Type: text/event-stream\r\n"
UNCHUNKED = (b"HTTP/1.0 200 OK\r\n" + KIND + b"\r\n", b"HTTP/1.1 200 OK\r\n" + KIND + b"Connection: close\r\n\r\n")
CHUNKED = b"HTTP/1.1 200 OK\r\n" + KIND + b"Transfer-Encoding: chunked\r\n\r\n"
LATER = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Make:
    """A server and the one finished command that it knows."""

    dice: random.Random
    connections: int = 0
    broken: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        choose, chance = self.dice.choice, self.dice.random
        count = choose([0, 1, 3, 20, 200, 1000])
        self.lines = [(choose(["stdout", "stdout", "stderr"]), f"{choose(TEXTS)}{i % 7}") for i in range(count)]
        self.ids = choose([self.counted, self.offsets, self.named])(count)
        self.exit_code = self.dice.randrange(256)
        self.line_end = choose(["\n", "\n", "\r\n", "\r"])
        self.blank = choose([" ", ""])
        self.id_place = choose([0, 1, 2])
        self.byte_order_mark = choose(["", "", "\ufeff"])
        self.heartbeats, self.heartbeat_ids = choose([0.0, 0.05, 0.25]), chance() < 0.3
        self.retry = choose([None, None, 0, 5])
        self.cuts, self.refusals = choose([0, 1, 5, 12]), choose([(), (2, 4)])
        self.repeats = choose([0, 0, 1, 5, count])
        self.chunk_bytes = choose([None, 1, 300, 1 << 20])
        self.says_more = chance() < 0.3
        self.stays = chance() < 0.2

    def counted(self, count: int) -> list[str]:
        return [str(number) for number in range(1, count + 1)]

    def offsets(self, count: int) -> list[str]:
        return [str(60 * number + self.dice.randrange(50)) for number in range(1, count + 1)]

    def named(self, count: int) -> list[str]:
        return [f"{self.dice.getrandbits(64):016x}" for _ in range(count)]

    def event(self, name: str, data: object, event_id: str | None = None) -> str:
        fields = [("event", name), ("data", json.dumps(data, ensure_ascii=self.dice.random() < 0.5))]
        if event_id is not None:
            fields.insert(self.id_place, ("id", event_id))
        return "".join(f"{key}:{self.blank}{value}{self.line_end}" for key, value in fields) + self.line_end

    def events(self, start: int) -> Iterator[str]:
        yield self.byte_order_mark + self.event("connected", {"stream_id": "x"})
        if self.retry is not None:
            yield f"retry: {self.retry}{self.line_end}{self.line_end}"
        for (stream, line), event_id in list(zip(self.lines, self.ids, strict=True))[start:]:
            while self.dice.random() < self.heartbeats:
                yield self.event("heartbeat", {}, f"beat {self.dice.randrange(9)}" if self.heartbeat_ids else None)
            if self.dice.random() < 0.05:
                yield self.dice.choice([f": comment{self.line_end}", self.event("news", {"line": "no", "stream": "x"})])
            yield self.event("output", {"line": line, "stream": stream}, event_id)
        complete = self.event("complete", {"exit_code": self.exit_code, "duration_ms": 5})
        yield complete
        if self.says_more:
            yield complete + self.event("output", {"line": "late", "stream": "stdout"})

    def response(self, start: int) -> tuple[bytes, bool]:
        """All of it, or what a cut leaves; and whether it ends the connection."""
        body = "".join(self.events(start)).encode()
        is_cut = self.connections <= self.cuts
        if self.chunk_bytes is None:
            whole = self.dice.choice(UNCHUNKED) + body
        else:
            size = self.chunk_bytes if self.chunk_bytes > 1 or len(body) < 3000 else 60
            pieces = [body[place : place + size] for place in range(0, len(body), size)]
            whole = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            whole += b"" if self.stays else b"0\r\n\r\n"
        end = self.dice.randrange(len(whole)) if is_cut else len(whole)
        return whole[:end], is_cut or self.chunk_bytes is None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while not await self.answer(await reader.readuntil(b"\r\n\r\n"), writer):
                    pass
        except BaseException as error:
            self.broken.append(error)
            raise
        finally:
            writer.close()

    async def answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        self.connections += 1
        if self.connections in self.refusals:
            writer.write(LATER)
            await writer.drain()
            return False
        seen = next((line[15:] for line in head.decode().split("\r\n") if line.startswith("Last-Event-ID: ")), None)
        start = 0 if seen is None else max(0, self.ids.index(seen) + 1 - self.repeats)
        data, ends = self.response(start)
        while data:
            size = self.dice.choice([1, 50, 1000, 100_000, 100_000])
            writer.write(data[:size])
            data = data[size:]
            await writer.drain()
        if ends and self.dice.random() < 0.3:
            writer.transport.abort()
        return ends


async def followed(make: Make) -> Followed:
    server = await asyncio.start_server(make.serve, "127.0.0.1", 0)
    target = Target(RemoteServer("work", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), "p")
    try:
        async with open_server(target, key=Secret("k"), policy=QUICK) as connector, asyncio.timeout(60):
            return await gather(connector.adopt(bound("x")).follow(None))
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("decade", range(6))
async def test_a_server_of_any_make(decade: int) -> None:
    await every_make(range(10 * decade, 10 * decade + 10))


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_servers_of_many_makes() -> None:
    await every_make(range(1000, 2000))


async def every_make(numbers: range) -> None:
    for number in numbers:
        make = Make(random.Random(number))
        found = await followed(make)
        assert not make.broken, f"make {number}"
        assert found.lines == make.lines, f"make {number}"
        assert found.end == Completed(make.exit_code, 5), f"make {number}"
        assert found.missing == [], f"make {number}"
