"""The thin shell around `core.resume`: connect, read, hand on, connect again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import msgspec

from rdev_bridge.core.resume import GiveUp, Policy, Resume, Wait, advice_for, retry_after_s
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError
from rdev_bridge.model import Connection, ConnectionState
from rdev_bridge.remote.bulk import BulkDecoder, Lines, Other, Text
from rdev_bridge.remote.events import UNKNOWN_COUNT, read_complete, read_error, read_missing
from rdev_bridge.remote.http import Remainders, refuse_encoding
from rdev_bridge.remote.items import (
    Completed,
    ConnectionChanged,
    LinesMissing,
    OutputArrived,
    StreamFailed,
    StreamItem,
    StreamLost,
    waiting_for,
)
from rdev_bridge.remote.unreachable import failure, is_untrusted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from rdev_bridge.remote.unreachable import Whereabouts

_HURRIED_S = 0.2
_FINAL = (Completed, StreamFailed, StreamLost)
_SHORT_BYTES = 65_536
"""Of a stream whose connection is used again. A flood that followed another on one connection came in small pieces and
took three times as long, which costs more than to connect.
"""


class Endpoint(msgspec.Struct, frozen=True):
    """Where the stream is at this moment; a server on this machine may come back elsewhere.

    `remainders` takes a response that has told of the command's end.
    """

    client: httpx.AsyncClient
    url: httpx.URL
    remainders: Remainders


class Follower:
    """One `follow` of one command. `locate` is asked for the endpoint before each connection.

    Once `hurry` is set nothing is waited for long any more: the command is dead, and its last words are wanted.
    """

    def __init__(
        self,
        server: str,
        whereabouts: Whereabouts,
        locate: Callable[[], Awaitable[Endpoint]],
        after: str | None,
        *,
        policy: Policy,
        jitter: Callable[[], float],
        hurry: asyncio.Event,
    ) -> None:
        self._server = server
        self._whereabouts = whereabouts
        self._hurry = hurry
        self._locate = locate
        self._resume = Resume(after, time.monotonic(), jitter, policy)
        self._told_unreadable = False

    async def items(self) -> AsyncGenerator[StreamItem, None]:
        """The items of the stream; the last one, and only that, is Completed, StreamFailed or StreamLost."""
        while True:
            decision: Wait | GiveUp | None = None
            connection = self._one_connection()
            try:
                async for item in connection:
                    if isinstance(item, Wait | GiveUp):
                        decision = item
                        break
                    yield item
                    if isinstance(item, _FINAL):
                        return
            finally:
                await connection.aclose()
            assert decision is not None, "a connection ends with an item that ends the stream, or with a decision"
            if isinstance(decision, GiveUp):
                yield StreamLost(decision.why)
                return
            yield ConnectionChanged(waiting_for(self._server, decision))
            await self._pause(decision.delay_s)

    async def _pause(self, delay_s: float) -> None:
        if self._hurry.is_set():
            await asyncio.sleep(min(delay_s, _HURRIED_S))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()

    async def _one_connection(self) -> AsyncGenerator[StreamItem | Wait | GiveUp, None]:
        resume = self._resume
        try:
            endpoint = await self._locate()
            request = endpoint.client.build_request("GET", endpoint.url, headers=self._headers())
            request.extensions["timeout"] = {"connect": 10.0, "read": None, "write": 30.0, "pool": None}
            async with asyncio.timeout(resume.policy.silence_s):
                response = await endpoint.client.send(request, stream=True)
        except httpx.LocalProtocolError:
            yield GiveUp("the connection broke, and the server's last event id cannot be sent back in a header")
            return
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            found = failure(error, self._whereabouts)
            if is_untrusted(error):
                yield GiveUp(str(found.error()))
            else:
                yield resume.unreachable(time.monotonic(), found.what)
            return
        except RdevError as error:  # nowhere to connect to
            yield GiveUp(str(error))
            return
        is_over, source = False, response.aiter_raw()
        try:
            refusal = self._refusal(response)
            if refusal is not None:
                yield refusal
                return
            resumed = resume.opened(time.monotonic())
            yield self._told(ConnectionState.RESUMED if resumed else ConnectionState.CONNECTED)
            async for item in self._read(response, source):
                is_over = isinstance(item, _FINAL)
                yield item
        except RdevError as error:
            yield GiveUp(str(error))
        finally:
            if is_over and response.num_bytes_downloaded <= _SHORT_BYTES:
                endpoint.remainders.add(response, source)
            else:
                await response.aclose()

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"Accept", b"text/event-stream"), (b"Cache-Control", b"no-store"), (b"Rdev-Features", b"lines")]
        if self._resume.position:
            headers.append((b"Last-Event-ID", self._resume.position.encode("utf-8", "surrogatepass")))
        return headers

    def _refusal(self, response: httpx.Response) -> Wait | GiveUp | None:
        status = response.status_code
        if status != 200:
            if 300 <= status < 400:
                where = self._whereabouts
                elsewhere = f"{where.name} sends us elsewhere (a redirect), where the key must not go"
                return GiveUp(f"{elsewhere}; check {where.setting}")
            delay_s = retry_after_s(response.headers.get("retry-after"))
            final = advice_for(status, self._whereabouts.name, self._whereabouts.login)
            return self._resume.refused(time.monotonic(), status, delay_s, final)
        refuse_encoding(response)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            shown = visible(kind[:60]) or "nothing"
            where = self._whereabouts
            return GiveUp(f"{where.name} answers with {shown} instead of an event stream; check {where.setting}")
        return None

    async def _read(
        self, response: httpx.Response, source: AsyncIterator[bytes]
    ) -> AsyncGenerator[StreamItem | Wait | GiveUp, None]:
        resume = self._resume
        knows_lines = response.headers.get("rdev-features", "") == "lines"
        decoder = BulkDecoder(resume.position or "", knows_lines=knows_lines)
        reason = "the stream ended before the command did"
        while True:
            try:
                async with asyncio.timeout(resume.silence_s()):
                    data = await anext(source, None)
            except TimeoutError:
                reason = "the server has gone silent"
                resume.fell_silent()
                break
            except (httpx.HTTPError, OSError) as error:
                reason = failure(error, self._whereabouts).what
                break
            if data is None:
                break
            for found in decoder.feed(data):
                for item in self._items_of(found):
                    yield item
                    if isinstance(item, _FINAL):
                        return
            resume.server_retry_ms = decoder.retry_ms if decoder.retry_ms is not None else resume.server_retry_ms
        yield resume.broke(time.monotonic(), reason)

    def _items_of(self, found: Lines | Text | Other) -> Iterator[StreamItem]:
        if isinstance(found, Lines):
            yield from self._output(found)
            return
        if isinstance(found, Text):
            if self._resume.admit([found.id]).keep is None:
                yield OutputArrived([found.chunk], found.id)
            return
        match found.event:
            case "output":
                yield from self._unreadable(found)
            case "complete":
                complete = read_complete(found.data)
                if complete is None:
                    yield StreamLost("the server says that the command ended, but not with which exit code")
                else:
                    yield Completed(complete.exit_code, complete.duration_ms)
            case "error":
                message = f"the server reports: {read_error(found.data)}"
                yield StreamLost(message) if self._resume.delivered else StreamFailed(message)
            case _:
                if found.event == "connected":
                    missing = read_missing(found.data)
                    if missing:
                        yield LinesMissing(None if missing == UNKNOWN_COUNT else missing)
                own_id = found.id if found.numbered else ""
                self._resume.heard(own_id, time.monotonic(), heartbeat=found.event == "heartbeat")

    def _output(self, lines: Lines) -> Iterator[StreamItem]:
        admission = self._resume.admit(lines.ids)
        if admission.keep is not None:
            lines = lines.kept(admission.keep)
        if admission.missing:
            yield LinesMissing(admission.missing)
        if admission.unsafe:
            yield self._told(
                ConnectionState.CONNECTED,
                "this server does not number its output: if the connection breaks, the rest is lost",
            )
        if lines.texts:
            yield OutputArrived(lines.chunks(), self._resume.position if lines.ids[-1] else None)

    def _unreadable(self, event: Other) -> Iterator[StreamItem]:
        """An output event that is no output: a line is missing there, and it is said once why."""
        admission = self._resume.admit([event.id if event.numbered else ""])
        if admission.keep is not None:
            return
        yield LinesMissing(admission.missing + 1)
        if not self._told_unreadable:
            self._told_unreadable = True
            yield self._told(ConnectionState.CONNECTED, "the server sent output that is not the JSON it promises")

    def _told(self, state: ConnectionState, message: str | None = None) -> ConnectionChanged:
        return ConnectionChanged(Connection(self._server, state, message=message))
