"""The embedded server by itself."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.contest import Contestant, compete
from bench.memory import resident_kb
from bench.report import Goal, Report, median_of, race, rows
from bench.stage import PEERS, wait_until

if TYPE_CHECKING:
    from bench.stage import Server, Stage

LINES = 1_000_000
STREAMS = 1000


def server(stage: Stage, rounds: int) -> Report:
    """A million lines out of it, against websocketd."""
    command = ["seq", "1", str(LINES)]
    contestants = []
    for bridge in stage.bridges:
        own = stage.workspace_server(bridge)
        argv = ["sh", PEERS / "with_curl.sh", *own.words, " ".join(command)]
        contestants.append(Contestant(f"{bridge.name} to curl -N", argv, servers=[own.pid]))
    port, pid = stage.websocketd(command)
    argv = [sys.executable, PEERS / "websocket_reader.py", str(port)]
    contestants.append(Contestant("websocketd to a socket", argv, servers=[pid], every=2))
    compete(contestants, rounds)
    ratio = median_of(contestants, "websocketd to a socket") / median_of(contestants, "rdev-bridge to curl -N")
    return Report(
        "The server alone",
        f"`{' '.join(command)}`, each line an event or a message; both readers only copy bytes.",
        race(contestants, "rdev-bridge to curl -N"),
        [Goal("websocketd takes so many times as long", ratio, 10.0, at_least=True)],
    )


def idle(stage: Stage, rounds: int) -> Report:
    """Streams on which nothing happens."""
    del rounds
    body, goals = [], []
    for bridge in stage.bridges:
        own = stage.serve(bridge, "--limit", f"streams={STREAMS * 2}")
        stream_id = _start(own, "exec sleep 3600")
        _close(_open(own, stream_id, 10))
        before_kb = resident_kb(own.pid)
        streams = _open(own, stream_id, STREAMS)
        each_kb = (resident_kb(own.pid) - before_kb) / STREAMS
        _close(streams)
        body.append([bridge.name, f"{before_kb / 1024:.1f} MB", f"{each_kb:.1f} KB"])
        if bridge is stage.bridge:
            goals = [Goal("each stream", each_kb, 25.0, "KB")]
    return Report(
        f"{STREAMS} idle streams",
        "All of one command that says nothing; memory of the server alone, the kernel's buffers not counted.",
        rows(["", "without", "each stream"], body),
        goals,
    )


def _start(own: Server, command: str) -> str:
    import json
    from urllib.request import Request, urlopen

    headers = {"X-API-Key": own.key, "Content-Type": "application/json"}
    call = Request(f"{own.url}/projects/{own.project}/shell", json.dumps({"command": command}).encode(), headers)
    with urlopen(call, timeout=30) as answer:
        stream_id: str = json.load(answer)["data"]["id"]
        return stream_id


def _open(own: Server, stream_id: str, count: int) -> list[socket.socket]:
    place = urlsplit(own.url)
    request = (
        f"GET /projects/{own.project}/events?stream_id={stream_id} HTTP/1.1\r\n"
        f"Host: {place.netloc}\r\nX-API-Key: {own.key}\r\n\r\n"
    ).encode()
    streams = []
    for _ in range(count):
        stream = socket.create_connection((place.hostname or "", place.port or 0), timeout=30)
        stream.sendall(request)
        streams.append(stream)
    for stream in streams:
        seen = b""

        def connected(stream: socket.socket = stream) -> bool:
            nonlocal seen
            seen += stream.recv(4096)
            return b"event: connected" in seen

        wait_until(connected, "an open stream")
    return streams


def _close(streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.close()
