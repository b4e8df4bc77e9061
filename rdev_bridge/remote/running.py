"""A command that was started, by this bridge or an earlier one: its stream, and its end."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from rdev_bridge.errors import RdevError
from rdev_bridge.model import ConnectionState
from rdev_bridge.remote.client import AnswerLostError, Api, Started
from rdev_bridge.remote.command import cancel_script
from rdev_bridge.remote.items import (
    Binding,
    CancelResult,
    CancelWay,
    Completed,
    ConnectionChanged,
    OutputArrived,
    Position,
    StreamFailed,
    StreamItem,
    StreamLost,
)
from rdev_bridge.remote.shell import collect
from rdev_bridge.remote.stream import Endpoint, Follower

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rdev_bridge.remote.connect import Connector

DEFAULT_GRACE_S = 5.0
CANCEL_CALL_S = 30.0
_CANCEL_PAUSES_S = (0.25, 0.5, 1.0)
_DEATH_S = 5.0
_LONGEST_ANSWER_S = 20.0
"""A server of ours is asked to wait with its answer until it knows that what it killed is dead, but not for long."""
_OPEN = (ConnectionState.CONNECTED, ConnectionState.RESUMED)


class RemoteCommand:
    """A command on the server. `binding` is what must be kept to find it again."""

    def __init__(self, connector: Connector, binding: Binding, after: Position | None = None) -> None:
        self.binding = binding
        self._connector = connector
        self._position = after
        self._ended = False
        self._dead = asyncio.Event()
        self.is_heard = False
        """Whether its stream is open now, and can bring more."""

    async def follow(self, after: Position | None = None) -> AsyncGenerator[StreamItem, None]:
        """The stream after `after` (None: from its beginning), kept over broken connections. See StreamItem."""
        connector = self._connector

        async def endpoint() -> Endpoint:
            api = await connector.locate()  # the first time too: it may be long since the server was last looked for
            return Endpoint(api.client, api.events_url(self.binding.stream_id), api.remainders)

        name = connector.target.server.name
        policy, jitter = connector.policy, connector.jitter
        follower = Follower(
            name, connector.whereabouts, endpoint, after, policy=policy, jitter=jitter, hurry=self._dead
        )
        items = follower.items()
        try:
            async for item in items:
                if isinstance(item, OutputArrived):
                    self._position = item.position
                elif isinstance(item, ConnectionChanged):
                    self.is_heard = item.connection.state in _OPEN
                self._ended = self._ended or isinstance(item, Completed)
                if isinstance(item, StreamFailed) and self.binding.cancel_way is CancelWay.DELETE:
                    item = StreamLost(item.message)  # a server of ours has it running before it answers the start
                yield item
        finally:
            await items.aclose()

    async def cancel(self, grace_s: float = DEFAULT_GRACE_S) -> CancelResult:
        """TERM to all of it, KILL after `grace_s`; returns once it is known dead, or with what is known instead.

        A `follow` that waits before it connects again does so at once then: the server can be reached.
        """
        if self._ended:
            return CancelResult(dead=True)
        result = await self._cancel(grace_s)
        if result.dead:
            self._dead.set()
        return result

    async def _cancel(self, grace_s: float) -> CancelResult:
        if self.binding.cancel_way is CancelWay.SCRIPT:
            return await end_by_script(self._connector, self.binding.token, grace_s)
        try:
            async with asyncio.timeout(grace_s + CANCEL_CALL_S):
                return await self._cancel_by_call(grace_s)
        except TimeoutError:
            return CancelResult(dead=False, message="the server did not say that the command ended")
        except RdevError as error:
            return CancelResult(dead=False, message=str(error))

    async def _cancel_by_call(self, grace_s: float) -> CancelResult:
        """The server's word that it is dead; else the stream's end is the proof, since the group is killed before."""
        api = await self._connector.locate()
        try:
            status, dead = await api.delete(self.binding.stream_id, grace_s, min(grace_s + _DEATH_S, _LONGEST_ANSWER_S))
        except RdevError:  # a connection may well break in that time
            status, dead = await api.delete(self.binding.stream_id, grace_s, 0.0)
        if status in {404, 410}:
            return CancelResult(dead=False, message="the server does not know this command any more")
        if not 200 <= status < 300:
            return CancelResult(dead=False, message=f"the server refuses to cancel with status {status}")
        if dead:
            self._ended = True
            return CancelResult(dead=True)
        async with aclosing(RemoteCommand(self._connector, self.binding).follow(self._position)) as items:
            async for item in items:
                match item:
                    case Completed():
                        self._ended = True
                        return CancelResult(dead=True)
                    case StreamLost(message) | StreamFailed(message):
                        return CancelResult(dead=False, message=message)
                    case _:
                        pass
        raise AssertionError("a stream ends with its end")


async def end_by_script(connector: Connector, token: str, grace_s: float) -> CancelResult:
    """End all that carries `token`, through `/shell`."""
    try:
        async with asyncio.timeout(grace_s + CANCEL_CALL_S):
            started = await _start_again_and_again(connector.api, cancel_script(token, grace_s))
            answer = await collect(connector.adopt(Binding(started.stream_id, "", CancelWay.SCRIPT)).follow(None))
    except TimeoutError:
        return CancelResult(dead=False, message="the server did not answer in time")
    except RdevError as error:
        return CancelResult(dead=False, message=str(error))
    if answer.stdout.strip() == "dead":
        return CancelResult(dead=True)
    said = " ".join((answer.stdout + answer.stderr).split())[:200]
    return CancelResult(dead=False, message=f"processes are left on the server: {said}")


async def _start_again_and_again(api: Api, script: str) -> Started:
    """For one that does no harm twice, where whatever stands before the server is out of order for a moment."""
    for pause_s in _CANCEL_PAUSES_S:
        with suppress(AnswerLostError):
            return await api.start(script, secrets.token_hex(16))
        await asyncio.sleep(pause_s)
    return await api.start(script, secrets.token_hex(16))
