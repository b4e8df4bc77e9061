"""Whatever is cut in the middle: no reader ever sees half a file, and the next push ends at the same tree."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from rdev_bridge.sync import SyncError, peer
from tests.sync.conftest import Pushed, tree

if TYPE_CHECKING:
    from types import TracebackType

FILES = 30
REPEATS = 3000


def versioned(pushed: Pushed, version: int) -> None:
    """Files whose content shows whether it is whole; some come and go."""
    for number in range(FILES):
        pushed.write(f"stay/d{number % 4}/f{number}", f"{version:08d}" * REPEATS)
    for number in range(5):
        file = pushed.here / f"come-and-go/f{number}"
        if (version + number) % 3:
            pushed.write(f"come-and-go/f{number}", f"{version:08d}" * REPEATS)
        else:
            file.unlink(missing_ok=True)


class Readers:
    """Reads what is in a folder over and over, as a run would, and keeps every sight of half a file."""

    def __init__(self, root: Path) -> None:
        self.torn: list[str] = []
        self.reads = 0
        self._paths = [str(root / f"stay/d{number % 4}/f{number}") for number in range(FILES)]
        self._fleeting = [str(root / f"come-and-go/f{number}") for number in range(5)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        while not self._stop.is_set():
            for path in [*self._paths, *self._fleeting]:
                try:
                    descriptor = os.open(path, os.O_RDONLY)
                except FileNotFoundError:
                    if path in self._paths:
                        self.torn.append(f"{path} is not there")
                    continue
                data = os.read(descriptor, 2 * REPEATS * 8)
                os.close(descriptor)
                self.reads += 1
                if data != data[:8] * REPEATS:
                    self.torn.append(f"{path}: {len(data)} bytes, {data[:24]!r}")
            time.sleep(0.001)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "_FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(peer, "_LAST_DELAY_S", 0.01)


async def settle(pushed: Pushed) -> None:
    """A push that nothing disturbs must end at the workspace's tree, and clean up."""
    pushed.shell.kill_after_s = lambda: None
    pushed.shell.lose = lambda: False
    pushed.barrier = type(pushed.barrier)()
    await pushed.push()
    pushed.alike()
    pushed.write("last", str(random.random()))
    await pushed.push()
    left = {entry.name for entry in (pushed.there / ".rdev-push").iterdir()}
    assert left <= {".gitignore", "generation", "spool"}, left
    if "spool" in left:
        assert list((pushed.there / ".rdev-push" / "spool").iterdir()) == []


async def server_killed(pushed: Pushed, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    versioned(pushed, 0)
    await pushed.push()

    def kill_after_s() -> float | None:
        return chance.uniform(0, 0.06) if chance.random() < 0.6 else None

    with Readers(pushed.there) as readers:
        for number in range(1, rounds + 1):
            versioned(pushed, number)
            pushed.shell.kill_after_s = kill_after_s
            with contextlib.suppress(SyncError):
                await pushed.push()
            if number % 7 == 0:
                pushed.shell.kill_after_s = lambda: None
                await pushed.push()
                pushed.alike()
    await settle(pushed)
    assert readers.torn == []
    assert readers.reads > rounds


@pytest.mark.usefixtures("impatient")
async def test_server_killed_at_many_points(pushed_by: Pushed) -> None:
    await server_killed(pushed_by, 8, seed=1)


@pytest.mark.full
@pytest.mark.usefixtures("impatient")
@pytest.mark.timeout(1800)
async def test_server_killed_at_hundreds_of_points(pushed_by: Pushed) -> None:
    await server_killed(pushed_by, 60, seed=2)


BRIDGES = """
import asyncio, os, sys
from pathlib import Path
from tests.support.localshell import LocalShell
from tests.sync.conftest import Pushed
here, there = map(Path, sys.argv[1:])
for _ in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        try:
            asyncio.run(Pushed(here, there, LocalShell(here.parent)).push())
        finally:
            os._exit(0)
    print(child, flush=True)
    end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    print("killed" if end.si_code == os.CLD_KILLED else "ended", flush=True)
    sys.stdin.readline()
    os.waitpid(child, 0)
"""
"""A bridge for a line that it reads, as a process of its own that has nothing left to import.

It prints the process's id, then how the process went. The id stays the process's own until a second line is
read: whoever kills it may come a moment after its end.
"""


async def bridge_killed(pushed: Pushed, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    versioned(pushed, 0)
    await pushed.push()
    cut = 0
    bridges = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        BRIDGES,
        str(pushed.here),
        str(pushed.there),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert bridges.stdin is not None
    assert bridges.stdout is not None
    with Readers(pushed.there) as readers:
        took_s = None
        for number in range(rounds + 1):
            versioned(pushed, number + 1)
            bridges.stdin.write(b"\n")
            pid = int(await bridges.stdout.readline())
            end = asyncio.ensure_future(bridges.stdout.readline())
            began_s = time.monotonic()
            within_s = chance.uniform(0, took_s) if took_s else None  # the first tells how long one takes here
            if not (await asyncio.wait([end], timeout=within_s))[0]:
                os.kill(pid, signal.SIGKILL)
            took_s = took_s or time.monotonic() - began_s
            cut += await end == b"killed\n"
            bridges.stdin.write(b"\n")
        bridges.stdin.close()
        await bridges.wait()
    await settle(pushed)
    assert readers.torn == []
    assert cut > rounds / 4, "few pushes were cut at all"


async def test_bridge_killed_at_many_points(pushed: Pushed) -> None:
    await bridge_killed(pushed, 5, seed=3)


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_bridge_killed_at_hundreds_of_points(pushed: Pushed) -> None:
    await bridge_killed(pushed, 200, seed=4)


@pytest.mark.usefixtures("impatient")
async def test_a_third_of_the_answers_lost(pushed_by: Pushed) -> None:
    pushed = pushed_by
    chance = random.Random(5)
    pushed.shell.lose = lambda: chance.random() < 0.3
    for version in range(6):
        versioned(pushed, version)
        await pushed.push()
        pushed.alike()
    await settle(pushed)


@pytest.mark.usefixtures("impatient")
async def test_an_upload_goes_on_where_it_was_cut(pushed: Pushed) -> None:
    pushed.write("large", random.Random(6).randbytes(3_000_000))
    pushed.shell.lose = lambda: pushed.shell.sent_bytes > 2_000_000
    with pytest.raises(SyncError, match="did not get through"):
        await pushed.push()
    assert tree(pushed.there) == {}
    pushed.shell.lose = lambda: False
    pushed.shell.sent_bytes = 0
    pushed.barrier = type(pushed.barrier)()
    await pushed.push()
    pushed.alike()
    assert pushed.shell.sent_bytes < 3_000_000, "what was there was sent again"


async def test_a_call_that_arrives_late_does_not_harm_what_was_sent_again(
    pushed_by: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = pushed_by
    shell, ask, late = pushed.shell, pushed.shell.ask, list[str]()

    async def keep(script: str) -> None:
        late.append(script)

    async def late_ones_first(script: str, **options: Any) -> object:
        if "\nexpect=" in script:  # the finishing call; the late ones have just opened their part
            for part in late:
                await ask(re.sub(r"\ndata='[^']*'", "\ndata=''", part), timeout_s=60)
        return await ask(script, **options)

    monkeypatch.setattr(shell, "begin", keep)
    monkeypatch.setattr(shell, "ask", late_ones_first)
    pushed.write("large", os.urandom(200_000))
    await pushed.push()
    pushed.alike()
    assert late


async def test_a_dead_holders_lock_is_stolen_and_a_living_ones_is_not(pushed_by: Pushed) -> None:
    pushed = pushed_by
    pushed.write("a", "1")
    await pushed.push()
    lock = pushed.there / ".rdev-push" / "lock"
    machine = os.uname().nodename
    dead = await asyncio.create_subprocess_exec("true")
    await dead.wait()
    for content in (f"{dead.pid} 12345 {machine}\n", f"{os.getpid()} 1 {machine}\n", ""):
        lock.write_text(content)
        thief = lock.with_name("lock.steal")
        thief.write_text(content)
        pushed.write("a", f"over {content}")
        await pushed.push()
        pushed.alike()
        assert not lock.exists()
        assert not thief.exists()


def started_at() -> str:
    """When this process started, as the scripts write it down. proc_pid_stat(5), field 22."""
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


async def test_a_living_holder_is_waited_for(pushed: Pushed) -> None:
    pushed.write("a", "1")
    await pushed.push()
    lock = pushed.there / ".rdev-push" / "lock"
    lock.write_text(f"{os.getpid()} {started_at()} {os.uname().nodename}\n")
    pushed.write("a", "2")
    pushing = asyncio.create_task(pushed.push())
    done, _ = await asyncio.wait([pushing], timeout=0.5)
    assert not done
    assert (pushed.there / "a").read_text() == "1"
    lock.unlink()
    await pushing
    pushed.alike()


async def test_a_file_that_changes_while_it_is_sent_arrives_as_it_is_then(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pushed.write("large", b"1" * 400_000)
    asked = pushed.shell.ask
    changed = False

    async def ask(script: str, *, timeout_s: float, cancellable: bool = True) -> object:
        nonlocal changed
        if not changed:
            changed = True
            file.write_bytes(b"2" * 500_000)
        return await asked(script, timeout_s=timeout_s, cancellable=cancellable)

    monkeypatch.setattr(pushed.shell, "ask", ask)
    await pushed.push()
    pushed.alike()
