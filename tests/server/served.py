"""A real `rdev-bridge serve`, and the wire read as strictly as the contract writes it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 60.0
_EVENT = re.compile(rb"event: (\w+)\ndata: ([^\n]*)\n(?:id: ([0-9]+)\n)?\Z")


@dataclass(frozen=True)
class Event:
    name: str
    data: dict[str, Any]
    id: str | None


def parse(stream: bytes) -> list[Event]:
    """The events of a whole stream; asserts the form that the contract promises to all five clients."""
    assert stream.endswith(b"\n\n"), f"ends in the middle of an event: {stream[-80:]!r}"
    events = []
    for block in stream[:-2].split(b"\n\n"):
        found = _EVENT.match(block + b"\n")
        assert found, f"not as promised: {block[:200]!r}"
        assert all(len(line) < 65536 for line in block.split(b"\n"))
        name = found[1].decode()
        assert (found[3] is not None) == (name in {"output", "complete", "error"}), block[:200]
        events.append(Event(name, json.loads(found[2]), found[3] and found[3].decode()))
    return events


def text_of(events: list[Event], stream: str) -> str:
    """The output of one pipe, as the process wrote it."""
    return "".join(
        event.data["line"] + ("" if event.data.get("partial") else "\n")
        for event in events
        if event.name == "output" and event.data["stream"] == stream
    )


def after(stream: bytes, event_id: str | None) -> bytes:
    """What follows the event of that id, which is there once."""
    mark = f"\nid: {event_id}\n\n".encode()
    assert stream.count(mark) == 1
    return stream.partition(mark)[2]


class Served:
    """One server process. `key` is what it was started with or made."""

    def __init__(self, root: Path, state: Path, *args: str, key: str | None = "test-key", **environ: str) -> None:
        self.root, self.state = root, state
        given = {} if key is None else {"RDEV_API_KEY": key}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "rdev_bridge", "serve", str(root)),
                *("--project", "p", "--port", "0", "--state-dir", str(state), *args),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **given, **environ},
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if not first:
            assert self.process.stderr is not None
            message = self.process.stderr.read()
            self.process.wait()
            raise AssertionError(f"the server did not start: {message}")
        self.said = json.loads(first)
        self.url: str = self.said["url"]
        self.port = int(self.url.rpartition(":")[2])
        self.key = (state / "key").read_text().strip() if key is None else key
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-API-Key"] = self.key

    @property
    def project_url(self) -> str:
        return f"{self.url}/projects/p"

    def post(self, body: bytes | str, **headers: str) -> requests.Response:
        head = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.session.post(f"{self.project_url}/shell", data=body, headers=head, timeout=WAIT_S)

    def start(self, command: str, **headers: str) -> str:
        answer = self.post(json.dumps({"command": command}), **headers)
        assert answer.status_code == 201, answer.text
        stream_id: str = answer.json()["data"]["id"]
        return stream_id

    def open(self, stream_id: str, last_event_id: str | None = None, **headers: str) -> requests.Response:
        """The answer of the events call, its body unread."""
        head = dict(headers)
        if last_event_id is not None:
            head["Last-Event-ID"] = last_event_id
        return self.session.get(
            f"{self.project_url}/events", params={"stream_id": stream_id}, headers=head, stream=True, timeout=WAIT_S
        )

    def status(self, stream_id: str, last_event_id: str | None = None) -> int:
        """What the events call answers; the stream is left at once."""
        with self.open(stream_id, last_event_id) as answer:
            return answer.status_code

    def read(self, stream_id: str, last_event_id: str | None = None) -> bytes:
        """The whole stream to its end."""
        with self.open(stream_id, last_event_id) as answer:
            assert answer.status_code == 200, answer.text
            return answer.content

    def run(self, command: str) -> list[Event]:
        return parse(self.read(self.start(command)))

    def cancel(self, stream_id: str, **query: str) -> requests.Response:
        return self.session.delete(f"{self.project_url}/shell/{stream_id}", params=query, timeout=WAIT_S)

    def close(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the server; its exit code."""
        self.session.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(WAIT_S)
        finally:
            for pipe in (self.process.stdout, self.process.stderr):
                assert pipe is not None
                pipe.close()


@contextmanager
def serving(root: Path, state: Path, *args: str, key: str | None = "test-key", **environ: str) -> Iterator[Served]:
    server = Served(root, state, *args, key=key, **environ)
    try:
        yield server
    finally:
        server.close()


def rss_bytes(pid: int) -> int:
    """The most memory that a process has ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def next_event(stream: Iterator[bytes]) -> Event:
    """The next event of an open stream, byte by byte so that nothing is read ahead."""
    block = b""
    while not block.endswith(b"\n\n"):
        block += next(stream)
    return parse(block)[0]
