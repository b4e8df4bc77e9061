"""uvicorn, with what it lacks for a server that strangers' pages and neighbours can reach."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rdev_bridge.server.limits import Limits

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, with a time limit on a request's head, and a way to cut a reader off."""

    limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {"abort": self._abort}
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Asyncio's."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._time_head()

    def data_received(self, data: bytes) -> None:
        """Asyncio's."""
        super().data_received(data)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's."""
        super().connection_lost(exc)
        self._stop_timer()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's, with the error's shape."""
        body = json.dumps({"error": {"message": f"{msg} (a head may have {self.limits.head_bytes} bytes)"}}).encode()
        if self._between_requests():
            head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
            self.transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        self.transport.close()

    def _between_requests(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn declares it too narrowly
        return cycle is None or cycle.response_complete

    def _time_head(self) -> None:
        if not self._between_requests():
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_s, self._abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _abort(self) -> None:
        self.transport.abort()


class HttpServer(uvicorn.Server):
    """uvicorn without its own ideas about signals; `on_listening` is called once it answers."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise them again at its end, before ours."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's."""
        await super().startup(sockets)
        self._on_listening()


def http_server(app: ASGIApp, limits: Limits, on_listening: Callable[[], None]) -> HttpServer:
    """`app` behind uvicorn, not yet listening."""
    config = uvicorn.Config(
        app,
        http=type("LimitedConnection", (Connection,), {"limits": limits}),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=limits.head_bytes,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,  # longer than clients keep a connection, so that none sends into one that just closed
    )
    return HttpServer(config, on_listening)
