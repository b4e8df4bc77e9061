"""A server that cannot be reached: the message names it, what went wrong, the setting it came from, and what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.errors import RdevError
from rdev_bridge.model import RemoteServer, Secret, Target
from rdev_bridge.remote import client, http
from rdev_bridge.remote.connect import open_server
from rdev_bridge.remote.items import CommandSpec, StreamLost
from rdev_bridge.remote.unreachable import proxy_for
from tests.remote.desk import QUICK, bound, gather
from tests.support.certificates import certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NO_TLS = "cannot be reached (it does not speak TLS)"
SETTING = "url of [servers.work] in config.toml"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def said_by_start(url: str) -> RdevError:
    target = Target(RemoteServer("work", url, setting=SETTING), "demo")
    async with asyncio.timeout(60), open_server(target, key=Secret("k"), policy=QUICK) as connector:
        with pytest.raises(RdevError) as caught:
            await connector.start(CommandSpec("echo never"))
    assert "Errno" not in str(caught.value)
    assert "_ssl.c" not in str(caught.value)
    return caught.value


@asynccontextmanager
async def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port where each connection is answered so, whatever it says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_name_that_cannot_be_looked_up() -> None:
    error = await said_by_start("https://no-such-host.invalid")
    assert error.problem == (
        "the server at no-such-host.invalid:443 cannot be reached (its name cannot be looked up); nothing was started"
    )
    assert error.advice == f"check {SETTING}, or your network or VPN"


async def test_a_port_where_nobody_listens(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setattr(client, "START_RETRY_S", 0.1)
    error = await said_by_start(f"http://127.0.0.1:{unused_tcp_port}")
    assert error.problem == (
        f"the server at 127.0.0.1:{unused_tcp_port} cannot be reached (connection refused); nothing was started"
    )
    assert error.advice == f"is it running? Else check {SETTING}"


async def test_a_machine_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full: the kernel drops what asks for more, as a firewall does."""
    monkeypatch.setattr(http, "CONNECT_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        error = await said_by_start(f"http://127.0.0.1:{full.getsockname()[1]}")
    assert "cannot be reached (no answer); nothing was started" in error.problem
    assert error.advice == f"check your network or VPN, or {SETTING}"


@pytest.mark.parametrize(
    ("how", "what", "advice"),
    [
        ("self-signed", "is signed by nobody but itself", "SSL_CERT_FILE="),
        ("unknown issuer", "is signed by an authority that this machine does not know", "SSL_CERT_FILE="),
        ("expired", "has expired", "ask who runs the server to renew it"),
        ("not yet valid", "is not valid yet", "clock"),
        ("wrong name", "is for another name", f"check the host in {SETTING}"),
        ("wrong address", "is for another name", f"check the host in {SETTING}"),
    ],
)
async def test_a_certificate_that_is_wrong(
    how: str, what: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = authority = certificate(tmp_path, "authority")
    host = "127.0.0.1"
    match how:
        case "expired":
            shown = trusted = certificate(tmp_path, "shown", day="2001-01-01")
        case "not yet valid":
            shown = trusted = certificate(tmp_path, "shown", day="2090-01-01")
        case "wrong name":
            shown, host = certificate(tmp_path, "shown", issuer=authority), "localhost"
        case "wrong address":
            shown = certificate(tmp_path, "shown", host="other.example", issuer=authority)
        case "unknown issuer":
            shown, trusted = certificate(tmp_path, "shown", issuer=authority), certificate(tmp_path, "other")
        case _:
            shown = certificate(tmp_path, "shown")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(shown)
    async with answering(b"", tls) as port:
        url = f"https://{host}:{port}"
        error = await said_by_start(url)
        target = Target(RemoteServer("work", url, setting=SETTING), "demo")
        async with open_server(target, key=Secret("k"), policy=QUICK) as connector:
            lost = (await gather(connector.adopt(bound("x")).follow(None))).end
    assert error.problem == f"the certificate of the server at {host}:{port} {what}; nothing was started"
    assert advice in str(error.advice)
    assert isinstance(lost, StreamLost)
    assert what in lost.message


async def test_a_server_with_which_no_cipher_is_shared(tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate(tmp_path, "shown"))
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")  # the certificate's key is none of RSA's
    async with answering(b"", tls) as port:
        error = await said_by_start(f"https://127.0.0.1:{port}")
    assert error.problem.startswith(f"the server at 127.0.0.1:{port} cannot be reached (no TLS with it: ")
    assert error.advice == "ask who runs the server"


async def test_https_to_a_server_without_tls() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        error = await said_by_start(f"https://127.0.0.1:{port}")
    assert error.problem == f"the server at 127.0.0.1:{port} {NO_TLS}; nothing was started"
    assert error.advice == f"is its url http? Check {SETTING}"


@pytest.mark.parametrize(
    ("status", "said", "advice"),
    [
        ("403 Forbidden", "does not let us to the server at work.invalid:443 (403 Forbidden)", "NO_PROXY=work.invalid"),
        ("407 Proxy Authentication Required", "wants a user and a password", "put them into HTTPS_PROXY"),
        (
            "502 Bad Gateway",
            "cannot reach the server at work.invalid:443 (502 Bad Gateway)",
            f"check {SETTING}, or HTTPS",
        ),
    ],
)
async def test_a_proxy_that_refuses(status: str, said: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{port}")
        error = await said_by_start("https://work.invalid")
    assert error.problem.startswith(f"the proxy at 127.0.0.1:{port} {said}")
    assert error.problem.endswith("; nothing was started")
    assert advice in str(error.advice)
    assert "secret" not in str(error)


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setattr(client, "START_RETRY_S", 0.1)
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{unused_tcp_port}")
    error = await said_by_start("https://work.invalid")
    assert error.problem.startswith(f"the proxy at 127.0.0.1:{unused_tcp_port} cannot be reached (connection refused)")
    assert error.advice == "is it running? Else check https_proxy"
    monkeypatch.setenv("https_proxy", "http://no-such-proxy.invalid:3128")
    error = await said_by_start("https://work.invalid")
    assert error.problem.startswith("the proxy at no-such-proxy.invalid:3128 cannot be reached (its name cannot be")
    assert error.advice == "check https_proxy, or your network or VPN"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HTTPS_PROXY", "http://[bad", "HTTPS_PROXY names no proxy; it looks like http://"),
        ("https_proxy", "foo://proxy.invalid", "https_proxy names no proxy"),
        ("ALL_PROXY", "http://127.0.0.1:99999", "ALL_PROXY names no proxy"),
        (
            "all_proxy",
            "socks5h://user:secret@127.0.0.1:1080",
            "all_proxy names a SOCKS proxy, which needs socksio; inst",
        ),
    ],
)
def test_a_proxy_that_can_be_none(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(RdevError) as caught:
        proxy_for("https://work.invalid")
    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)
    assert proxy_for("http://localhost:8080") is None
    monkeypatch.setenv("NO_PROXY", "work.invalid")
    assert proxy_for("https://work.invalid") is None
