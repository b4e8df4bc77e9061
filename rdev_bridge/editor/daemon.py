"""One editor's daemon: the pipes, the peer and the app, from the first byte to the exit code."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdev_bridge import __version__
from rdev_bridge.editor import life
from rdev_bridge.editor.channel import Reader, Writer, take_over_stdio
from rdev_bridge.editor.client import Client, client_from
from rdev_bridge.editor.features.code_action import CANCEL_KIND, FIX_KIND, OUTPUT_KIND, TASK_KIND
from rdev_bridge.editor.features.execute_command import COMMANDS
from rdev_bridge.editor.frames import BadFrame, FrameDecoder
from rdev_bridge.editor.peer import Method, Peer, Phase, rpc_error
from rdev_bridge.signals import exit_code_for, heeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)

# LSP clients kill a server that takes longer; reliability.md gives 2 s for everything.
_CLOSE_S = 1.3
_DRAIN_S = 0.2
_ERROR = 1  # MessageType


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
        self._arrived: deque[bytes | BadFrame | _End] = deque()
        self._is_opening = False
        self._app: asyncio.Task[None] | None = None
        self._reader = Reader(inbound, self._received, self._ended)
        self._writer = Writer(outbound, self._gone)
        self._peer = Peer(self._writer.send, self._gone)
        self._peer.requests["initialize"] = Method(dict[str, Any], self._initialize)

    async def run(self) -> int:
        """Serve until the editor goes in one of its ways."""
        with heeded(lambda number: self._leave(exit_code_for(number))):
            life.watch_reader_of(self._outbound, self._gone_in_thread)
            self._writer.start()
            self._reader.start()
            code = await self._left
            self._writer.abandon()
            if self._app is not None:
                await asyncio.wait([self._app], timeout=_CLOSE_S)
            self._writer.drain(_DRAIN_S)
            return code

    # ── what arrives, in its order ──

    def _received(self, data: bytes) -> None:
        self._arrived.extend(self._decoder.feed(data))
        self._go_on()

    def _ended(self) -> None:
        self._arrived.append(_End())
        self._go_on()

    def _go_on(self) -> None:
        while self._arrived and not self._is_opening and not self._left.done():
            item = self._arrived.popleft()
            if isinstance(item, _End):
                self._gone()
            elif isinstance(item, BadFrame):
                self._peer.bad_frame(item.reason)
            else:
                self._peer.receive(item)

    # ── the beginning ──

    def _initialize(self, params: dict[str, Any]) -> dict[str, Any]:
        client = client_from(params)
        if client.process_id is not None:
            life.watch_process(client.process_id, self._gone_in_thread)
        self._is_opening = True
        self._app = self._peer.spawn(self._live(client))
        return {
            "capabilities": capabilities_for(client),
            "serverInfo": {"name": "rdev-bridge", "version": __version__},
        }

    async def _live(self, client: Client) -> None:
        """The app, from after the answer to `initialize` until the editor goes; messages wait until it stands."""
        from rdev_bridge.editor.session import Session
        from rdev_bridge.editor.surface import Surface

        folders = client.folders or (Path.cwd(),)
        session = Session(self._peer, self._writer, client, folders)
        surface = Surface(session)
        try:
            from rdev_bridge.app import App

            async with App(folders, environ=self._environ, observers=session.observers) as app:
                await session.opened(app)
                self._serve_with(surface.requests(), surface.notifications())
                await asyncio.wait([self._left])
                await session.close()
        except Exception as error:
            _log.exception("the app failed")
            told = rpc_error(error)
            self._peer.notify("window/showMessage", {"type": _ERROR, "message": f"rdev-bridge: {told.message}"})
            self._serve_with(dict.fromkeys(surface.requests(), Method(Any, _always(told))), {})

    def _serve_with(self, requests: dict[str, Method], notifications: dict[str, Method]) -> None:
        self._peer.requests |= requests
        self._peer.notifications |= notifications
        self._is_opening = False
        self._go_on()

    # ── the end ──

    def _gone(self) -> None:
        self._leave(0 if self._peer.phase is Phase.SHUT_DOWN else life.EXIT_GONE)

    def _gone_in_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._gone)

    def _leave(self, code: int) -> None:
        if not self._left.done():
            self._left.set_result(code)


class _End:
    """Stdin's end, which must not overtake what came before it."""


def _always(error: Exception) -> Callable[[Any], Any]:
    """A handler for the time in which nothing works but the reason is known."""

    def refuse(_: Any) -> Any:
        raise error

    return refuse


def capabilities_for(client: Client) -> dict[str, Any]:
    """What `initialize` answers. Documents are not synchronised: what counts is what was saved."""
    kinds = [FIX_KIND, TASK_KIND, CANCEL_KIND, OUTPUT_KIND]
    return {
        "positionEncoding": client.position_encoding,
        "textDocumentSync": {"openClose": True, "change": 0, "save": {"includeText": False}},
        "codeLensProvider": {"resolveProvider": False},
        # LSP 3.17, "Code Action Request": options only for a client that knows literals
        "codeActionProvider": {"codeActionKinds": kinds} if client.code_action_literals else True,
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
        "experimental": {"rdev": {"version": 1}},
    }
