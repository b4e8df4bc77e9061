"""httpx over httpcore as always, with the re-chunking between socket (or TLS) and HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from rdev_bridge.remote.rechunk import Rechunker

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

_IDLE_S = 1.5
"""How long a connection is kept for the next call. Some servers close one that was idle for two seconds, many after
five; a start call that meets that moment is lost, and cannot be repeated.
"""
_READ_BYTES = 256 * 1024
"""What the event loop reads at once; the library asks for a quarter of it, which is 6 % slower in small chunks."""


class StreamTransport(httpx.AsyncBaseTransport):
    """For connections without a proxy; `ssl_context` is None where only plain http is spoken."""

    def __init__(self, ssl_context: ssl.SSLContext | None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=None,
            max_keepalive_connections=4,
            keepalive_expiry=_IDLE_S,
            network_backend=_Backend(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange. Raises the exceptions of httpx."""
        url = request.url
        assert isinstance(request.stream, httpx.AsyncByteStream)
        try:
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except Exception as error:
            raise _translated(error) from error
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.aiter_stream():
                yield part
        except Exception as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._response.aclose()


class _Backend(httpcore.AnyIOBackend):
    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return _Stream(await super().connect_tcp(*args, **options))


class _Stream(httpcore.AsyncNetworkStream):
    """The inner stream, its reads re-chunked."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._rechunker = Rechunker()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while data := await self._inner.read(max(max_bytes, _READ_BYTES), timeout):
            made = self._rechunker.feed(data)
            if made:
                return made
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _translated(error: Exception) -> Exception:
    """The exception of the same name in httpx."""
    for kind in type(error).__mro__:
        if kind.__module__.startswith("httpcore") and hasattr(httpx, kind.__name__):
            made: Exception = getattr(httpx, kind.__name__)(str(error))
            return made
    return error
