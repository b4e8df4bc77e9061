"""The calls of the rdev API that are answered at once: start, and on a server of ours, cancel and health."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import msgspec
from msgspec.structs import replace

from rdev_bridge.core.resume import Wait, retry_after_s
from rdev_bridge.core.shown import one_line
from rdev_bridge.errors import RdevError
from rdev_bridge.remote.events import read_error
from rdev_bridge.remote.http import Remainders, call_url, read_bounded
from rdev_bridge.remote.unreachable import failure, was_not_sent, was_refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rdev_bridge.remote.unreachable import Whereabouts

START_RETRY_S = 30.0
_TRY_AGAIN = frozenset({429, 503})
_GATEWAYS_WORD = frozenset({502, 504, *range(520, 600)})
"""Said by what stands before the server: it lost sight of a call that may have arrived. Those from 520 on are no
standard, but in use.
"""
_MOST_GRACE_MS = 60_000


async def pause(wait: Wait) -> None:
    """The plain way to wait before the next try; a caller with more to say or to heed brings its own."""
    await asyncio.sleep(wait.delay_s)


class AnswerLostError(RdevError):
    """The server may have got the start call, but its answer never arrived: the command may be running."""


class _Data(msgspec.Struct):
    id: str | int


class _Answer(msgspec.Struct):
    data: _Data


class _Fate(msgspec.Struct):
    ended: bool = False


class _Ended(msgspec.Struct):
    data: _Fate


class Started(msgspec.Struct, frozen=True):
    """The answer to a start call. `features` are the additions that the server says it has."""

    stream_id: str
    features: frozenset[str]


class Api:
    """One project on one server, reached by `client`, whose headers carry the key. `whereabouts` is for messages."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        origin: httpx.URL,
        project: str,
        jitter: Callable[[], float],
        whereabouts: Whereabouts,
    ) -> None:
        self.client = client
        self.whereabouts = whereabouts
        self.remainders = Remainders()
        self.unanswered: set[str] = set()
        """Keys of the start calls that went out and that nothing is known of yet."""
        self._origin = origin
        self._project = project
        self._jitter = jitter

    async def aclose(self) -> None:
        """Close all connections."""
        await self.remainders.aclose()
        await self.client.aclose()

    def events_url(self, stream_id: str) -> httpx.URL:
        """Where the stream of a command is."""
        return call_url(self._origin, self._project, "events", stream_id=stream_id)

    async def start(self, text: str, idempotency_key: str, pause: Callable[[Wait], Awaitable[None]] = pause) -> Started:
        """Start `text`. Tried again on 429, 503 and a refused connection alone, for START_RETRY_S at most.

        `pause` is awaited before each new try; what it raises ends the start call, and nothing was started then.
        Raises AnswerLostError where the command may have been started, RdevError where it surely was not.
        """
        url = call_url(self._origin, self._project, "shell")
        body = msgspec.json.encode({"command": text})
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": idempotency_key}
        deadline_s = time.monotonic() + START_RETRY_S
        attempt = 0
        while True:
            attempt += 1
            delay_s: float | None = None
            try:
                response, answer = await self._call("POST", url, headers, body, idempotency_key)
            except (httpx.HTTPError, OSError) as error:
                found = failure(error, self.whereabouts)
                if not was_not_sent(error):
                    what = f"{found.what} after the command was sent; whether it was started is not known"
                    raise AnswerLostError(what, reason="answerLost") from None
                problem, why = found.error("nothing was started"), found.what
                if not was_refused(error):
                    raise problem from None
            except RdevError as error:
                raise AnswerLostError(str(error), reason="badAnswer") from None
            else:
                if response.status_code not in _TRY_AGAIN:
                    started = _started(response, answer, self.whereabouts, self._project)
                    self.unanswered.discard(idempotency_key)
                    return started
                self.unanswered.discard(idempotency_key)
                delay_s = retry_after_s(response.headers.get("retry-after"))
                problem = _refusal(response, answer, self.whereabouts, self._project)
                why = str(problem)
            backoff_s = min(0.25 * 2.0 ** min(attempt - 1, 10), 5.0) * (0.5 + self._jitter() / 2)
            wait_s = max(delay_s or 0.0, backoff_s)
            if time.monotonic() + wait_s > deadline_s:
                raise problem
            await pause(Wait(wait_s, attempt, why, reached=problem.reason != "unreachable"))

    async def delete(self, stream_id: str, grace_s: float, wait_s: float) -> tuple[int, bool]:
        """Ask a server of ours to end a command; the status of its answer, and whether that says that it is dead.

        The answer may take `wait_s`, up to half a minute, so that it can say so. Raises RdevError.
        """
        query = {
            "grace_ms": str(min(max(0, round(grace_s * 1000)), _MOST_GRACE_MS)),
            "wait_ms": str(round(wait_s * 1000)),
        }
        url = call_url(self._origin, self._project, "shell", stream_id, **query)
        try:
            response, answer = await self._call("DELETE", url, {}, b"")
        except (httpx.HTTPError, OSError) as error:
            found = failure(error, self.whereabouts)
            raise replace(found, what=f"cannot cancel: {found.what}").error() from None
        try:
            ended = msgspec.json.decode(answer, type=_Ended).data.ended
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            ended = False
        return response.status_code, ended

    async def _call(
        self, method: str, url: httpx.URL, headers: dict[str, str], body: bytes, key: str | None = None
    ) -> tuple[httpx.Response, bytes]:
        async def trace(event: str, _: object) -> None:
            if key is not None and event.endswith("send_request_headers.started"):
                self.unanswered.add(key)

        request = self.client.build_request(method, url, headers=headers, content=body, extensions={"trace": trace})
        response = await self.client.send(request, stream=True)
        try:
            return response, await read_bounded(response)
        finally:
            await response.aclose()


def _started(response: httpx.Response, answer: bytes, server: Whereabouts, project: str) -> Started:
    if response.status_code in _GATEWAYS_WORD:
        said = _said(answer)
        text = f"a gateway before {server.name} answers {response.status_code}{f' ({said})' if said else ''}"
        raise AnswerLostError(f"{text}; whether the command was started is not known", reason="answerLost")
    if not 200 <= response.status_code < 300:
        raise _refusal(response, answer, server, project)
    try:
        stream_id = msgspec.json.decode(answer, type=_Answer).data.id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        stream_id = ""
    if stream_id == "":
        raise AnswerLostError(
            f"{server.name} took the command but its answer holds no stream id",
            reason="badAnswer",
            advice=f"is it an rdev server? Check {server.setting}",
        )
    features = response.headers.get("rdev-features", "")
    return Started(str(stream_id), frozenset(word.strip().lower() for word in features.split(",")))


def _refusal(response: httpx.Response, answer: bytes, server: Whereabouts, project: str) -> RdevError:
    status, name, login = response.status_code, server.name, f"`{server.login}`"
    match status:
        case _ if 300 <= status < 400:
            what = f"{name} sends us elsewhere, where the key must not go"
            advice = f"check {server.setting}"
        case 401 if "x-api-key" in response.request.headers:
            what, advice = f"{name} refuses the key", f"{login} stores a new one, or set RDEV_API_KEY"
        case 401:
            what, advice = f"{name} needs a key", f"{login} stores one, or set RDEV_API_KEY"
        case 403:
            what = f"the key may not start commands in the project {project} of {name}"
            advice = "ask who runs the server"
        case 404:
            what = f"{name} knows no project {project}"
            advice = f"check the project's id and {server.setting}"
        case _ if status in _TRY_AGAIN or status >= 500:
            what, advice = f"{name} cannot take the command now", "try again later"
        case _:
            what, advice = f"{name} refuses the command", "ask who runs it"
    said = _said(answer)
    text = f"{what} (status {status}{f': {said}' if said else ''})"
    return RdevError(text, reason="refused", advice=advice)


def _said(answer: bytes) -> str:
    """The message of `{"error": {"message"}}`, made harmless for a terminal."""
    try:
        error = msgspec.json.decode(answer).get("error")
        text = read_error(msgspec.json.encode(error).decode()) if isinstance(error, dict) else str(error or "")
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, RecursionError):
        return ""
    return one_line(text[:300])
