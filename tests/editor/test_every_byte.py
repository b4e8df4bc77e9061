"""A real stream of thousands of mixed lines, cut at every byte of it, through bridge and daemon to the editor."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import threading
from itertools import chain
from typing import TYPE_CHECKING

import pytest
import requests

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.editor.test_exact_output import KEY, serving
from tests.faults.cuts import Payload
from tests.faults.every_byte import EveryByte, Recording
from tests.faults.proxy import FaultProxy
from tests.soak.figures import Figures
from tests.soak.reader import Expected, Lines, Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT_ONCE = 40
DAEMONS = 2
KINDS = ["", "x", "\x1b[31mred\x1b[0m", '"q" \\', "\tt\rr", "é日😀", "data: x", "id: 1", "}"]
FORMS = [
    pytest.param(False, id="many lines an event"),  # what a server of ours sends to a bridge, which asks for it
    pytest.param(True, id="an event a line"),  # what any other server sends
]

SCRIPT = """\
import fcntl, json, os, sys, termios, time
for stream, lines in json.load(open(sys.argv[1])):
    out = {"stdout": 1, "stderr": 2}[stream]
    os.write(out, "".join(line + "\\n" for line in lines).encode())
    while any(fcntl.ioctl(out, termios.FIONREAD, bytes(4))):
        time.sleep(0.0001)
sys.exit(7)
"""
"""Says nothing more before the server has read what was said, so that each group of lines is an event."""


def mixed(count: int) -> list[tuple[str, list[str]]]:
    """So many lines, in groups of one stream."""
    dice = random.Random(5)
    lines = [dice.choice(KINDS) + (str(n) if n % 3 else "") for n in range(count)]
    groups = []
    while lines:
        size = dice.randrange(1, 20)
        groups.append((dice.choice(["stdout", "stdout", "stderr"]), lines[:size]))
        del lines[:size]
    return groups


def record(port: int, project: str, command: str, *, plain: bool) -> tuple[bytes, bytes]:
    """Run `command` to its end; the answer to its start call, and its stream as the bridge will get it, both raw."""
    url, headers = f"http://127.0.0.1:{port}/projects/{project}", {"X-API-Key": KEY}
    started = requests.post(f"{url}/shell", json={"command": command}, headers=headers, timeout=30)
    stream_id = started.json()["data"]["id"]
    requests.get(f"{url}/events?stream_id={stream_id}", headers=headers, timeout=60).raise_for_status()
    with socket.create_connection(("127.0.0.1", port)) as reader:
        head = f"GET /projects/{project}/events?stream_id={stream_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        head += f"X-API-Key: {KEY}\r\nConnection: close\r\n" + ("" if plain else "Rdev-Features: lines\r\n")
        reader.sendall(f"{head}\r\n".encode())
        response = b""
        while data := reader.recv(1 << 16):
            response += data
    answer = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nRdev-Features: cancel\r\n"
    return answer + b"Content-Length: %d\r\n\r\n%b" % (len(started.content), started.content), response


def said_in(response: bytes, name: str) -> Lines:
    """The output of a recorded stream, in its order, read as plainly as can be: from the events of this name."""
    stream = b"".join(part for _, part in Payload().parts(response)).decode()
    blocks = [block.split("\n") for block in stream.split("\n\n")]
    events = [json.loads(block[1].removeprefix("data: ")) for block in blocks if block[0] == f"event: {name}"]
    if name == "output":
        return [(event["stream"], event["line"]) for event in events]
    return [(event["stream"], line) for event in events for line in event["text"].removesuffix("\n").split("\n")]


def follow(
    folder: Path, environ: dict[str, str], expected: Expected, goes_on: Callable[[], bool], failed: threading.Event
) -> Figures:
    """Runs without pause, so many at once, until there is nothing left to cut."""
    with Editor(folder, environ=environ, ignored=["rdev/connection"]) as editor:
        editor.initialize(capabilities=RDEV)
        reader = Reader(editor)
        while goes_on() or reader.following:
            while goes_on() and len(reader.following) < AT_ONCE:
                reader.start({"command": "the one that ran"}, expected)
            reader.take()
            assert not failed.is_set(), "the other daemon failed, and took the proxy with it"
    return reader.figures


async def cut_everywhere(folder: Path, count: int, share: float, *, plain: bool) -> Figures:
    (folder / "say.py").write_text(SCRIPT)
    (folder / "lines.json").write_text(json.dumps(mixed(count)))
    with serving(folder) as (port, project):
        command = f"'{sys.executable}' say.py lines.json"
        answer, response = await asyncio.to_thread(record, port, project, command, plain=plain)
        said = said_in(response, "output" if plain else "lines")
        for stream in ("stdout", "stderr"):
            wanted = chain.from_iterable(lines for name, lines in mixed(count) if name == stream)
            assert [line for name, line in said if name == stream] == list(wanted)
        recording = Recording.of(response)
        assert len(recording.ends) == 1 + (count if plain else len(mixed(count)))
        plan = EveryByte(recording, answer, random.Random(7), share, plain=plain)
        to_cut = plan.left
        async with FaultProxy(port, plan) as proxy:
            environ = {"RDEV_URL": proxy.url, "RDEV_PROJECT": project, "RDEV_API_KEY": KEY}
            expected = Expected(said, exit_code=7, in_order=True)
            failed = threading.Event()
            readers = [
                asyncio.to_thread(follow, folder, environ, expected, lambda: plan.left > 0, failed)
                for _ in range(DAEMONS)
            ]
            figures = Figures()
            try:
                for one in await asyncio.gather(*readers):
                    figures.add(one)
            except BaseException:
                failed.set()
                raise
            figures.stream_bytes = proxy.passed_bytes
    assert plan.strange == []
    assert plan.compared_bytes > len(recording.events)
    figures.places_cut = len(plan.cut)
    figures.faults["cut"] = len(plan.cut)
    assert len(plan.cut) == to_cut
    if share == 1:
        assert plan.cut == {*range(-recording.head_bytes, 0), *range(len(recording.events))}
    return figures


@pytest.mark.parametrize("plain", FORMS)
async def test_cut_at_bytes_all_over_a_stream(tmp_path: Path, tally: Callable[[Figures], None], *, plain: bool) -> None:
    figures = await cut_everywhere(tmp_path, 500, share=0.02 if plain else 0.05, plain=plain)
    assert figures.places_cut > 300
    tally(figures)


@pytest.mark.full
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("plain", FORMS)
async def test_cut_at_every_byte_of_a_stream(tmp_path: Path, tally: Callable[[Figures], None], *, plain: bool) -> None:
    figures = await cut_everywhere(tmp_path, 600 if plain else 2000, share=1, plain=plain)
    assert figures.places_cut > 20_000
    tally(figures)
