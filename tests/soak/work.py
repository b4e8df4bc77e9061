"""The soak itself: two servers behind proxies, a daemon for each, many runs at once, all of it broken at random.

One lane keeps its server, but its daemon is killed now and then, and the next one attaches to what was left. The other
lane keeps its daemon, but its server is killed now and then, and started again at the same place.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.editor.editor import Editor
from tests.faults.proxy import FaultProxy
from tests.soak import script
from tests.soak.faults import RandomFaults
from tests.soak.figures import Figures
from tests.soak.reader import Expected, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "a-key-of-the-soak"
RDEV: dict[str, Any] = {"experimental": {"rdev": {}}}
IGNORED = ["rdev/connection", "rdev/tasksChanged", "rdev/runStarted", "rdev/output", "rdev/runFinished"]


@dataclass(frozen=True)
class Amount:
    """How much: so many seconds, and on a slow machine longer, until each daemon was given `least_runs`."""

    seconds: float
    at_once: int = 12
    least_runs: int = 0
    kill_every_s: tuple[float, float] = (2.0, 6.0)


class Server:
    """A real `rdev-bridge serve` that can be killed and started again at the same port."""

    def __init__(self, folder: Path, *limits: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.port, self.kills = folder, 0, 0
        self.project = ""
        self._limits = [word for limit in ("heartbeat_s=0.3", *limits) for word in ("--limit", limit)]
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        argv = [sys.executable, "-m", "rdev_bridge", "serve", "--port", str(self.port), *self._limits]
        argv += ["--state-dir", str(self.folder.parent / f"{self.folder.name}-state"), str(self.folder)]
        environ = {**os.environ, "RDEV_API_KEY": KEY}
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ)
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.port, self.project = int(told["url"].rsplit(":", 1)[1]), told["project"]

    def kill_and_start(self) -> None:
        """As a machine that loses its power and comes back."""
        self._process.kill()
        self._process.communicate()
        self.kills += 1
        self._start()

    def close(self) -> None:
        """End it, and its commands."""
        self._process.terminate()
        self._process.communicate()


@dataclass
class Lane:
    """One daemon after the other, over one proxy. `excuses` is what the server's fate may do to a run."""

    server: Server
    proxy: FaultProxy
    dice: random.Random
    amount: Amount
    excuses: frozenset[str] = frozenset()
    kills_daemons: bool = False
    cancel_chance: float = 0.002
    """For each message that is taken."""
    kills: int = 0
    cancels: int = 0
    numbers: dict[str, int] = field(default_factory=dict)
    """Of each run: what its script is told."""
    figures: Figures = field(default_factory=Figures)
    _unknown: set[str] = field(default_factory=set)
    _deadline_s: float = float("inf")
    _next_kill_s: float = float("inf")

    def work(self) -> Figures:
        """Start runs until the time is up, and read all of them to their ends."""
        editor = self._open()
        self._deadline_s = time.monotonic() + self.amount.seconds
        self._next_kill_s = time.monotonic() + self.dice.uniform(*self.amount.kill_every_s)
        reader = Reader(editor, self._ended)
        self.figures = reader.figures
        try:
            while self.has_time or reader.following:
                while self.has_time and len(reader.following) < self.amount.at_once:
                    self._start(reader)
                reader.take()
                if self.kills_daemons and self.has_time and time.monotonic() > self._next_kill_s:
                    editor = self._replace(reader)
                elif self.dice.random() < self.cancel_chance and reader.following:
                    self._cancel(reader)
            assert editor.leave() == 0
        finally:
            editor.__exit__(AssertionError, None, None)
        for run_id in self.numbers:
            if (starts := len(self._started_as(run_id))) > 1:
                self.figures.wrong_end(f"{run_id} was started {starts} times")
        return self.figures

    @property
    def has_time(self) -> bool:
        """Whether more runs are to be started."""
        return time.monotonic() < self._deadline_s or len(self.numbers) < self.amount.least_runs

    def _open(self) -> Editor:
        environ = {"RDEV_URL": self.proxy.url, "RDEV_PROJECT": self.server.project, "RDEV_API_KEY": KEY}
        editor = Editor(self.server.folder, environ=environ, ignored=IGNORED)
        editor.initialize(capabilities=RDEV)
        return editor

    def _start(self, reader: Reader) -> None:
        number = self.dice.randrange(10**9)
        what = script.said(number)
        lines = [(step.stream, step.text) for step in what.steps]
        expected = Expected(lines, what.exit_code, excuses=self.excuses | {"lost"})
        run_id = reader.start({"command": f"exec '{sys.executable}' script.py {number}"}, expected)
        self.numbers[run_id] = number

    def _cancel(self, reader: Reader) -> None:
        run_id = self.dice.choice(list(reader.following))
        following = reader.following[run_id]
        expected = following.expected
        following.expected = Expected(expected.lines, expected.exit_code, excuses=expected.excuses | {"cancelled"})
        reader.editor.call("rdev/cancel", {"runId": run_id})
        self.cancels += 1

    def _replace(self, reader: Reader) -> Editor:
        reader.editor.process.kill()
        self.kills += 1
        dead, fresh = reader.editor, self._open()
        # It may have been killed before it knew what it had started.
        self._unknown |= {run_id for run_id, following in reader.following.items() if not following.seq}
        reader.left_by_its_daemon(fresh)
        dead.__exit__(AssertionError, None, None)
        self._next_kill_s = time.monotonic() + self.dice.uniform(*self.amount.kill_every_s)
        return fresh

    def _ended(self, run_id: str, run: dict[str, Any]) -> None:
        number, outcome, message = self.numbers[run_id], run["outcome"], run.get("message", "")
        was_hidden = number in self._lost_starts() or run_id in self._unknown
        if outcome == "lost" and "lost" not in self.excuses and not was_hidden:
            self.figures.wrong_end(f"{run_id} was lost, and nobody hid its start: {message}")
        if outcome in {"cancelled", "succeeded", "failed"} or "it does not run" in message:
            for pid in self._started_as(run_id):
                if _is_alive(pid, f"script.py\0{number}\0"):
                    self.figures.wrong_end(f"{run_id} ended as {outcome}, and process {pid} lives")

    def _lost_starts(self) -> set[int]:
        plan = self.proxy.plan
        return plan.lost_starts if isinstance(plan, RandomFaults) else set()

    def _started_as(self, run_id: str) -> list[int]:
        try:
            text = (self.server.folder / "started" / str(self.numbers[run_id])).read_text()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in text.split()]


def _is_alive(pid: int, words: str) -> bool:
    try:
        return words in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


async def soak(place: Path, amount: Amount, seed: int, say: Callable[[str], None] = lambda _: None) -> Figures:
    """Break everything at random, then wait for what was begun; the figures of it."""
    steady, mortal = Server(workspace(place / "steady")), Server(workspace(place / "mortal"))
    plans = [RandomFaults(seed), RandomFaults(seed + 1)]
    dice = random.Random(seed + 4)
    try:
        async with FaultProxy(steady.port, plans[0]) as one, FaultProxy(mortal.port, plans[1]) as other:
            lanes = [
                Lane(steady, one, random.Random(seed + 2), amount, kills_daemons=True),
                Lane(mortal, other, random.Random(seed + 3), amount, excuses=frozenset({"lost", "error"})),
            ]
            working = [asyncio.create_task(asyncio.to_thread(lane.work)) for lane in lanes]
            while not all(task.done() for task in working):
                await asyncio.wait(working, timeout=dice.uniform(*amount.kill_every_s))
                if lanes[1].has_time:
                    await asyncio.to_thread(mortal.kill_and_start)
                runs = sum(len(lane.numbers) for lane in lanes)
                say(f"{runs:,} runs, {len(one.requests) + len(other.requests):,} requests so far")
            figures = Figures(stream_bytes=one.passed_bytes + other.passed_bytes)
    finally:
        steady.close()
        mortal.close()
    for task in working:
        figures.add(task.result())
    for plan in plans:
        figures.faults.update(plan.counts)
    figures.faults.update(_counted(lanes, mortal))
    return figures


def _counted(lanes: list[Lane], mortal: Server) -> Counter[str]:
    kills, cancels = sum(lane.kills for lane in lanes), sum(lane.cancels for lane in lanes)
    return Counter({"daemon killed": kills, "server killed": mortal.kills, "run cancelled": cancels})


def workspace(folder: Path) -> Path:
    """A folder whose commands are those of `tests.soak.script`."""
    (folder / "started").mkdir(parents=True)
    shutil.copy(script.__file__, folder / "script.py")
    return folder
