"""A server that means harm, and one that is none: it ends with one message, without waiting, memory or the key."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.errors import SettingsError
from rdev_bridge.model import RemoteServer, Secret, Target
from rdev_bridge.remote.connect import open_server
from rdev_bridge.remote.http import checked_origin
from rdev_bridge.remote.items import Completed, StreamFailed, StreamLost
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.remote.desk import QUICK, Followed, bound, connect, gather
from tests.support.foreign_server import ForeignServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"


def stream(body: bytes, head: str = HEAD) -> Fault:
    return Fault(answer=head.encode() + b"\r\n" + body)


async def followed_through(fault: Fault) -> tuple[Followed, FaultProxy]:
    async with (
        ForeignServer() as server,
        FaultProxy(server.port, lambda _: fault) as proxy,
        connect(server, proxy.url) as c,
    ):
        async with asyncio.timeout(60):
            return await gather(c.adopt(bound("x")).follow(None)), proxy


# name, the answer to the stream call, words of the message
REFUSED = [
    ("a redirect", Fault(answer=b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), "a redirect"),
    ("a redirect that keeps the method", Fault(answer=b"HTTP/1.1 308 X\r\nLocation: //evil/\r\n\r\n"), "a redirect"),
    ("a web page", stream(b"<html>", "HTTP/1.1 200 X\r\nContent-Type: text/html\r\n"), "text/html instead of an event"),
    ("no content type", stream(b"data: x\n\n", "HTTP/1.1 200 X\r\n"), "nothing instead of an event stream"),
    ("a look-alike", stream(b"", "HTTP/1.1 200 X\r\nContent-Type: text/event-streams\r\n"), "instead of an event"),
    ("compressed", stream(gzip.compress(b"data: x\n\n"), HEAD + "Content-Encoding: gzip\r\n"), "compresses its answer"),
    ("204", Fault(answer=b"HTTP/1.1 204 X\r\n\r\n"), "never told how the command ended"),
    ("404", Fault(answer=b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"), "does not know this command"),
    ("a line without end", stream(b"data: " + b"x" * 17_000_000), "a line of more than 16777216 bytes"),
    (
        "an event without end",
        stream(b"data: " + b"x" * 8_000_000 + (b"\ndata: " + b"x" * 8_000_000) * 4 + b"\n"),
        "an event of",
    ),
    ("no exit code", stream(b'event: complete\ndata: {"exit_code":null}\n\n'), "not with which exit code"),
    (
        "an exit code that is a word",
        stream(b'event: complete\ndata: {"exit_code":"0"}\n\n'),
        "not with which exit code",
    ),
    ("an exit code that is true", stream(b'event: complete\ndata: {"exit_code":true}\n\n'), "not with which exit code"),
    ("half an exit code", stream(b'event: complete\ndata: {"exit_code":0.5}\n\n'), "not with which exit code"),
    ("an end that is not JSON", stream(b"event: complete\ndata: done\n\n"), "not with which exit code"),
]


@pytest.mark.parametrize(("fault", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_it_ends_at_once_with_one_message(fault: Fault, words: str) -> None:
    followed, proxy = await followed_through(fault)
    assert isinstance(followed.end, StreamLost)
    assert words in followed.end.message
    assert len(proxy.requests) == 1


async def test_headers_without_end() -> None:
    """Each try is cut short by the limit on a response's head; so it is a server that cannot be used."""
    seen = 0

    def plan(request: Request) -> Fault:
        nonlocal seen
        seen += 1
        if seen > 2:
            return Fault(answer=b"HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n")
        return Fault(answer=HEAD.encode() + b"X-Big: " + b"x" * 5_000_000)

    async with (
        ForeignServer() as server,
        FaultProxy(server.port, plan) as proxy,
        connect(server, proxy.url) as connector,
    ):
        followed = await gather(connector.adopt(bound("x")).follow(None))
    assert isinstance(followed.end, StreamLost)
    assert [one.state.value for one in followed.told] == ["reconnecting", "reconnecting"]


async def test_a_gzip_bomb_is_never_unpacked() -> None:
    bomb = gzip.compress(b"data: x\n\n" * 20_000_000, 1)
    tracemalloc.start()
    try:
        followed, _ = await followed_through(stream(bomb, HEAD + "Content-Encoding: gzip\r\n"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(followed.end, StreamLost)
    assert peak < 10_000_000


async def test_a_retry_without_end_is_clamped() -> None:
    answers = [stream(b"retry: 99999999999999\n\n"), stream(b'event: complete\ndata: {"exit_code":0}\n\n')]
    async with ForeignServer() as server:
        plan = lambda request: answers[min(request.number, 1)]  # noqa: E731 - a table lookup
        async with FaultProxy(server.port, plan) as proxy, connect(server, proxy.url) as connector, asyncio.timeout(60):
            followed = await gather(connector.adopt(bound("x")).follow(None))
    assert followed.end == Completed(0, None)
    assert [one.retry_in_ms for one in followed.told if one.retry_in_ms is not None] == [8]


async def test_ten_thousand_events_of_nonsense() -> None:
    kinds = [
        b"event: \x00\x1b]0;title\x07\ndata: {}\n\n",
        b"event: output\ndata: [[[[\n\n",
        b"event: connected\ndata: 7\n\n",
        b"event: heartbeat\ndata\n\n",
        b"id: \xff\xfe\nevent: nonsense\ndata: " + b"[" * 3000 + b"\n\n",
        b"\xff\xfe\xfd: x\n\n",
        b"data: no event\n\n",
        b'event: output\ndata: {"line":{},"stream":[]}\n\n',
        b'event: output\ndata: {"stream":5}\n\n',
        b"retry: -1\nid: a\0b\n\n",
    ]
    body = b"".join(kinds[i % len(kinds)] for i in range(10_000)) + b'event: complete\ndata: {"exit_code":3}\n\n'
    followed, _ = await followed_through(stream(body))
    assert followed.end == Completed(3, None)
    assert followed.lines == [("stdout", "")] * 1000, (
        "an output without a line is an empty one, as the clients print it"
    )
    assert followed.missing == [1] * 2000, "output that cannot be read is told as missing"
    assert len([one for one in followed.told if "not the JSON" in (one.message or "")]) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"message":"no more room"}', "the server reports: no more room"),
        (b'{"message":"two\\nlines"}', "the server reports: two lines"),
        (b'{"message":null}', "the server reports: no reason given"),
        (b"plain words", "the server reports: plain words"),
        (b"[1]", "the server reports: [1]"),
    ],
)
async def test_an_error_event_reaches_the_user_and_is_never_an_exit_code(data: bytes, message: str) -> None:
    error = b"event: error\ndata: " + data + b"\n\n" + b'event: complete\ndata: {"exit_code":0}\n\n'
    followed, _ = await followed_through(stream(error))
    assert followed.end == StreamFailed(message)
    output = b'id: 1\nevent: output\ndata: {"line":"x"}\n\n'
    followed, _ = await followed_through(stream(output + error))
    assert followed.end == StreamLost(message)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
async def test_an_id_cannot_smuggle_a_header(newline: bytes) -> None:
    body = (
        b"id: 1" + newline + b"X-Evil: 1" + newline + b"event: output" + newline + b'data: {"line":"x"}' + newline * 2
    )
    answers = [stream(body), stream(b'event: complete\ndata: {"exit_code":0}\n\n')]
    async with ForeignServer() as server:
        plan = lambda request: answers[min(request.number, 1)]  # noqa: E731 - a table lookup
        async with FaultProxy(server.port, plan) as proxy, connect(server, proxy.url) as connector:
            followed = await gather(connector.adopt(bound("x")).follow(None))
    assert followed.end == Completed(0, None)
    assert proxy.requests[1].headers["last-event-id"] == "1"
    assert "x-evil" not in proxy.requests[1].headers


@pytest.mark.parametrize("odd", ["\x01", "a\x7fb", " lead", "trail ", "日本", "\ufffd", "x" * 9000])
async def test_odd_ids_come_back_or_end_it_but_never_break_it(odd: str) -> None:
    body = f'id: {odd}\nevent: output\ndata: {{"line":"x"}}\n\n'.encode()
    answers = [stream(body), stream(b'event: complete\ndata: {"exit_code":0}\n\n')]
    async with ForeignServer() as server:
        plan = lambda request: answers[min(request.number, 1)]  # noqa: E731 - a table lookup
        async with FaultProxy(server.port, plan) as proxy, connect(server, proxy.url) as connector, asyncio.timeout(60):
            followed = await gather(connector.adopt(bound("x")).follow(None))
    assert followed.lines == [("stdout", "x")]
    if isinstance(followed.end, Completed):
        got = proxy.requests[1].headers["last-event-id"].encode("latin-1").decode()
        assert got == odd.strip()
    else:
        assert isinstance(followed.end, StreamLost)
        assert "id" in followed.end.message


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port that notes what arrives there."""
    heard: list[bytes] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await server.wait_closed()


async def test_the_key_follows_no_redirect_and_takes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as (port, heard), ForeignServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        fault = Fault(
            answer=f"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode()
        )
        plan = lambda request: fault if request.is_stream else PASS  # noqa: E731 - a table lookup
        async with FaultProxy(server.port, plan) as proxy, connect(server, proxy.url) as connector:
            answer = await connector.api.start("echo x", "k")
            followed = await gather(connector.adopt(bound(answer.stream_id)).follow(None))
        assert isinstance(followed.end, StreamLost)
        assert heard == []


async def test_a_cookie_is_not_kept() -> None:
    cookie = b'HTTP/1.1 200 X\r\nSet-Cookie: a=b\r\nContent-Length: 25\r\n\r\n{"data": {"id": "cmd-0"}}'
    fault = Fault(answer=cookie)
    async with (
        ForeignServer() as server,
        FaultProxy(server.port, lambda _: fault) as proxy,
        connect(server, proxy.url) as c,
    ):
        for _ in range(2):
            await c.api.start("echo x", "k")
    assert not any("cookie" in request.headers for request in proxy.requests)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com", "plain http to another machine"),
        ("http://localhost.example.com", "plain http to another machine"),
        ("http://127.0.0.1.example.com:80", "plain http"),
        ("ftp://example.com", "begins with https:// or http://"),
        ("example.com", "begins with"),
        ("", "begins with"),
        ("https://", "no url of a server"),
        ("https://host:99999", "from 1 to 65535"),
        ("https://a%2eb", "no url of a server"),
        ("https://a\\@b", "no user name"),
        ("https://[::1", "no url of a server"),
        ("https://xn--p", "no host that can be looked up"),
        ("https://user:SECRET@example.com", "no user name and no key"),
        ("https://example.com?key=SECRET", "no query"),
    ],
)
def test_urls_that_a_key_must_not_go_to(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        checked_origin(url, allow_http=False)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://[::1]:1/", "http://localhost", "https://example.com/base/"]
)
def test_urls_that_it_may_go_to(url: str) -> None:
    assert str(checked_origin(url, allow_http=False)) == url.rstrip("/")
    assert checked_origin("http://example.com", allow_http=True).host == "example.com"


async def test_the_connector_refuses_such_a_url_before_anything_is_sent() -> None:
    target = Target(RemoteServer("work", "http://192.0.2.1"), "demo")
    with pytest.raises(SettingsError, match="allow_http"):
        async with open_server(target, key=Secret("k"), policy=QUICK):
            pass
