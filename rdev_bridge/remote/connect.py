"""`open_server`: a connection to where runs go."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from rdev_bridge.core.resume import DEFAULT_POLICY, Policy
from rdev_bridge.errors import RdevError
from rdev_bridge.model import EmbeddedServer, RemoteServer, Secret
from rdev_bridge.remote.client import AnswerLostError, Api, Started, pause
from rdev_bridge.remote.command import cancellable_text, plain_text
from rdev_bridge.remote.embedded import Lease
from rdev_bridge.remote.http import CurrentKey, checked_origin, new_client
from rdev_bridge.remote.items import (
    Binding,
    CancelResult,
    CancelWay,
    CommandSpec,
    Position,
    ShellAnswer,
)
from rdev_bridge.remote.running import CANCEL_CALL_S, DEFAULT_GRACE_S, RemoteCommand, end_by_script
from rdev_bridge.remote.shell import collect, with_stdin
from rdev_bridge.remote.unreachable import whereabouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rdev_bridge.core.resume import Wait
    from rdev_bridge.model import Target

_TRIES_HERE = 3


def open_server(
    target: Target,
    *,
    key: Secret | None = None,
    environ: Mapping[str, str] | None = None,
    policy: Policy = DEFAULT_POLICY,
    jitter: Callable[[], float] = random.random,
) -> Connector:
    """A connection to `target`, to be entered with `async with`.

    `key` is given where the caller already knows it; otherwise it is looked up as the contract says, when entered.
    """
    return Connector(target, key, os.environ if environ is None else environ, policy, jitter)


class Connector:
    """One server and project: starts commands, finds earlier ones, asks small questions."""

    def __init__(
        self,
        target: Target,
        key: Secret | None,
        environ: Mapping[str, str],
        policy: Policy,
        jitter: Callable[[], float],
    ) -> None:
        self.target = target
        self.whereabouts = whereabouts(target.server)
        self.policy = policy
        self.jitter = jitter
        self._key = key
        self._environ = environ
        self._lease: Lease | None = None
        self._api: Api | None = None
        self._url = ""
        self._endings: set[asyncio.Task[CancelResult]] = set()

    async def __aenter__(self) -> Self:
        """Find or start the embedded server; look up the key. Raises RdevError, SettingsError."""
        server = self.target.server
        try:
            if isinstance(server, EmbeddedServer):
                self._lease = await Lease.take(server.folder)
                await self.locate()
            else:
                await self._use_remote(server)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; commands run on."""
        for ending in self._endings:
            ending.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)
        if self._api is not None:
            await self._api.aclose()
            self._api = None
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    async def start(self, spec: CommandSpec, pause: Callable[[Wait], Awaitable[None]] = pause) -> RemoteCommand:
        """Start `spec`, once. Where the answer is lost, the command is ended rather than left without an owner.

        `pause` waits where the server cannot take it yet (`Api.start`). Cancelled while the answer is on its way, this
        ends the command too, which takes as long as a cancel.

        Raises AnswerLostError where the command may have run, and may still (then also instead of a cancellation),
        RdevError where it surely never began.
        """
        token = secrets.token_hex(16)
        text = plain_text(spec) if self._lease is not None else cancellable_text(spec, token)
        try:
            started = await (self._start_here(text, token) if self._lease else self.api.start(text, token, pause))
        except AnswerLostError as error:
            result = await self._end_unanswered(text, token)
            if result.dead:
                raise AnswerLostError(f"{error}; it does not run now", reason=error.reason) from None
            unended = "" if result.message == str(error) else f", and cannot be ended: {result.message}"
            raise AnswerLostError(f"{error}; it may run there{unended}", reason=error.reason) from None
        except asyncio.CancelledError:
            if token not in self.api.unanswered or (result := await self._end_unanswered(text, token)).dead:
                raise
            text = f"cancelled before the server had answered; the command may run there: {result.message}"
            raise AnswerLostError(text, reason="answerLost") from None
        finally:
            if self._api is not None:
                self._api.unanswered.discard(token)
        way = CancelWay.DELETE if "cancel" in started.features or self._lease is not None else CancelWay.SCRIPT
        return RemoteCommand(self, Binding(started.stream_id, token, way))

    async def _start_here(self, text: str, token: str) -> Started:
        """On the embedded server, started again if it has died meanwhile.

        The same key twice is the same command there, so a lost answer is simply asked for again.
        """
        for _ in range(_TRIES_HERE - 1):
            api = await self.locate()
            with suppress(AnswerLostError, _GoneError):
                return await api.start(text, token, _pause_if_reached)
        return await (await self.locate()).start(text, token)

    async def _end_unanswered(self, text: str, token: str) -> CancelResult:
        """End what a start call may have started. It goes on when we are cancelled, until the connection is closed."""
        ending = asyncio.create_task(
            self._start_and_end(text, token) if self._lease else end_by_script(self, token, DEFAULT_GRACE_S)
        )
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return await asyncio.shield(ending)

    async def _start_and_end(self, text: str, token: str) -> CancelResult:
        """The same key once more names the command that it started before."""
        try:
            async with asyncio.timeout(CANCEL_CALL_S):
                started = await self._start_here(text, token)
        except (RdevError, TimeoutError) as error:
            return CancelResult(dead=False, message=str(error) or "the server did not answer in time")
        return await self.adopt(Binding(started.stream_id, token, CancelWay.DELETE)).cancel()

    def adopt(self, binding: Binding, after: Position | None = None) -> RemoteCommand:
        """A command started earlier, perhaps by another bridge. `after`: what of its output need not be read again."""
        return RemoteCommand(self, binding, after)

    async def ask(
        self,
        script: str,
        stdin: str | None = None,
        timeout_s: float = 60.0,
        *,
        cancellable: bool = True,
        pause: Callable[[Wait], Awaitable[None]] = pause,
    ) -> ShellAnswer:
        """Run a small script on the server. After `timeout_s`, or when cancelled, it is ended there too.

        Not `cancellable` is for a script that ends by itself and may run twice: it goes as it is, without the shell
        text that makes a command findable (half a dozen processes on a foreign server), and nobody ends it.
        `pause` is as for `start`.

        Raises RdevError where its end could not be learnt.
        """
        if not cancellable:
            return await self._ask_plainly(plain_text(CommandSpec(with_stdin(script, stdin))), timeout_s, pause)
        try:
            command = await self.start(CommandSpec(with_stdin(script, stdin)), pause)
        except AnswerLostError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            raise
        try:
            async with asyncio.timeout(timeout_s):
                return await collect(command.follow(None))
        except TimeoutError:
            await command.cancel(0.0)
            raise RdevError(f"the server did not finish a step within {timeout_s:.0f} s", reason="timeout") from None
        except asyncio.CancelledError:
            await asyncio.shield(command.cancel(0.0))
            raise

    async def begin(self, script: str, pause: Callable[[Wait], Awaitable[None]] = pause) -> None:
        """Start a small script that ends by itself and may run twice. How it ends must show elsewhere.

        Raises RdevError where it is not known to have been started.
        """
        text, token = plain_text(CommandSpec(script)), secrets.token_hex(16)
        await (self._start_here(text, token) if self._lease else self.api.start(text, token, pause))

    async def _ask_plainly(self, text: str, timeout_s: float, pause: Callable[[Wait], Awaitable[None]]) -> ShellAnswer:
        token = secrets.token_hex(16)
        try:
            async with asyncio.timeout(timeout_s):
                started = await (self._start_here(text, token) if self._lease else self.api.start(text, token, pause))
                return await collect(self.adopt(Binding(started.stream_id, "", CancelWay.DELETE)).follow(None))
        except TimeoutError:
            raise RdevError(f"the server did not finish a step within {timeout_s:.0f} s", reason="timeout") from None

    @property
    def api(self) -> Api:
        """The calls of this server. Only inside `async with`."""
        if self._api is None:
            raise RdevError("the connection to the server is closed", reason="closed")
        return self._api

    async def locate(self) -> Api:
        """The server as it can be reached now; the embedded one is started again if it went away."""
        server = self.target.server
        if isinstance(server, EmbeddedServer) and self._lease is not None:
            address = await self._lease.find(self._environ)
            if self._api is None or address.url != self._url:
                origin = checked_origin(address.url, allow_http=False)
                before, self._url = self._api, address.url
                client = new_client(origin, Secret(address.key))
                self._api = Api(client, origin, address.project, self.jitter, self.whereabouts)
                if before is not None:
                    self._api.unanswered |= before.unanswered
                    await before.aclose()
        return self.api

    async def _use_remote(self, server: RemoteServer) -> None:
        origin = checked_origin(server.url, allow_http=server.allow_http)
        if self._key is None:
            from rdev_bridge.keys import key_for  # a keyring is slow to import, and the embedded server needs none

            async def look_up() -> Secret | None:
                return await asyncio.to_thread(key_for, server, self._environ)

            client = new_client(origin, None, CurrentKey(await look_up(), look_up))
        else:
            client = new_client(origin, self._key)
        self._api = Api(client, origin, self.target.project, self.jitter, self.whereabouts)


class _GoneError(Exception):
    """Nobody listens at the embedded server's address any more."""


async def _pause_if_reached(wait: Wait) -> None:
    if not wait.reached:
        raise _GoneError
    await pause(wait)
