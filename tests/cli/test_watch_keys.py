"""Single keys on a real terminal, which must come back as it was."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

CHILD = """
import asyncio, os, signal, sys
from rdev_bridge.cli.keys import Keys

async def main():
    done = asyncio.Event()
    def key(name):
        print("key", name, flush=True)
        if name == "x":
            raise SystemExit(3)
        if name == "q":
            done.set()
    with Keys(0, key, lambda: print("resumed", flush=True)):
        print("ready", flush=True)
        await done.wait()

asyncio.run(main())
"""


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[pexpect.spawn]:
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", root)
    process = pexpect.spawn(sys.executable, ["-W", "error", "-c", CHILD], encoding="utf-8", timeout=20)
    process.expect_exact("ready")
    yield process
    process.close(force=True)


def test_keys_come_one_by_one_and_unseen(child: pexpect.spawn) -> None:
    assert not child.getecho()
    child.send("rP")
    child.expect_exact("key r")
    child.expect_exact("key p")
    child.send("\x1b[A")  # an arrow
    child.send("q")
    child.expect_exact("key q")
    assert "key a" not in child.before.lower()
    eventually(child.getecho, what="echo")
    child.expect(pexpect.EOF)


def test_a_crash_gives_the_terminal_back(child: pexpect.spawn) -> None:
    child.send("x")
    eventually(child.getecho, what="echo")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 3


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(child: pexpect.spawn) -> None:
    child.sendcontrol("z")
    eventually(lambda: state_of(child.pid) == "T", what="the stop")
    assert child.getecho()
    os.kill(child.pid, signal.SIGCONT)
    child.expect_exact("resumed")
    assert not child.getecho()
    child.send("q")
    child.expect_exact("key q")


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
