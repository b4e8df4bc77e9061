"""Helper scripts through `/shell`: what goes in, and what comes out, as text."""

from __future__ import annotations

import shlex
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.errors import RdevError
from rdev_bridge.model import Stream
from rdev_bridge.remote.items import (
    Completed,
    LinesMissing,
    OutputArrived,
    ShellAnswer,
    StreamFailed,
    StreamItem,
    StreamLost,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from rdev_bridge.core.resume import Wait
    from rdev_bridge.remote.connect import Connector

MAX_ANSWER_CHARS = 64 * 1024 * 1024


def with_stdin(script: str, stdin: str | None) -> str:
    """`script` reading `stdin` through a pipe; the exit code stays that of the script."""
    if stdin is None:
        return script
    return f"printf %s {shlex.quote(stdin)} | {{\n{script}\n}}"


async def collect(items: AsyncGenerator[StreamItem, None]) -> ShellAnswer:
    """The whole of a short stream. Raises RdevError where any of it is missing, or its end is not known."""
    texts: dict[Stream, list[str]] = {Stream.STDOUT: [], Stream.STDERR: []}
    size = 0
    async with aclosing(items):
        async for item in items:
            match item:
                case OutputArrived(chunks):
                    for chunk in chunks:
                        text = chunk.text()
                        size += len(text)
                        if size > MAX_ANSWER_CHARS:
                            raise RdevError("a helper script on the server answers without end", reason="badAnswer")
                        texts[chunk.stream].append(text)
                case Completed(exit_code):
                    return ShellAnswer("".join(texts[Stream.STDOUT]), "".join(texts[Stream.STDERR]), exit_code)
                case LinesMissing():
                    raise RdevError("the server lost part of a helper script's answer", reason="badAnswer")
                case StreamFailed(message) | StreamLost(message):
                    raise RdevError(message, reason="lost")
                case _:
                    pass
    raise RdevError("the answer of a helper script broke off", reason="lost")


class ToldShell(msgspec.Struct, frozen=True):
    """What a barrier needs of a connection, and `pause`, which says to somebody that the server is waited for."""

    connector: Connector
    pause: Callable[[Wait], Awaitable[None]]

    async def begin(self, script: str) -> None:
        """As `Connector.begin`."""
        await self.connector.begin(script, self.pause)

    async def ask(self, script: str, *, timeout_s: float, cancellable: bool = True) -> ShellAnswer:
        """As `Connector.ask`."""
        return await self.connector.ask(script, timeout_s=timeout_s, cancellable=cancellable, pause=self.pause)
