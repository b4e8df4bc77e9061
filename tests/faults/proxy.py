"""One proxy for all faults: it stands in front of an rdev server and breaks what it is told to break.

    async with FaultProxy(server_port, plan) as proxy:
        proxy.url                                    # in place of the server's
        proxy.requests                               # what passed, in order

`plan(request)` is asked for each request and answers with a `Fault`; the default is to pass everything through.
Faults are counted in raw bytes of the response, its head and chunk framing included.

    Fault(cut_at=100)                                # the end of the connection after 100 bytes
    Fault(cut_at=100, how="reset")                   # RST instead of FIN
    Fault(cut_at=100, how="silence")                 # says nothing more, but stays open
    Fault(cut_when=after_events(2, 17))              # 17 bytes after the second blank line
    Fault(slice_bytes=1)                             # byte by byte
    Fault(slice_bytes=100, delay_s=0.01)             # a slow link
    Fault(cut_at=0)                                  # the server did it, and nobody hears of it
    Fault(answer=b"HTTP/1.1 503 X\\r\\n\\r\\n")         # the server is never asked
    Fault(rewind=5) / Fault(rewind=None, forget=True)  # resumes from five ids earlier / from the beginning

As a process, for tests of other programs, see `python -m tests.faults.proxy --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import signal
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_ID = re.compile(rb"^id: ?([^\r\n]+)", re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """A request on its way: `number` counts from 0 over all, `stream_number` over the streams alone."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    stream_number: int | None

    @property
    def is_stream(self) -> bool:
        return self.stream_number is not None


@dataclass(frozen=True)
class Fault:
    """What to do to one response."""

    cut_at: int | None = None
    cut_when: Callable[[bytes], int | None] | None = None
    how: Literal["end", "reset", "silence"] = "end"
    slice_bytes: int | None = None
    delay_s: float = 0.0
    answer: bytes | None = None
    rewind: int | None = None
    forget: bool = False


PASS = Fault()


def after_events(count: int, extra_bytes: int) -> Callable[[bytes], int | None]:
    """A cut `extra_bytes` after the end of the response's event number `count` (`connected` is one)."""
    seen = 0
    at: int | None = None
    searched = 0

    def cut(response: bytes) -> int | None:
        nonlocal seen, at, searched
        while at is None:
            end = response.find(b"\n\n", searched)
            if end < 0:
                searched = max(searched, len(response) - 1)
                return None
            seen, searched = seen + 1, end + 2
            if seen == count:
                at = searched + extra_bytes
        return at if len(response) >= at else None

    return cut


class FaultProxy:
    """Listens on `port` of this machine (0: a free one) and passes on to `server_port`."""

    def __init__(self, server_port: int, plan: Callable[[Request], Fault] = lambda _: PASS, port: int = 0) -> None:
        self.server_port = server_port
        self.plan = plan
        self.port = port
        self.requests: list[Request] = []
        self.faults = 0
        self._streams = 0
        self._ids: dict[str, list[bytes]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def listen(self) -> None:
        """Take connections (again, on the same port)."""
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Break all connections and refuse new ones, until `listen`."""
        assert self._server is not None
        self._server.close()
        await self.break_all()
        await self._server.wait_closed()

    async def break_all(self) -> None:
        """Reset every connection that is open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._exchange(reader, writer)
        except asyncio.CancelledError:
            _reset(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request = self._request(head)
        body = await reader.readexactly(int(request.headers.get("content-length", "0")))
        fault = self.plan(request)
        if fault is not PASS:
            self.faults += 1
        if fault.answer is not None:
            writer.write(fault.answer)
            await writer.drain()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            server_writer.write(self._rewritten(head, request, fault) + body)
            await self._pass_on(server_reader, writer, request, fault, reader)
        finally:
            server_writer.close()

    def _request(self, head: bytes) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        number: int | None = None
        if method == "GET" and "/events" in target:
            number, self._streams = self._streams, self._streams + 1
        request = Request(len(self.requests), method, target, headers, number)
        self.requests.append(request)
        return request

    def _rewritten(self, head: bytes, request: Request, fault: Fault) -> bytes:
        """One request a connection; `Host` as the server knows itself; the resume point where a fault moves it."""
        moved = {b"connection": b"close", b"host": b"127.0.0.1:%d" % self.server_port}
        last_id = request.headers.get("last-event-id", "").encode("latin-1")
        ids = self._ids.get(request.target, [])
        if last_id and fault.forget:
            moved[b"last-event-id"] = b""
        elif last_id and fault.rewind and last_id in ids:
            place = max(0, ids.index(last_id) - fault.rewind)
            moved[b"last-event-id"] = ids[place]
        first, *lines = head[:-4].split(b"\r\n")
        kept = [line for line in lines if line.partition(b":")[0].lower() not in moved]
        added = [name + b": " + value for name, value in moved.items() if value]
        return b"\r\n".join([first, *kept, *added]) + b"\r\n\r\n"

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: Request,
        fault: Fault,
        client: asyncio.StreamReader,
    ) -> None:
        passed = 0
        response = b""
        gone = asyncio.create_task(client.read(1))
        try:
            while True:
                reading = asyncio.create_task(source.read(65536))
                await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    return
                data = reading.result()
                if not data:
                    return
                response = response + data if fault.cut_when or request.is_stream else b""
                cut_at = fault.cut_when(response) if fault.cut_when else fault.cut_at
                self._note_ids(request, response)
                room = len(data) if cut_at is None else max(0, min(len(data), cut_at - passed))
                await self._write(writer, data[:room], fault)
                passed += room
                if cut_at is not None and passed >= cut_at:
                    if fault.how == "silence":
                        await gone
                    elif fault.how == "reset":
                        _reset(writer)
                    return
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    def _note_ids(self, request: Request, response: bytes) -> None:
        if request.is_stream:
            known = self._ids.setdefault(request.target, [])
            for one in _ID.findall(response):
                if one not in known[-2000:]:
                    known.append(one)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, fault: Fault) -> None:
        size = fault.slice_bytes or max(1, len(data))
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            if fault.slice_bytes:
                await asyncio.sleep(fault.delay_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: what the other side has not read yet is lost, as when a machine goes away."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def random_cuts(seed: int, most_bytes: int) -> Callable[[Request], Fault]:
    """Each stream ends somewhere below `most_bytes`, in some way; the longer a test runs, the later."""
    dice = random.Random(seed)

    def plan(request: Request) -> Fault:
        if not request.is_stream:
            return PASS
        floor = 400 + 200 * ((request.stream_number or 0) % 7)
        return Fault(cut_at=floor + dice.randrange(most_bytes), how=dice.choice(["end", "reset"]))

    return plan


async def _main() -> None:
    parser = argparse.ArgumentParser(description="cut an rdev server's streams at random")
    parser.add_argument("server_port", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-bytes", type=int, default=5000)
    args = parser.parse_args()
    async with FaultProxy(args.server_port, random_cuts(args.seed, args.most_bytes), args.port) as proxy:
        print(json.dumps({"url": proxy.url}), flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main())
