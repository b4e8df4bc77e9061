"""A journal to one reader: headers and `connected` at once, what is there, what comes, heartbeats in the silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rdev_bridge.server.encode import encode_passing, line_by_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from rdev_bridge.server.journal import Entry, Journal
    from rdev_bridge.server.limits import Limits

_READ_BYTES = 64 * 1024
_PART_BYTES = 8 * 1024
_HEARTBEAT = encode_passing("heartbeat", {})


class EventStream:
    """An ASGI response. `on_close` is called once, however it ends. `as_stored`: the reader knows `lines` events."""

    def __init__(
        self,
        stream_id: str,
        journal: Journal,
        entry: Entry,
        *,
        as_stored: bool,
        limits: Limits,
        headers: list[tuple[bytes, bytes]],
        on_close: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._offset = entry.offset
        self._after = entry.after
        self._as_stored = as_stored
        self._limits = limits
        self._headers = headers
        self._on_close = on_close
        connected: dict[str, Any] = {"stream_id": stream_id}
        if entry.missing != 0:
            connected["missing"] = entry.missing
        self._connected = encode_passing("connected", connected)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the command's end, until the reader is gone, or until it has taken nothing for too long."""
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        except TimeoutError:
            # Closing would wait for the reader to take what it is not taking.
            scope["state"]["abort"]()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            self._on_close()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self._put(send, self._connected)
        journal = self._journal
        while not (journal.ended and self._offset >= journal.end):
            try:
                events = journal.read_events(self._offset, _READ_BYTES)
            except LookupError:
                break  # The journal's bound has overtaken this reader; `connected` tells it when it comes again.
            if events:
                in_the_middle = self._after > self._offset
                if in_the_middle or not self._as_stored:
                    for part in in_parts(line_by_line(events, self._offset, self._after)):
                        await self._put(send, part)
                else:
                    await self._put(send, events)
                self._offset += len(events)
                await asyncio.sleep(0)  # Sending to a fast reader never waits, and the others want their turn.
                continue
            try:
                async with asyncio.timeout(self._limits.heartbeat_s):
                    await journal.grown(self._offset)
            except TimeoutError:
                await self._put(send, _HEARTBEAT)
        await self._put(send, b"", more=False)

    async def _put(self, send: Send, data: bytes, *, more: bool = True) -> None:
        """Raises TimeoutError where the reader lets us wait too long."""
        async with asyncio.timeout(self._limits.stall_s):
            await send({"type": "http.response.body", "body": data, "more_body": more})


def in_parts(events: bytes) -> Iterator[bytes]:
    """Whole events, some 8 KiB of them at a time.

    Each part is an HTTP chunk. Node's `eventsource` 2.x looks for each line from the beginning of its chunk on: with
    64 KiB a chunk it reads 3 thousand lines a second, with 8 KiB some six times as many.
    """
    start = 0
    while start < len(events):
        end = events.rfind(b"\n\n", start, start + _PART_BYTES) + 2
        if end < 2:
            end = events.find(b"\n\n", start) + 2
        yield events[start:end]
        start = end


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
