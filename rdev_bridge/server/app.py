"""The routes. What a request may do is decided in `security`, what it does in `commands`."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rdev_bridge.server.commands import CannotStartError, KeyReusedError, NoSuchCommandError, TooManyRunningError
from rdev_bridge.server.journal import Entry
from rdev_bridge.server.stream import EventStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from rdev_bridge.server.commands import Commands
    from rdev_bridge.server.limits import Limits
    from rdev_bridge.server.security import Gate, Ticket, Tickets

FEATURES = "cancel, idempotency, lines"
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MOST_MS = 60_000


class RefusalError(HTTPException):
    """An answer that ends the request: a status and a message that says what to do."""


class RdevServer:
    """One project over HTTP."""

    def __init__(
        self, project: str, commands: Commands, *, gate: Gate, tickets: Tickets, limits: Limits, version: str
    ) -> None:
        self._project = project
        self._commands = commands
        self._gate = gate
        self._tickets = tickets
        self._limits = limits
        self._version = version
        self.streams = 0
        """How many are open now."""

    def asgi(self) -> ASGIApp:
        """The application."""
        app = Starlette(
            routes=[
                Route("/projects/{project}/shell", self._start, methods=["POST"]),
                Route("/projects/{project}/shell/{stream_id}", self._cancel, methods=["DELETE"]),
                Route("/projects/{project}/events", self._events, methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refused, Exception: _failed},
        )
        app.router.redirect_slashes = False
        return Guard(app, self._gate, self._limits.head_bytes)

    async def _start(self, request: Request) -> Response:
        self._check_caller(request)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise _refusal(415, "send the command as application/json")
        key = request.headers.get("idempotency-key")
        if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
            raise _refusal(400, "an Idempotency-Key is 1 to 255 visible ASCII characters")
        body = await self._body(request)
        command = command_of(body)
        try:
            stream_id = await self._commands.start(command, key, body)
        except KeyReusedError:
            raise _refusal(409, "this Idempotency-Key was used for another command; take a new one") from None
        except TooManyRunningError:
            message = f"{self._limits.running} commands are running, which is all this server allows; try again later"
            raise _refusal(429, message, {"Retry-After": "1"}) from None
        except CannotStartError as error:
            raise _refusal(400 if error.users_fault else 500, str(error)) from error
        response = JSONResponse({"data": {"id": stream_id}}, 201, {"Rdev-Features": FEATURES})
        response.set_cookie(
            self._tickets.cookie_name(stream_id),
            self._tickets.issue(stream_id, time.monotonic()),
            path=f"/projects/{self._project}/events",
            httponly=True,
            samesite="strict",
        )
        return response

    async def _events(self, request: Request) -> Response | EventStream:
        stream_id = request.query_params.get("stream_id", "")
        now_s = time.monotonic()
        ticket = self._tickets.holder(stream_id, request.cookies, now_s)
        self._check_caller(request, ticket)
        if not stream_id:
            raise _refusal(400, "say which stream: ?stream_id=...")
        journal = self._journal(stream_id)
        seen = request.headers.get("last-event-id")
        entry = journal.entry(seen)
        if seen and journal.ended and entry == Entry(journal.end):
            return Response(status_code=204)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self.streams >= self._limits.streams:
            message = f"{self._limits.streams} streams are open, which is all this server allows; try again later"
            raise _refusal(503, message, {"Retry-After": "1"})
        self.streams += 1
        if ticket is not None:
            self._tickets.opened(ticket)

        def closed() -> None:
            self.streams -= 1
            if ticket is not None:
                self._tickets.closed(ticket, time.monotonic())

        as_stored = "lines" in names_in(request.headers.get("rdev-features", ""))
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            (b"x-content-type-options", b"nosniff"),
        ]
        for name in self._tickets.dead_cookies(request.cookies, now_s):
            dropped = f"{name}=; Path=/projects/{self._project}/events; Max-Age=0; HttpOnly; SameSite=Strict"
            headers.append((b"set-cookie", dropped.encode()))
        if as_stored:
            headers.append((b"rdev-features", b"lines"))
        return EventStream(
            stream_id, journal, entry, as_stored=as_stored, limits=self._limits, headers=headers, on_close=closed
        )

    async def _cancel(self, request: Request) -> Response:
        self._check_caller(request)
        grace_s, wait_s = _seconds(request, "grace_ms"), _seconds(request, "wait_ms")
        stream_id = request.path_params["stream_id"]
        try:
            ended = self._commands.cancel(stream_id, grace_s)
        except NoSuchCommandError:
            raise _no_such_command(stream_id) from None
        if wait_s is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await ended.wait()
                return JSONResponse({"data": {"id": stream_id, "ended": True}}, 200)
        return JSONResponse({"data": {"id": stream_id}}, 202)

    async def _health(self, request: Request) -> Response:
        del request
        facts = {"status": "ok", "version": self._version, "features": FEATURES.split(", ")}
        return JSONResponse({"data": facts}, headers={"Rdev-Features": FEATURES})

    def _check_caller(self, request: Request, ticket: Ticket | None = None) -> None:
        if ticket is None and not self._gate.knows_key(request.headers.get("x-api-key")):
            raise _refusal(401, "this server needs its key in the X-API-Key header, and this one is missing or wrong")
        if request.path_params["project"] != self._project:
            raise _refusal(404, f"this server has no such project; it serves {self._project}")

    def _journal(self, stream_id: str) -> Any:
        try:
            return self._commands.journal(stream_id)
        except NoSuchCommandError:
            raise _no_such_command(stream_id) from None

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for piece in request.stream():
                    body += piece
                    if len(body) > self._limits.body_bytes:
                        raise _refusal(413, f"a start call holds at most {self._limits.body_bytes} bytes")
        except TimeoutError:
            raise _refusal(408, "the request's body did not come in time") from None
        except ClientDisconnect:
            raise _refusal(400, "the request's body ended early") from None
        return bytes(body)


class Guard:
    """Before every route: is the head small, does it name this server, and did no foreign page send it?"""

    def __init__(self, app: ASGIApp, gate: Gate, head_bytes: int) -> None:
        self._app = app
        self._gate = gate
        self._head_bytes = head_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request = Request(scope)
        answer: ASGIApp = self._app
        head = [scope["raw_path"], scope["query_string"], *(part for header in scope["headers"] for part in header)]
        if sum(map(len, head)) > self._head_bytes:  # uvicorn counts only what comes in several reads
            answer = _error(431, f"a request's head holds at most {self._head_bytes} bytes")
        elif not self._gate.serves_host(request.headers.get("host")):
            answer = _error(403, "this server is not known by that Host name; see `serve --allow-host`")
        elif not self._gate.allows_page(request.headers):
            answer = _error(403, "a page of another origin may not use this server; see `serve --allow-origin`")
        await answer(scope, receive, send)


def _seconds(request: Request, name: str) -> float | None:
    """A parameter in milliseconds. Raises RefusalError."""
    value = request.query_params.get(name)
    if value is not None and not (re.fullmatch(r"[0-9]{1,5}", value) and int(value) <= _MOST_MS):
        raise _refusal(400, f"{name} is a number of milliseconds up to {_MOST_MS}")
    return None if value is None else int(value) / 1000


def names_in(header: str) -> set[str]:
    """A header's list of names."""
    return {name.strip().lower() for name in header.split(",")}


def command_of(body: bytes) -> str:
    """The command of a start call. Raises RefusalError that says where the body is wrong."""
    try:
        call = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refusal(400, f"the body is not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        message = f"the body is not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        raise _refusal(400, message) from None
    except (RecursionError, ValueError):
        raise _refusal(400, "the body is JSON beyond any bounds (line 1, column 1)") from None
    if not isinstance(call, dict) or not isinstance(call.get("command"), str):
        raise _refusal(400, 'the body must be a JSON object with a string "command"')
    command: str = call["command"]
    return command


def _refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> RefusalError:
    return RefusalError(status, message, dict(headers or {}))


def _no_such_command(stream_id: str) -> RefusalError:
    return _refusal(404, f"there is no stream {stream_id[:64]!r}; it never was, or was forgotten after its time")


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    # A body that nobody read may still be on its way, so the connection cannot be used again.
    return JSONResponse({"error": {"message": message}}, status, {**(headers or {}), "Connection": "close"})


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    del request, error
    return _error(500, "the server failed; its log on stderr says why")
