"""A second pair of eyes: a process that walks a workspace while the bridge talks to the server.

A walk is thousands of system calls, and after each of them Python's lock is fought for: as a thread of the bridge it
takes twice its time, and holds up the calls that it should run beside. What the process says is only what its walk
came to; where that is not what the bridge expects, the bridge walks itself: nothing is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

import msgspec

from rdev_bridge.keys import without_keys
from rdev_bridge.sync.errors import SyncError
from rdev_bridge.sync.memory import load_scan
from rdev_bridge.sync.scan import Scan, scan

_WORTH_FILES = 1000
"""Below, a walk takes less than the question."""
_STARTS = 3
"""So often it may die before the bridge does without it."""
_READ_BYTES = 65_536


class _Question(msgspec.Struct):
    folder: bytes
    load: bytes | None = None
    """A file that `save_scan` wrote, to begin with anew."""


class Walker:
    """The bridge's side. One process serves all workspaces; it ends when the bridge does, however that ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._closed = False
        self._answers: deque[asyncio.Future[str]] = deque()
        """Those that are waited for, in the order of their questions."""
        self._read = b""
        self._ready: set[Path] = set()
        self._getting_ready: asyncio.Task[None] | None = None

    def walk(self, folder: Path) -> asyncio.Future[str]:
        """The `fingerprint` of what a walk that begins now finds; empty where there is nobody to ask, or no answer."""
        return self._ask(_Question(os.fsencode(folder)) if folder in self._ready else None)

    def get_ready(self, folder: Path, found: Scan, file: Path) -> None:
        """Let the next walk begin from `found`, which `save_scan` wrote to `file`. Waits for nothing."""
        if folder in self._ready or len(found.seen) < _WORTH_FILES or self._closed or self._starts > _STARTS:
            return
        if self._getting_ready is None or self._getting_ready.done():
            self._getting_ready = asyncio.create_task(self._get_ready(folder, file))

    def forget(self, folder: Path) -> None:
        """What it remembers of `folder` led to another answer than ours."""
        self._ready.discard(folder)

    async def aclose(self) -> None:
        """End the process. Who still waits for an answer gets none."""
        self._closed = True
        process = self._process
        self._end()
        if self._getting_ready is not None:
            await self._getting_ready
        if process is not None:
            await asyncio.to_thread(process.wait)

    async def _get_ready(self, folder: Path, file: Path) -> None:
        if self._process is None and not self._closed:
            with contextlib.suppress(OSError):
                self._start()
        if await self._ask(_Question(os.fsencode(folder), os.fsencode(file))):
            self._ready.add(folder)

    def _ask(self, question: _Question | None) -> asyncio.Future[str]:
        """Sent before this returns: the walk shall begin before anything else is done."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if question is None or self._process is None:
            answer.set_result("")
            return answer
        self._answers.append(answer)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(question) + b"\n")
            self._process.stdin.flush()
        except OSError:
            self._end()
        return answer

    def _start(self) -> None:
        self._starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rdev_bridge.sync.walker"],
            cwd="/",
            env=without_keys(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is not for it
        )
        assert self._process.stdout is not None
        asyncio.get_running_loop().add_reader(self._process.stdout, self._take, self._process.stdout.fileno())

    def _take(self, pipe: int) -> None:
        data = os.read(pipe, _READ_BYTES)
        if not data:
            self._end()
            return
        *lines, self._read = (self._read + data).split(b"\n")
        for line in lines:
            self._give(line.decode())

    def _give(self, text: str) -> None:
        answer = self._answers.popleft()
        if not answer.done():  # who asked may have gone
            answer.set_result(text)

    def _end(self) -> None:
        process, self._process, self._read = self._process, None, b""
        self._ready.clear()
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            asyncio.get_running_loop().remove_reader(process.stdout)
            process.kill()
            process.stdout.close()
            with contextlib.suppress(OSError):
                process.stdin.close()
            threading.Thread(target=process.wait, name="walker-reaper", daemon=True).start()
        while self._answers:
            self._give("")


def fingerprint(found: Scan) -> str:
    """All of a scan that decides what a push does: the tree, the rules that chose it, what must not be brought."""
    refused = "\0".join(f"{path}\0{reason}" for path, reason in sorted(found.refused.items()))
    whole = f"{found.weight:x}\0{found.rules}\0{refused}"
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()


def main() -> None:
    """The process's side: a line for each question, until the bridge is gone."""
    gc.disable()  # there are no cycles, only large tables
    known: dict[bytes, Scan] = {}
    for line in sys.stdin.buffer:
        question = msgspec.json.decode(line, type=_Question)
        if question.load is not None:
            known[question.folder] = load_scan(Path(os.fsdecode(question.load)))
        try:
            found = scan(Path(os.fsdecode(question.folder)), known.get(question.folder))
        except (SyncError, OSError):
            answer = ""
        else:
            known[question.folder] = found
            answer = fingerprint(found)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
