"""An editor of our own: it starts the real daemon, speaks framing, and lets no message go unclaimed."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lsprotocol import converters, types

from tests.editor.declared import Declared
from tests.support.wait import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CONVERTER = converters.get_converter()


class Refused(Exception):  # noqa: N818
    """The daemon answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code, self.data = error["code"], error.get("data")


def framed(message: Any) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Editor:
    """One `rdev-bridge lsp` and what came from it; a message that uses what was not declared fails the test.

    `answers` says what this editor replies to the daemon's requests: a value, an exception to answer with an error, or
    `SILENCE`. Methods in `ignored` may stay unclaimed at the end; all else fails the test.
    """

    SILENCE = object()

    def __init__(
        self,
        folder: Path | None = None,
        *,
        answers: dict[str, Any] | None = None,
        ignored: Iterable[str] = (),
        environ: dict[str, str] | None = None,
        reading: bool = True,
    ) -> None:
        self.folder = folder
        self.answers = answers or {}
        self.ignored = set(ignored)
        self._ids = iter(range(1, 1_000_000))
        self._inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._waiting: deque[dict[str, Any]] = deque()
        self._methods: dict[int, str] = {}
        self.asked: list[dict[str, Any]] = []
        self._declared = Declared({})
        self._undeclared: list[str] = []
        self._may_read = threading.Event()
        if reading:
            self._may_read.set()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rdev_bridge", "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
                **(environ or {}),
            },
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    # ── what an editor does ──

    def initialize(self, **params: Any) -> dict[str, Any]:
        folder = {} if self.folder is None else {"rootUri": self.folder.as_uri()}
        result = self.call("initialize", {"processId": None, "capabilities": {}, **folder, **params})
        self.notify("initialized", {})
        return result

    def start(self, method: str, params: Any = None) -> int:
        number = next(self._ids)
        self._methods[number] = method
        if method == "initialize":
            self._declared = Declared(params if isinstance(params, dict) else {})
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def call(self, method: str, params: Any = None) -> Any:
        return self.answer_to(self.start(method, params))

    def answer_to(self, number: int) -> Any:
        message = self.take(lambda message: message.get("id") == number and "method" not in message)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def execute(self, command: str, *arguments: Any) -> Any:
        return self.call("workspace/executeCommand", {"command": command, "arguments": list(arguments)})

    def notify(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: Any) -> None:
        self.send_bytes(framed(message))

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def expect(self, method: str, **having: Any) -> Any:
        """The params of the next `method`; `having` are values that its params must hold."""
        return self.take(
            lambda message: (
                message.get("method") == method
                and all(message["params"].get(key) == value for key, value in having.items())
            )
        )["params"]

    def take(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The first message that is wanted; the others keep their places."""
        for message in self._waiting:
            if wanted(message):
                self._waiting.remove(message)
                return message
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                message = self._inbox.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not within {timeout_s} s; unclaimed: {list(self._waiting)[:20]}") from None
            if message is None:
                self._inbox.put(None)
                raise AssertionError(f"the daemon has ended; unclaimed: {list(self._waiting)[:20]}")
            if wanted(message):
                return message
            self._waiting.append(message)

    def seen(self, method: str) -> list[Any]:
        """The params of every unclaimed `method` so far, claimed now."""
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                break
            if message is None:
                self._inbox.put(None)
                break
            self._waiting.append(message)
        found = [message for message in self._waiting if message.get("method") == method]
        for message in found:
            self._waiting.remove(message)
        return [message["params"] for message in found]

    def rest(self) -> list[dict[str, Any]]:
        """Everything that is still unclaimed of a daemon that has ended, claimed now."""
        self.process.wait(PATIENCE_S)
        self._thread.join(PATIENCE_S)
        while (message := self._inbox.get_nowait()) is not None:
            self._waiting.append(message)
        self._inbox.put(None)
        left = list(self._waiting)
        self._waiting.clear()
        return left

    def output_of(self, run_id: str) -> tuple[list[str], list[str], dict[str, Any]]:
        """All lines of a run (stdout, stderr) and the run at its end; checks that `seq` counts without a break."""
        lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        seq = 0
        while True:
            message = self.take(
                lambda message: (
                    (message.get("method") == "rdev/output" and message["params"]["runId"] == run_id)
                    or (message.get("method") == "rdev/runFinished" and message["params"]["run"]["runId"] == run_id)
                )
            )
            if message["method"] == "rdev/runFinished":
                return lines["stdout"], lines["stderr"], message["params"]["run"]
            assert message["params"]["seq"] == seq, "each notification starts where the last ended"
            for chunk in message["params"]["chunks"]:
                lines[chunk["stream"]] += chunk["lines"]
                seq += len(chunk["lines"])

    def read_on(self) -> None:
        """Begin to read, for an editor made with `reading=False`."""
        self._may_read.set()

    # ── its end ──

    def leave(self) -> int:
        """Shut down as LSP asks; the exit code."""
        self.call("shutdown")
        self.notify("exit", None)
        return self.ended()

    def ended(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit code; fails where a message was never claimed."""
        code = self.process.wait(timeout_s)
        self._may_read.set()
        self._thread.join(timeout_s)
        self._check_unclaimed()
        return code

    def _check_unclaimed(self) -> None:
        while (message := self._inbox.get_nowait()) is not None:
            self._waiting.append(message)
        self._inbox.put(None)
        left = [message for message in self._waiting if message.get("method") not in self.ignored]
        assert not left, f"unclaimed: {left[:5]}"
        assert not self._undeclared, f"more than this client declared: {self._undeclared[:5]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._may_read.set()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            if self.process.poll() is None and kind is None:
                assert self.leave() == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self._thread.join(PATIENCE_S)
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.stdout.close()

    # ── what comes in ──

    def _read(self) -> None:
        pipe = self.process.stdout
        assert pipe is not None
        self._may_read.wait()
        try:
            while header := pipe.readline():
                name, _, value = header.partition(b":")
                assert name == b"Content-Length", header
                assert pipe.readline() == b"\r\n"
                body = pipe.read(int(value))
                if len(body) < int(value):
                    break  # cut off: the daemon was killed
                self._received(json.loads(body))
        except ValueError:
            pass  # the test closed the pipe
        self._inbox.put(None)

    def _received(self, message: dict[str, Any]) -> None:
        method = message.get("method", self._methods.get(message.get("id", -1)))
        check_against_lsp(message, method)
        self._undeclared += self._declared.complaints(message, method)
        if "method" in message and "id" in message:
            self.asked.append(message)
            answer = self.answers.get(message["method"])
            if isinstance(answer, Exception):
                self._reply(message["id"], {"error": {"code": -32603, "message": str(answer)}})
            elif answer is not self.SILENCE:
                self._reply(message["id"], {"result": answer(message["params"]) if callable(answer) else answer})
        else:
            self._inbox.put(message)

    def _reply(self, number: Any, answer: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.send({"jsonrpc": "2.0", "id": number, **answer})


def check_against_lsp(message: dict[str, Any], method: str | None) -> None:
    """Structure `message` with LSP's own types, so that a wrong shape fails the test."""
    known = types.METHOD_TO_TYPES.get(method or "")
    if known is None or "error" in message:
        return
    kind = known[0] if "method" in message else known[1]
    if kind is not None:
        _CONVERTER.structure(message, kind)
