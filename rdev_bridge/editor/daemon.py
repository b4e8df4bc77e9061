"""One editor's daemon: the pipes, the peer and the app, from the first byte to the exit code."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

from rdev_bridge import __version__
from rdev_bridge.editor import life
from rdev_bridge.editor.channel import Reader, Writer, take_over_stdio
from rdev_bridge.editor.client import Client, client_from
from rdev_bridge.editor.frames import BadFrame, FrameDecoder
from rdev_bridge.editor.peer import Method, Peer, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

# LSP clients kill a server that takes longer; reliability.md gives 2 s for everything.
_CLOSE_S = 1.4
_DRAIN_S = 0.3


def serve(environ: Mapping[str, str]) -> int:
    """Talk to the editor on stdin and stdout until one side goes; the exit code is LSP's.

    The loop is left unclosed on purpose: closing it would wait for threads that are blocked on the editor's pipes.
    The caller ends the process with `os._exit`.
    """
    inbound, outbound = take_over_stdio()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="rdev-bridge: %(levelname)s %(message)s")
    loop = asyncio.new_event_loop()
    return loop.run_until_complete(_serve(inbound, outbound, environ))


async def _serve(inbound: int, outbound: int, environ: Mapping[str, str]) -> int:
    return await Daemon(inbound, outbound, environ).run()


class Daemon:
    """Owns the session with one editor."""

    def __init__(self, inbound: int, outbound: int, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._outbound = outbound
        self._loop = asyncio.get_running_loop()
        self._left: asyncio.Future[int] = self._loop.create_future()
        self._decoder = FrameDecoder()
        self._reader = Reader(inbound, self._received, self._gone)
        self._writer = Writer(outbound, self._gone)
        self.peer = Peer(self._writer.send, self._gone)
        self.peer.requests["initialize"] = Method(dict[str, Any], self._initialize)
        self.client = Client()

    async def run(self) -> int:
        """Serve until the editor goes in one of its ways."""
        for number in life.ENDING_SIGNALS:
            self._loop.add_signal_handler(number, self._leave, life.exit_code_for(number))
        life.watch_reader_of(self._outbound, self._gone_in_thread)
        self._writer.start()
        self._reader.start()
        code = await self._left
        self._writer.drain(_DRAIN_S)
        return code

    def _received(self, data: bytes) -> None:
        for item in self._decoder.feed(data):
            if self._left.done():
                return
            if isinstance(item, BadFrame):
                self.peer.bad_frame(item.reason)
            else:
                self.peer.receive(item)

    def _gone(self) -> None:
        self._leave(0 if self.peer.phase is Phase.SHUT_DOWN else life.EXIT_GONE)

    def _gone_in_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._gone)

    def _leave(self, code: int) -> None:
        if not self._left.done():
            self._left.set_result(code)

    def _initialize(self, params: dict[str, Any]) -> dict[str, Any]:
        self.client = client_from(params)
        if self.client.process_id is not None:
            life.watch_process(self.client.process_id, self._gone_in_thread)
        return {
            "capabilities": {"experimental": {"rdev": {"version": 1}}},
            "serverInfo": {"name": "rdev-bridge", "version": __version__},
        }
