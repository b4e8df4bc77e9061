"""All processes of one command, wherever they have gone, and how to end them.

A command's processes are its group and session, and whatever carries the command's mark in its environment: a child
that calls `setsid` leaves the first two but keeps the third.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_DEAD_STATES = "ZX"
_KILL_ROUNDS_S = 10.0


@dataclass(frozen=True, slots=True)
class Tree:
    """`mark` is the name of the environment variable that only this command's processes have.

    `leader` is the pid that leads the group and session, None once it may have been given to somebody else.
    """

    mark: str
    leader: int | None

    def living(self) -> set[int]:
        """The pids that run (a zombie does not)."""
        found = from_proc(self) if (_PROC / "self/environ").exists() else from_ps(self)
        return found - {os.getpid()}


def marks(prefix: str) -> set[str]:
    """The names of environment variables that begin so, of all processes of this user."""
    if (_PROC / "self/environ").exists():
        texts = []
        for name in os.listdir(_PROC):  # noqa: PTH208 (as below)
            with contextlib.suppress(OSError):
                texts.append(_read(f"/proc/{name}/environ") if name.isdecimal() else b"")
    else:
        texts = [_ps("command=")]
    found = re.compile(rb"(?:^|[\0 ])(%b\w+)=" % re.escape(prefix.encode()))
    return {name.decode() for text in texts for name in found.findall(text)}


async def end(tree: Tree, grace_s: float) -> bool:
    """TERM to all, KILL after `grace_s` to those that stay; True once none is left, False if one cannot be killed."""
    deadline = time.monotonic() + grace_s
    told: set[int] = set()
    pause_s = 0.01
    while living := await asyncio.to_thread(tree.living):
        now = time.monotonic()
        if now >= deadline + _KILL_ROUNDS_S:
            return False
        if now >= deadline:
            _signal(tree, living, signal.SIGKILL)
        else:
            _signal(tree, living - told, signal.SIGTERM)
            _signal(tree, living - told, signal.SIGCONT)  # a stopped process would take the TERM only later
            told |= living
        await asyncio.sleep(max(0.0, min(pause_s, deadline - now)) or 0.01)
        pause_s = min(pause_s * 2, 0.1)
    return True


def _signal(tree: Tree, pids: set[int], number: signal.Signals) -> None:
    """The leader first: a shell that sees its child die before the signal comes ends as if nothing had happened."""
    for pid in sorted(pids, key=lambda pid: (pid != tree.leader, pid)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def from_proc(tree: Tree) -> set[int]:
    """Linux."""
    needle = f"{tree.mark}=".encode()
    found: set[int] = set()
    for name in os.listdir(_PROC):  # noqa: PTH208 (names are all that is needed, of hundreds of entries)
        if not name.isdecimal():
            continue
        try:
            # Behind the last parenthesis, since a program's name may hold some: state, parent, group, session.
            state, _, group, session = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()[:4]
            if state.decode() in _DEAD_STATES:
                continue
            ours = tree.leader is not None and tree.leader in (int(group), int(session))
            if ours or needle in _read(f"/proc/{name}/environ"):
                found.add(int(name))
        except (OSError, ValueError):
            continue  # It has gone, or belongs to somebody else.
    return found


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while piece := os.read(file, 65536):
            data += piece
        return data
    finally:
        os.close(file)


def from_ps(tree: Tree) -> set[int]:
    """Where there is no /proc (macOS): `ps` shows the environment of this user's processes after the command."""
    found: set[int] = set()
    for line in _ps("pid=,pgid=,stat=,command=").splitlines():
        words = line.split(None, 3)
        if len(words) < 3 or words[2][:1].decode() in _DEAD_STATES:
            continue
        ours = tree.leader is not None and int(words[1]) == tree.leader
        if ours or (len(words) > 3 and f" {tree.mark}=".encode() in words[3]):
            found.add(int(words[0]))
    return found


def _ps(columns: str) -> bytes:
    everything = ["-AEww"] if sys.platform == "darwin" else ["axeww"]
    return subprocess.run(["ps", *everything, "-o", columns], capture_output=True, check=False, timeout=10).stdout
