"""A watchman server of our own, and one subscription to a folder."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.stage import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def subscription(scratch: Path, folder: Path) -> Iterator[Callable[[], bytes]]:
    """Returns what reads the next message, one for each change, from a server that lives in `scratch`.

    It speaks over the server's socket, a line of JSON each way: the command line client (4.9) never prints what a
    subscription brings.
    """
    scratch.mkdir(mode=0o700)
    path = scratch / "sock"
    files = [f"--{name}={scratch / name}" for name in ("logfile", "statefile", "pidfile")]
    server = subprocess.Popen([program("watchman"), "--foreground", f"--sockname={path}", *files])
    try:
        with _connected(path) as client, client.makefile("rwb") as stream:
            wish = {"fields": ["name"], "expression": ["type", "f"]}
            for command in (["watch", str(folder)], ["subscribe", str(folder), "bench", wish]):
                stream.write(json.dumps(command).encode() + b"\n")
                stream.flush()
                answer = json.loads(stream.readline())
                if "error" in answer:
                    raise SystemExit(f"watchman: {answer['error']}")
            stream.readline()  # what is there already
            yield stream.readline
    finally:
        server.terminate()
        server.wait()


def _connected(path: Path) -> socket.socket:
    for _ in range(200):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
        except OSError:
            client.close()
            time.sleep(0.05)
        else:
            return client
    raise SystemExit("watchman did not come up")
