"""One proxy for all faults: it stands in front of an rdev server and breaks what it is told to break.

    async with FaultProxy(server_port, plan) as proxy:
        proxy.url                                    # in place of the server's
        proxy.requests                               # what passed, in order

`plan(request)` is asked for each request and answers with a `Fault`; the default is to pass everything through.
Faults are counted in raw bytes of the response, its head and chunk framing included.

    Fault(cut_at=100)                                # the end of the connection after 100 bytes
    Fault(cut_at=100, how="reset")                   # RST instead of FIN
    Fault(cut_at=100, how="silence")                 # says nothing more, but stays open
    Fault(cut_when=after_events(2, 17))              # 17 bytes after the second blank line; see tests.faults.cuts
    Fault(slice_bytes=1)                             # byte by byte
    Fault(slice_bytes=100, delay_s=0.01)             # a slow link
    Fault(cut_at=0)                                  # the server did it, and nobody hears of it
    Fault(answer=b"HTTP/1.1 503 X\\r\\n\\r\\n")         # the server is never asked
    Fault(instead=b"HTTP/1.1 504 X\\r\\n\\r\\n")        # the server did it, and a gateway tired of waiting
    Fault(rewind=5) / Fault(forget=True)             # resumes from five ids earlier / from the beginning
    Fault(lose=b"line 7")                            # lines of the stream with these bytes in them never arrive
    Fault(plain=True)                                # the server is asked as by any client: an event for each line
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from tests.faults.cuts import Ids, after_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_BYTES = 64 * 1024
_HEAD_BYTES = 256 * 1024


@dataclass(frozen=True)
class Request:
    """A request on its way: `number` counts from 0 over all, `stream_number` over the streams alone."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    stream_number: int | None

    @property
    def is_stream(self) -> bool:
        return self.stream_number is not None


@dataclass(frozen=True)
class Fault:
    """What to do to one response. `cut_when` must be a fresh one for each."""

    cut_at: int | None = None
    cut_when: Callable[[bytes], int | None] | None = None
    how: Literal["end", "reset", "silence"] = "end"
    slice_bytes: int | None = None
    delay_s: float = 0.0
    answer: bytes | None = None
    instead: bytes | None = None
    rewind: int = 0
    forget: bool = False
    lose: bytes | None = None
    plain: bool = False


PASS = Fault()


class FaultProxy:
    """Listens on `port` of this machine (0: a free one) and passes on to `server_port`."""

    def __init__(self, server_port: int, plan: Callable[[Request], Fault] = lambda _: PASS, port: int = 0) -> None:
        self.server_port = server_port
        self.plan = plan
        self.port = port
        self.requests: list[Request] = []
        self.faults = 0
        self.passed_bytes = 0
        self._streams = 0
        self._ids: dict[str, Ids] = {}
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
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port, limit=_HEAD_BYTES, backlog=1024)
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
        request = await self._request(head, reader)
        fault = self.plan(request)
        if fault != PASS:
            self.faults += 1
        if fault.answer is not None:
            writer.write(fault.answer)
            await writer.drain()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        passing = asyncio.create_task(self._pass_on(server_reader, writer, request, fault))
        leaving = asyncio.create_task(reader.read(1))
        try:
            server_writer.write(self._rewritten(head, request, fault) + request.body)
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
                if fault.how == "silence":
                    await leaving
        finally:
            passing.cancel()
            leaving.cancel()
            server_writer.close()
            await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _request(self, head: bytes, reader: asyncio.StreamReader) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        size = int(headers.get("content-length", "0"))
        body = await reader.readexactly(size) if size else b""
        number: int | None = None
        if method == "GET" and "/events" in target:
            number, self._streams = self._streams, self._streams + 1
        request = Request(len(self.requests), method, target, headers, body, number)
        self.requests.append(request)
        return request

    def _rewritten(self, head: bytes, request: Request, fault: Fault) -> bytes:
        """One request a connection; `Host` as the server knows itself; the resume point where a fault moves it."""
        moved = {b"connection": b"close", b"host": b"127.0.0.1:%d" % self.server_port}
        if fault.lose or fault.plain:
            moved[b"rdev-features"] = b""  # then each line comes as an event of its own, and one can go alone
        last_id = request.headers.get("last-event-id", "").encode("latin-1")
        if last_id and fault.forget:
            moved[b"last-event-id"] = b""
        elif last_id and fault.rewind:
            moved[b"last-event-id"] = self._ids[request.target].earlier(last_id, fault.rewind)
        first, *lines = head[:-4].split(b"\r\n")
        kept = [line for line in lines if line.partition(b":")[0].lower() not in moved]
        added = [name + b": " + value for name, value in moved.items() if value]
        return b"\r\n".join([first, *kept, *added]) + b"\r\n\r\n"

    async def _pass_on(
        self, source: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, fault: Fault
    ) -> None:
        cut = fault.cut_when or (after_bytes(fault.cut_at) if fault.cut_at is not None else lambda _: None)
        note = self._ids.setdefault(request.target, Ids()).tap() if request.is_stream else lambda _: None
        while data := await source.read(_READ_BYTES):
            if fault.instead is not None:
                await self._write(writer, fault.instead, fault)
                return
            if fault.lose is not None:
                data = _without(data, fault.lose)
            place = cut(data)
            data = data if place is None else data[:place]
            note(data)
            await self._write(writer, data, fault)
            if place is not None:
                if fault.how == "reset":
                    _reset(writer)
                return

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, fault: Fault) -> None:
        self.passed_bytes += len(data)
        if fault.slice_bytes is None:
            writer.write(data)
            await writer.drain()
            return
        for start in range(0, len(data), fault.slice_bytes):
            writer.write(data[start : start + fault.slice_bytes])
            await writer.drain()
            await asyncio.sleep(fault.delay_s)


def _without(data: bytes, lost: bytes) -> bytes:
    """Spoil, without changing any length, the name of each event whose data holds `lost`: nobody knows it then."""
    blocks = data.split(b"\n\n")
    return b"\n\n".join(one.replace(b": output", b": nobody", 1) if lost in one else one for one in blocks)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: what the other side has not read yet is lost, as when a machine goes away."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
