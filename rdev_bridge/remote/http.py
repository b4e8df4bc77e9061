"""The HTTP client of one server: where the key may go, and what an answer may look like."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from rdev_bridge import __version__
from rdev_bridge.core.origin import PLAIN_HTTP, check_url, exposes_key
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError, SettingsError
from rdev_bridge.remote.transport import StreamTransport
from rdev_bridge.remote.unreachable import proxy_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from rdev_bridge.model import Secret

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 1024 * 1024
_REMAINDER_S, _REMAINDER_BYTES = 1.0, 64 * 1024


def checked_origin(url: str, *, allow_http: bool) -> httpx.URL:
    """`url` as the base of all calls, by the rules of `core.origin`, which the settings have also been through.

    Raises SettingsError.
    """
    try:
        url = check_url(url)
    except ValueError as error:
        raise SettingsError(str(error), key="url") from None
    if exposes_key(url) and not allow_http:
        raise SettingsError(f"{url}: {PLAIN_HTTP}, or set allow_http = true for it in your own config.toml", key="url")
    try:
        origin = httpx.URL(url)
        assert origin.host
    except (httpx.InvalidURL, UnicodeError):  # a name that looks like an international one and is none
        raise SettingsError(f"{url} has no host that can be looked up", key="url") from None
    return origin


def call_url(origin: httpx.URL, project: str, *path: str, **query: str) -> httpx.URL:
    """The URL of a call. Every part is quoted whole, so that no project or id can lead elsewhere.

    Raises RdevError for `.` and `..`, which a URL cannot hold as names.
    """
    parts = ["projects", project, *path]
    if any(part in {"", ".", ".."} for part in parts):
        raise RdevError(f"{project!r} is no name for a project", reason="badProject")
    raw = "/".join(quote(part, safe="", errors="surrogatepass") for part in parts)
    search = "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in query.items())
    base = origin.raw_path.decode("ascii").rstrip("/")
    return origin.copy_with(raw_path=f"{base}/{raw}{'?' + search if search else ''}".encode("ascii"))


class CurrentKey(httpx.Auth):
    """Sends the key. Where the server refuses it, `look_up` is asked for it again, and another one is tried once."""

    def __init__(self, key: Secret | None, look_up: Callable[[], Awaitable[Secret | None]]) -> None:
        self._key = key
        self._look_up = look_up
        self._looking = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The httpx library's."""
        tried = self._key
        if tried is not None:
            request.headers["X-API-Key"] = tried.reveal()
        response = yield request
        # The library reads the refusal whole before it goes on, so it must be one that fits.
        size = response.headers.get("content-length", "")
        if response.status_code != 401 or "content-encoding" in response.headers:
            return
        if not size.isdecimal() or int(size) > MAX_ANSWER_BYTES:
            return
        async with self._looking:
            if self._key == tried:
                with suppress(RdevError):
                    self._key = await self._look_up()
        if self._key is not None and self._key != tried:
            request.headers["X-API-Key"] = self._key.reveal()
            yield request


def new_client(origin: httpx.URL, key: Secret | None, auth: CurrentKey | None = None) -> httpx.AsyncClient:
    """A client of a checked origin: it follows no redirect, asks for no compression, takes no proxy to this machine.

    `auth` is given in place of `key` where the key may change.
    """
    headers = {"User-Agent": f"rdev-bridge/{__version__}", "Accept-Encoding": "identity"}
    if key is not None:
        headers["X-API-Key"] = key.reveal()
    by_proxy = proxy_for(str(origin)) is not None
    tls = httpx.create_ssl_context() if origin.scheme == "https" and not by_proxy else None
    return httpx.AsyncClient(
        headers=headers,
        auth=auth,
        timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, pool=None),
        transport=None if by_proxy else StreamTransport(tls),
        trust_env=by_proxy,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # a browser's ticket is none of our business
    )


class Remainders:
    """Answers that have said all they had to say, read to their end in the background.

    Only then can their connection be used again: a round trip to a server that is far, and two more over TLS.
    """

    def __init__(self) -> None:
        self._reading: set[asyncio.Task[None]] = set()

    def add(self, response: httpx.Response, source: AsyncIterator[bytes]) -> None:
        """Read the rest of `source`, which is the body of `response`; close it where that does not end at once."""
        reading = asyncio.create_task(_read_to_end(response, source))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def aclose(self) -> None:
        """Close those that have not ended."""
        for reading in self._reading:
            reading.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)


async def _read_to_end(response: httpx.Response, source: AsyncIterator[bytes]) -> None:
    left_bytes = _REMAINDER_BYTES
    try:
        with suppress(httpx.HTTPError, OSError):  # a time that is over among them
            async with asyncio.timeout(_REMAINDER_S):
                while left_bytes > 0 and (data := await anext(source, None)) is not None:
                    left_bytes -= len(data)
    finally:
        await response.aclose()


async def read_bounded(response: httpx.Response) -> bytes:
    """The body of a short answer as it came. Raises RdevError past MAX_ANSWER_BYTES or where it is compressed."""
    refuse_encoding(response)
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise RdevError("the server's answer is far too large to be one of an rdev server", reason="badAnswer")
    return bytes(body)


def refuse_encoding(response: httpx.Response) -> None:
    """We asked for identity; a server that compresses all the same could send a bomb."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise RdevError(
            f"the server compresses its answer ({visible(encoding[:40])}) though we asked it not to", reason="badAnswer"
        )
