"""JSON-RPC 2.0 with LSP's rules of life, sans I/O: bodies in, bodies out through `send`.

It answers the gates itself (before `initialize`, after `shutdown`, unknown methods, bad messages), hands typed
params to handlers, and gives each of its own requests to the client a time limit. Nothing but the loop is async.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.core.shown import one_line
from rdev_bridge.editor.surrogates import made_whole
from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

_log = logging.getLogger(__name__)

# JSON-RPC 2.0, section 5.1, and LSP 3.17, "Response Message"
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800
REQUEST_FAILED = -32803

ASK_TIMEOUT_S = 10.0


class RpcError(Exception):
    """What a handler raises to answer with this very error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Unanswered(Exception):  # noqa: N818 (it is an outcome, not a fault)
    """The client answered a request with an error, or not within its time."""


class Phase(Enum):
    """Where the session stands (LSP, "Server lifecycle")."""

    NEW = auto()
    RUNNING = auto()
    SHUT_DOWN = auto()


@dataclass(frozen=True, slots=True)
class Method:
    """A method of ours. `params` is what msgspec converts the params to; `handle` may return an awaitable."""

    params: Any
    handle: Callable[[Any], Any]


class NoParams(msgspec.Struct):
    """A method that takes none; whatever comes is ignored, as JSON-RPC asks of unknown members."""


class _Message(msgspec.Struct):
    # Raw: ids are echoed byte for byte, params are decoded once the method is known.
    jsonrpc: Any = None
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: Any = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _CancelParams(msgspec.Struct):
    id: msgspec.Raw


def _decoded(body: bytes) -> _Message:
    try:
        return _decode_message(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = made_whole(body)
        if whole == body:
            raise
        return _decode_message(whole)


_decode_message = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode


class Peer:
    """One side of the conversation with one editor.

    `send(body)` must not block. `on_exit()` is called at `exit`. Handlers are looked up in `requests` and
    `notifications`; a sync request handler's answer leaves before anything that the handler set off.
    """

    def __init__(self, send: Callable[[bytes], None], on_exit: Callable[[], None]) -> None:
        self._send = send
        self._on_exit = on_exit
        self.phase = Phase.NEW
        self.requests: dict[str, Method] = {}
        self.notifications: dict[str, Method] = {"$/cancelRequest": Method(_CancelParams, self._cancel)}
        self._working: dict[bytes, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked: dict[bytes, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, body: bytes) -> None:
        """Take one message body in; never raises."""
        try:
            body.decode()  # raw params are decoded later, or never; what is no UTF-8 is no JSON (RFC 8259, 8.1)
            message = _decoded(body)
        except msgspec.ValidationError:
            self._refuse(b"null", INVALID_REQUEST, "a message is one JSON object (LSP has no batches)")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._refuse(b"null", PARSE_ERROR, f"not JSON: {error}")
        else:
            self._dispatch(message)

    def bad_frame(self, reason: str) -> None:
        """Answer bytes that were no frame."""
        self._refuse(b"null", PARSE_ERROR, reason)

    def _dispatch(self, message: _Message) -> None:
        raw_id = None if message.id is msgspec.UNSET else bytes(message.id)
        answered = message.result is not msgspec.UNSET or message.error is not msgspec.UNSET
        if message.method is msgspec.UNSET and answered:
            self._take_answer(raw_id, message)
        elif raw_id is not None and raw_id[:1] not in b'"-0123456789':
            self._refuse(b"null", INVALID_REQUEST, "the id of a message is a string or a number")
        elif message.jsonrpc != "2.0":
            self._refuse(raw_id or b"null", INVALID_REQUEST, 'a message says "jsonrpc": "2.0"')
        elif message.method is msgspec.UNSET:
            self._refuse(raw_id or b"null", INVALID_REQUEST, "a message has a method, a result or an error")
        elif not isinstance(message.method, str):
            self._refuse(raw_id or b"null", INVALID_REQUEST, "the method of a message is a string")
        elif raw_id is None:
            self._notified(message.method, message.params)
        else:
            self._requested(raw_id, message.method, message.params)

    def _requested(self, raw_id: bytes, method: str, params: msgspec.Raw | msgspec.UnsetType) -> None:
        known = self.requests.get(method)
        if self.phase is Phase.SHUT_DOWN:
            self._refuse(raw_id, INVALID_REQUEST, f"{method} after shutdown: only exit may follow")
        elif self.phase is Phase.NEW and method != "initialize":
            self._refuse(raw_id, SERVER_NOT_INITIALIZED, f"{method} before initialize")
        elif self.phase is Phase.RUNNING and method == "initialize":
            self._refuse(raw_id, INVALID_REQUEST, "initialize may be sent once")
        elif raw_id in self._working:
            self._refuse(raw_id, INVALID_REQUEST, "a request with this id is under way")
        elif method == "shutdown" or known is not None:
            self._work(raw_id, method, params, known)
        else:
            self._refuse(raw_id, METHOD_NOT_FOUND, f"there is no method {method}")

    def _work(self, raw_id: bytes, method: str, params: msgspec.Raw | msgspec.UnsetType, known: Method | None) -> None:
        try:
            result = known.handle(_typed(params, known.params)) if known else None
        except Exception as error:
            self._fail(raw_id, method, error)
            return
        if method == "initialize":
            self.phase = Phase.RUNNING
        elif method == "shutdown":
            self.phase = Phase.SHUT_DOWN
            for task in tuple(self._working.values()):
                _end_begun(task)
        if inspect.isawaitable(result):
            self._working[raw_id] = self.spawn(self._finish(raw_id, method, result))
        else:
            self._answer(raw_id, method, result)

    async def _finish(self, raw_id: bytes, method: str, work: Awaitable[Any]) -> None:
        try:
            result = await work
        except asyncio.CancelledError:
            self._refuse(raw_id, REQUEST_CANCELLED, f"{method} was cancelled")
        except Exception as error:
            self._fail(raw_id, method, error)
        else:
            self._answer(raw_id, method, result)
        finally:
            self._working.pop(raw_id, None)

    def _notified(self, method: str, params: msgspec.Raw | msgspec.UnsetType) -> None:
        if method == "exit":
            self._on_exit()
        elif self.phase is Phase.RUNNING and (known := self.notifications.get(method)) is not None:
            try:
                result = known.handle(_typed(params, known.params))
            except RpcError as error:
                _log.warning("the notification %s is passed over: %s", method, error)
            except Exception:
                _log.exception("the notification %s failed", method)
            else:
                if inspect.iscoroutine(result):
                    self.spawn(result)

    def _cancel(self, params: _CancelParams) -> None:
        task = self._working.get(bytes(params.id))
        if task is not None:
            _end_begun(task)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` in the background; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────

    def notify(self, method: str, params: Any) -> None:
        """Send a notification now, ahead of output that waits."""
        self._send(notification(method, params))

    async def ask(self, method: str, params: Any, timeout_s: float = ASK_TIMEOUT_S) -> Any:
        """The client's answer to a request of ours (plain JSON values; many clients answer null).

        Raises Unanswered where the client answers with an error or not at all: both happen with real editors.
        """
        raw_id = b'"rdev-%d"' % next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._asked[raw_id] = answer
        self._send(b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (raw_id, _encode(method), _encode(params)))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise Unanswered(f"the editor did not answer {method} within {timeout_s:g} s") from None
        finally:
            self._asked.pop(raw_id, None)

    def _take_answer(self, raw_id: bytes | None, message: _Message) -> None:
        waiting = self._asked.get(raw_id or b"null")
        if waiting is None or waiting.done():
            return  # nothing of ours, or answered after its time limit
        if message.error is not msgspec.UNSET and bytes(message.error) != b"null":
            waiting.set_exception(Unanswered(f"the editor refused: {bytes(message.error)[:200]!r}"))
        elif message.result is not msgspec.UNSET:
            waiting.set_result(msgspec.json.decode(message.result))
        else:
            waiting.set_result(None)

    def _answer(self, raw_id: bytes, method: str, result: Any) -> None:
        try:
            encoded = _encode(result)
        except (TypeError, ValueError, OverflowError) as error:
            self._fail(raw_id, method, error)
        else:
            self._send(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (raw_id, encoded))

    def _fail(self, raw_id: bytes, method: str, error: Exception) -> None:
        answer = rpc_error(error)
        if answer.code == INTERNAL_ERROR:
            _log.error("%s failed", method, exc_info=error)
        self._refuse(raw_id, answer.code, answer.message, answer.data)

    def _refuse(self, raw_id: bytes, code: int, message: str, data: Any = None) -> None:
        error = {"code": code, "message": one_line(message)} | ({} if data is None else {"data": data})
        self._send(b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, _encode(error)))


def _end_begun(task: asyncio.Task[None]) -> None:
    """Cancel it, but not before its first step: a task that never began answers nobody."""
    task.get_loop().call_soon(task.cancel)


def notification(method: str, params: Any) -> bytes:
    """The body of a notification."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (_encode(method), _encode(params))


def rpc_error(error: Exception) -> RpcError:
    """What a client is told of `error`: never a traceback, never the text of a fault of ours."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, UsageError):
        return RpcError(INVALID_PARAMS, str(error))
    if isinstance(error, RdevError):
        return RpcError(REQUEST_FAILED, str(error), {"reason": error.reason})
    return RpcError(INTERNAL_ERROR, "a fault in rdev-bridge; its log (stderr) has the details")


def _typed(params: msgspec.Raw | msgspec.UnsetType, wanted: Any) -> Any:
    """`params` as `wanted`, strictly: `17` is no string. Raises RpcError(-32602) that names the field."""
    raw = b"{}" if params is msgspec.UNSET or bytes(params) == b"null" else bytes(params)
    if wanted is NoParams:
        return None
    try:
        return msgspec.json.decode(raw, type=wanted)
    except msgspec.DecodeError as error:
        raise RpcError(INVALID_PARAMS, f"bad params: {str(error).replace('`$.', '`')}") from None
