"""An rdev server that flushes after each event, as many do: one HTTP chunk an event, for any command at all.

The stream is made once, so that what is measured is the reader. `python -m bench.peers.flushing_server LINES`
prints `{"url", "project"}` and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import sys

_SLICE = 256 * 1024


def stream_of(lines: int) -> bytes:
    """The chunked body: `seq 1 LINES`, each event its own chunk, ids counting up by one."""
    chunks = [_chunk(b'event: connected\ndata: {"stream_id": "bench"}\n\n')]
    chunks += [
        _chunk(b'event: output\ndata: {"line": "%d", "stream": "stdout"}\nid: %d\n\n' % (number, number))
        for number in range(1, lines + 1)
    ]
    chunks.append(_chunk(b'event: complete\ndata: {"exit_code": 0, "duration_ms": 1}\nid: %d\n\n' % (lines + 1)))
    return b"".join(chunks) + b"0\r\n\r\n"


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


class FlushingServer:
    """`POST …/shell` starts nothing, `GET …/events` sends the stream."""

    def __init__(self, lines: int) -> None:
        self._body = stream_of(lines)

    async def serve(self) -> None:
        """Listen on a free port of 127.0.0.1 and say which."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"url": f"http://127.0.0.1:{port}", "project": "bench"}), flush=True)
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        await reader.readexactly(length)
        if head.startswith(b"POST"):
            answer = b'{"data": {"id": "bench"}}'
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
            )
            writer.write(answer)
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(self._body), _SLICE):
            writer.write(self._body[start : start + _SLICE])
            await writer.drain()
        return True


if __name__ == "__main__":
    asyncio.run(FlushingServer(int(sys.argv[1])).serve())
