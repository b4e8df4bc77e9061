"""A real stream of thousands of mixed lines, cut at every byte of it, through bridge and daemon to the editor."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.editor.test_exact_output import KEY, SCRIPT, serving
from tests.faults.cuts import Payload
from tests.faults.every_byte import EveryByte, Recording
from tests.faults.proxy import FaultProxy
from tests.soak.figures import Figures
from tests.soak.reader import Expected, Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT_ONCE = 40
DAEMONS = 2
KINDS = ["", "x", "\x1b[31mred\x1b[0m", '"q" \\', "\tt\rr", "é日😀", "data: x", "id: 1", "}"]


def mixed(count: int) -> list[tuple[str, str]]:
    dice = random.Random(5)
    return [
        (dice.choice(["stdout", "stdout", "stderr"]), dice.choice(KINDS) + (str(n) if n % 3 else ""))
        for n in range(count)
    ]


def record(port: int, project: str, command: str) -> tuple[bytes, bytes]:
    """Run `command` to its end; the answer to its start call, and its stream, both raw."""
    url, headers = f"http://127.0.0.1:{port}/projects/{project}", {"X-API-Key": KEY}
    started = requests.post(f"{url}/shell", json={"command": command}, headers=headers, timeout=30)
    stream_id = started.json()["data"]["id"]
    requests.get(f"{url}/events?stream_id={stream_id}", headers=headers, timeout=60).raise_for_status()
    with socket.create_connection(("127.0.0.1", port)) as reader:
        head = f"GET /projects/{project}/events?stream_id={stream_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        # As the bridge will ask for it, so that what is cut is what the bridge reads.
        reader.sendall(f"{head}X-API-Key: {KEY}\r\nRdev-Features: lines\r\nConnection: close\r\n\r\n".encode())
        response = b""
        while data := reader.recv(1 << 16):
            response += data
    answer = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nRdev-Features: cancel\r\n"
    return answer + b"Content-Length: %d\r\n\r\n%b" % (len(started.content), started.content), response


def said_in(response: bytes) -> list[tuple[str, str]]:
    """The output of a recorded stream, in its order, read as plainly as can be."""
    stream = b"".join(part for _, part in Payload().parts(response))
    payloads = [line.removeprefix(b"data: ") for line in stream.split(b"\n") if line.startswith(b"data: {")]
    events = [json.loads(one) for one in payloads]
    return [(event["stream"], line) for event in events if "text" in event for line in event["text"].split("\n")[:-1]]


def follow(folder: Path, environ: dict[str, str], expected: Expected, goes_on: Callable[[], bool]) -> Figures:
    """Runs without pause, so many at once, until there is nothing left to cut."""
    with Editor(folder, environ=environ, ignored=["rdev/connection"]) as editor:
        editor.initialize(capabilities=RDEV)
        reader = Reader(editor)
        while goes_on() or reader.following:
            while goes_on() and len(reader.following) < AT_ONCE:
                reader.start({"command": "the one that ran"}, expected)
            reader.take()
    return reader.figures


async def cut_everywhere(folder: Path, count: int, share: float) -> Figures:
    (folder / "say.py").write_text(SCRIPT)
    (folder / "lines.json").write_text(json.dumps(mixed(count)))
    with serving(folder) as (port, project):
        answer, response = await asyncio.to_thread(record, port, project, f"'{sys.executable}' say.py lines.json")
        said = said_in(response)
        for stream in ("stdout", "stderr"):
            assert [line for name, line in said if name == stream] == [
                line for name, line in mixed(count) if name == stream
            ]
        recording = Recording.of(response)
        plan = EveryByte(recording, answer, random.Random(7), share)
        wanted = plan.left
        async with FaultProxy(port, plan) as proxy:
            environ = {"RDEV_URL": proxy.url, "RDEV_PROJECT": project, "RDEV_API_KEY": KEY}
            expected = Expected(said, exit_code=7, in_order=True)
            readers = [
                asyncio.to_thread(follow, folder, environ, expected, lambda: plan.left > 0) for _ in range(DAEMONS)
            ]
            figures = Figures()
            for one in await asyncio.gather(*readers):
                figures.add(one)
            figures.stream_bytes = proxy.passed_bytes
    figures.places_cut = len(plan.cut)
    figures.faults["cut"] = len(plan.cut)
    assert len(plan.cut) == wanted
    if share == 1:
        assert plan.cut == {*range(-recording.head_bytes, 0), *range(recording.ends[-1])}
    return figures


async def test_cut_at_bytes_all_over_a_stream(tmp_path: Path, tally: Callable[[Figures], None]) -> None:
    figures = await cut_everywhere(tmp_path, 2000, share=0.02)
    assert figures.places_cut > 300
    tally(figures)


@pytest.mark.full
@pytest.mark.timeout(2400)
async def test_cut_at_every_byte_of_a_stream(tmp_path: Path, tally: Callable[[Figures], None]) -> None:
    figures = await cut_everywhere(tmp_path, 2000, share=1)
    assert figures.places_cut > 20_000
    tally(figures)
