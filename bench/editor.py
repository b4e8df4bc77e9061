"""An editor that only measures: starts a daemon, frames and parses JSON-RPC, looks away or reads as it is told."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Editor:
    """One daemon. `folder` is its workspace; messages that come while something else is awaited are dropped."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.process = subprocess.Popen(
            argv,
            env=os.environ | dict(environ),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._to, self._source = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def initialize(self) -> None:
        """Say hello, as an editor that knows `rdev/*` and vouches for its workspace."""
        params = {
            "processId": os.getpid(),
            "rootUri": self._folder.as_uri(),
            "capabilities": {"experimental": {"rdev": {"version": 1}}},
            "initializationOptions": {"rdev": {"trusted": True}},
        }
        self.call("initialize", params)
        self.notify("initialized", {})

    def start(self, method: str, params: Any) -> int:
        """Send a request; its number."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        return self._number

    def call(self, method: str, params: Any) -> Any:
        """Send a request and wait for its result."""
        number = self.start(method, params)
        while (message := self.read()).get("id") != number or "method" in message:
            pass
        if "error" in message:
            raise SystemExit(f"{method}: {message['error']}")
        return message["result"]

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def read(self) -> dict[str, Any]:
        """The next message. Exits where the daemon is gone."""
        length = 0
        while (line := self._source.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise SystemExit("the daemon went away")
        message: dict[str, Any] = json.loads(self._source.read(length))
        return message

    def wait_for(self, method: str) -> Any:
        """The params of the next notification of that name."""
        while (message := self.read()).get("method") != method:
            pass
        return message["params"]

    def read_run(self) -> int:
        """Read until a run has finished; how many lines it had. Exits where they are not once and in order."""
        seen = 0
        while True:
            message = self.read()
            if message.get("method") == "rdev/output":
                params = message["params"]
                if params["seq"] != seen:
                    raise SystemExit(f"line {params['seq']} came where {seen} should have")
                seen += sum(len(chunk["lines"]) for chunk in params["chunks"])
            elif message.get("method") == "rdev/runFinished":
                return seen

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._to.flush()
