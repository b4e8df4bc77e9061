# ruff: noqa: E501 - a row of words reads best on one line
"""The embedded server, asked by anybody: requests of any form, straight into the application."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from rdev_bridge.server.app import RdevServer, RefusalError, command_of
from rdev_bridge.server.commands import NoSuchCommandError
from rdev_bridge.server.limits import Limits
from rdev_bridge.server.security import Gate, Tickets
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import MutableMapping

KEY = "the-key"
_EXPECTED = {200, 201, 202, 204, 400, 401, 403, 404, 405, 413, 415, 431}


class _NoCommands:
    """Knows no command; notes what it was asked to start."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def start(self, command: str, key: str | None, body: bytes) -> str:
        self.started.append(command)
        return "0" * 32

    def cancel(self, stream_id: str, grace_s: float | None) -> None:
        raise NoSuchCommandError

    def journal(self, stream_id: str) -> Any:
        raise NoSuchCommandError


def requests(data: bytes) -> None:
    """Any request: an expected status, errors as JSON, and nothing starts without the key, by a page or a strange host."""
    lines = data.split(b"\n")
    method, path, *rest = [*lines, b"", b""]
    headers, body = [], b""
    for number, line in enumerate(rest):
        name, colon, value = line.partition(b":")
        if not colon:
            body = b"\n".join(rest[number:])
            break
        headers.append((name.strip().lower(), value.strip()))
    commands = _NoCommands()
    status, answer = asyncio.run(_ask(commands, method, path, headers, body))
    assert status in _EXPECTED, (status, answer)
    if status >= 400 and method != b"HEAD":
        assert json.loads(answer)["error"]["message"]
    given = dict(headers)
    if commands.started:
        assert given[b"x-api-key"] == KEY.encode()
        assert given[b"content-type"].lower().startswith(b"application/json")
        assert b"evil" not in given.get(b"host", b"evil")
        assert b"evil" not in given.get(b"origin", b"")
        assert given.get(b"sec-fetch-site") not in {b"cross-site", b"same-site"}


async def _ask(
    commands: Any, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, bytes]:
    gate, limits = Gate(KEY), Limits()
    server = RdevServer("p", commands, gate=gate, tickets=Tickets(60.0), limits=limits, version="0")
    raw_path, _, query = path.partition(b"?")
    scope: MutableMapping[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "", "state": {},
        "method": method.decode("latin-1"), "path": raw_path.decode("latin-1"), "raw_path": raw_path,
        "query_string": query, "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    status, answer = 0, b""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await server.asgi()(scope, receive, send)
    return status, answer


def bodies(data: bytes) -> None:
    """Any body of a start call: a command, or a refusal that says where it is wrong."""
    try:
        assert isinstance(command_of(data), str)
    except RefusalError as error:
        assert error.status_code == 400
        assert error.detail


TARGETS = {
    "requests": Target(
        requests,
        (b"POST\n", b"GET\n", b"DELETE\n", b"HEAD\n", b"/projects/p/shell\n", b"/projects/p/events?stream_id=x\n", b"/health\n",
         b"Host: localhost\n", b"Host: evil.example\n", b"X-API-Key: the-key\n", b"X-API-Key: the-kex\n", b"Origin: http://evil\n",
         b"Content-Type: application/json\n", b"Content-Type: text/plain\n", b"Sec-Fetch-Site: cross-site\n", b"Cookie: rdev-x=y\n",
         b'{"command":"x"}', b"Idempotency-Key: k\n", b"?grace_ms=9", b"/projects/../shell\n", b"%2e%2e", b"Last-Event-ID: 5\n", b"/", b"\xff"),
    ),
    "bodies": Target(bodies, (b'{"command":', b'"x"', b"}", b"[" * 100, b"9" * 5000, b"null", b"\xff", b"NaN", b'"\\ud800"', b" ", b",")),
}  # fmt: skip
