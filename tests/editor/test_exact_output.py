"""The test that matters, up to the editor: the stream is broken again and again, the editor's lines are exact."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.faults.cuts import after_events
from tests.faults.proxy import PASS, Fault, FaultProxy, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "a-key-of-the-tests"
KINDS = [
    "",
    "plain",
    "\x1b[31mred\x1b[0m",
    'a "quoted" \\ back',
    "tab\tand\rreturn",
    "naïve 日本 😀",
    "data: x",
    "same",
]

SCRIPT = """\
import json, sys
for stream, line in json.load(open(sys.argv[1])):
    getattr(sys, stream).buffer.write(line.encode() + b"\\n")
    getattr(sys, stream).flush()
sys.exit(7)
"""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, str]]:
    """A real `rdev-bridge serve` of `folder`; its port and project."""
    argv = [sys.executable, "-m", "rdev_bridge", "serve", "--port", "0", folder]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "RDEV_API_KEY": KEY}) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            yield int(told["url"].rsplit(":", 1)[1]), told["project"]
        finally:
            server.terminate()


def mixed(count: int, seed: int) -> list[tuple[str, str]]:
    dice = random.Random(seed)
    return [(dice.choice(["stdout", "stdout", "stderr"]), f"{dice.choice(KINDS)}{number}") for number in range(count)]


def cut_each_stream(first: int, most: int) -> Callable[[Request], Fault]:
    """Every connection ends a little further into an event than the one before it, now and then with a reset."""

    def plan(request: Request) -> Fault:
        number = request.stream_number
        if number is None or number >= most:
            return PASS
        how = "reset" if number % 5 == 4 else "end"
        return Fault(cut_when=after_events(2, (first + 7 * number) % 160), how=how)

    return plan


async def relay(folder: Path, plan: Callable[[Request], Fault], counts: list[int]) -> int:
    """Runs of so many lines each at once, through proxy, bridge and daemon; the number of faults that they survived."""
    (folder / "say.py").write_text(SCRIPT)
    with serving(folder) as (port, project):
        async with FaultProxy(port, plan) as proxy:
            environ = {"RDEV_URL": proxy.url, "RDEV_PROJECT": project, "RDEV_API_KEY": KEY}
            await asyncio.to_thread(follow_all, folder, environ, counts)
            return proxy.faults


def follow_all(folder: Path, environ: dict[str, str], counts: list[int]) -> None:
    quiet = ["rdev/connection", "rdev/runStarted", "window/logMessage"]
    with Editor(folder, environ=environ, ignored=quiet) as editor:
        editor.initialize(capabilities=RDEV)
        said: dict[str, list[tuple[str, str]]] = {}
        for number, count in enumerate(counts):
            lines = mixed(count, number)
            (folder / f"{number}.json").write_text(json.dumps(lines))
            command = {"command": f"'{sys.executable}' say.py {number}.json"}
            said[editor.call("rdev/run", command)["runId"]] = lines
        for run_id, lines in said.items():
            stdout, stderr, run = editor.output_of(run_id)
            assert stdout == [text for stream, text in lines if stream == "stdout"]
            assert stderr == [text for stream, text in lines if stream == "stderr"]
            assert end_of(run) == ("failed", 7, len(lines))


def end_of(run: dict[str, Any]) -> tuple[Any, ...]:
    return run["outcome"], run.get("exitCode"), run["lines"]


async def test_cut_in_events_the_lines_are_exact(tmp_path: Path) -> None:
    # How many events these lines make is the server's affair. Each run is cut at least once.
    assert 3 <= await relay(tmp_path, cut_each_stream(0, 12), [40, 40, 3000]) <= 12


async def test_a_slow_and_sliced_link(tmp_path: Path) -> None:
    def plan(request: Request) -> Fault:
        return Fault(slice_bytes=200, delay_s=0.001) if request.is_stream else PASS

    assert await relay(tmp_path, plan, [200, 200]) == 2
