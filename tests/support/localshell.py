"""A server reduced to its essence: each script is run by a shell of this machine, as `/shell` would run it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdev_bridge.errors import RdevError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"], "mksh": ["mksh"]}
LONGEST_ARGUMENT = 131_071


@dataclass(frozen=True)
class Answer:
    stdout: str
    stderr: str
    exit_code: int


@dataclass
class LocalShell:
    """`shell` and `path` decide what the scripts find; `calls` counts them.

    Asked anew for each call: `lose` says whether its answer gets lost, `kill_after_s` when its shell is killed.

    `elsewhere` hides that the server is this machine, as it mostly is not.
    """

    cwd: Path
    shell: list[str] = field(default_factory=lambda: SHELLS["dash"])
    path: str | None = None
    elsewhere: bool = True
    lose: Callable[[], bool] = lambda: False
    kill_after_s: Callable[[], float | None] = lambda: None
    calls: int = 0
    sent_bytes: int = 0
    _running: set[asyncio.Future[Answer]] = field(default_factory=set)

    async def begin(self, script: str) -> None:
        """Start it and do not wait; where its answer would be lost, that of this call is."""
        running = asyncio.ensure_future(self.ask(script, timeout_s=60))
        self._running.add(running)
        running.add_done_callback(self._ended)
        await asyncio.sleep(0)

    def _ended(self, running: asyncio.Future[Answer]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()

    async def ask(self, script: str, *, timeout_s: float, cancellable: bool = True) -> Answer:
        self.calls += 1
        if self.elsewhere:
            script = script.replace("\nproof='", "\nproof='/not-on-this-machine")
        text = script.encode("utf-8", "surrogateescape")
        assert len(text) <= LONGEST_ARGUMENT, "longer than one argument may be"
        self.sent_bytes += len(text)
        process = await asyncio.create_subprocess_exec(
            *self.shell,
            "-c",
            text,
            cwd=self.cwd,
            env=os.environ | ({"PATH": self.path} if self.path else {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        reading = asyncio.ensure_future(process.communicate())
        try:
            async with asyncio.timeout(timeout_s):
                limit_s = self.kill_after_s()
                if limit_s is not None:
                    await asyncio.wait([reading], timeout=limit_s)
                    if not reading.done():
                        kill(process.pid)
                        await reading
                        raise RdevError("the server was killed", reason="lost")
                stdout, stderr = await reading
        finally:
            if not reading.done():
                kill(process.pid)
                await reading
        if self.lose():
            raise RdevError("the answer was lost", reason="lost")
        assert process.returncode is not None
        return Answer(stdout.decode(errors="replace"), stderr.decode(errors="replace"), process.returncode)


def kill(group: int) -> None:
    """As a server that dies takes its commands with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
