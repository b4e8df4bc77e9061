"""An editor that only counts: starts a daemon, runs a command, parses every frame, prints the seconds it took.

`python -m bench.peers.lsp_reader LINES -- COMMAND… -- DAEMON…`: LINES must arrive, once and in order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any


def main(words: list[str]) -> None:
    lines, first, rest = int(words[0]), words.index("--"), words[1:]
    second = rest.index("--", first)
    command, daemon = rest[first:second], rest[second + 1 :]
    with subprocess.Popen(daemon, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(_measure(process.stdin, process.stdout, " ".join(command), lines))
        process.kill()


def _measure(to: IO[bytes], source: IO[bytes], command: str, lines: int) -> float:
    capabilities = {"experimental": {"rdev": {"version": 1}}}
    folder = Path.cwd().as_uri()
    _send(to, "initialize", {"processId": os.getpid(), "rootUri": folder, "capabilities": capabilities}, 1)
    while _read(source).get("id") != 1:
        pass
    _send(to, "initialized", {})
    _send(to, "rdev/run", {"command": "true"}, 2)  # a first run, so that no import is measured
    _until_finished(source)
    began = time.perf_counter()
    _send(to, "rdev/run", {"command": command}, 3)
    seen = _until_finished(source)
    if seen != lines:
        raise SystemExit(f"{seen} lines arrived instead of {lines}")
    return time.perf_counter() - began


def _until_finished(source: IO[bytes]) -> int:
    seen = 0
    while True:
        message = _read(source)
        if message.get("method") == "rdev/output":
            params = message["params"]
            if params["seq"] != seen:
                raise SystemExit(f"line {params['seq']} came where {seen} should have")
            seen += sum(len(chunk["lines"]) for chunk in params["chunks"])
        elif message.get("method") == "rdev/runFinished":
            return seen


def _send(to: IO[bytes], method: str, params: Any, request_id: int | None = None) -> None:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    body = json.dumps(message | ({} if request_id is None else {"id": request_id})).encode()
    to.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    to.flush()


def _read(source: IO[bytes]) -> dict[str, Any]:
    length = 0
    while (line := source.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not length:
        raise SystemExit("the daemon went away")
    message: dict[str, Any] = json.loads(source.read(length))
    return message


if __name__ == "__main__":
    main(sys.argv[1:])
