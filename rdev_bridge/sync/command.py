"""`sync = { command = ... }`: a local command that must succeed before the run may start."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from rdev_bridge.core.shown import visible
from rdev_bridge.keys import without_keys
from rdev_bridge.sync.errors import SyncError

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.model import SyncCommand

DEFAULT_TIMEOUT_S = 600.0
GRACE_S = 2.0
_POLL_S = 0.02
_TAIL_BYTES = 4096


async def run_command(sync: SyncCommand, folder: Path) -> None:
    """Run `sync.command` with `sh -c` in `folder` and return once it has succeeded.

    It leads a process group of its own, which is dead when this returns or raises, cancellation included.
    Its output goes to a file rather than a pipe, so that a background child that keeps it open holds nobody up.
    No `RDEV_*` variable reaches it: it may come from a workspace file, and a key is none of its business.

    Raises SyncError with the last line that the command printed.
    """
    timeout_s = DEFAULT_TIMEOUT_S if sync.timeout_s is None else sync.timeout_s
    with tempfile.TemporaryFile() as output:
        group, ended = _start(sync.command, folder, output)
        try:
            async with asyncio.timeout(timeout_s):
                code = await asyncio.shield(ended)
        except TimeoutError:
            raise SyncError(
                f"the sync command `{visible(sync.command)}` did not end within {timeout_s:g} s and was stopped; "
                "the task did not run",
                reason="syncTimedOut",
            ) from None
        finally:
            await _end_group(group, ended)
        if code != 0:
            how = f"exited with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
            last = _last_line(output.fileno())
            said = f": {last}" if last else ""
            raise SyncError(f"the sync command `{visible(sync.command)}` {how}{said}; the task did not run")


def _start(command: str, folder: Path, output: IO[bytes]) -> tuple[int, asyncio.Future[int]]:
    """The process's number, and its exit status once it has ended.

    No asyncio subprocess: cancelled while it starts, one is ended without its group, and on Python 3.11 it may never be
    waited for to the end.
    """
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=without_keys(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except OSError as error:
        what = f"the sync command `{visible(command)}` cannot be started in {visible(str(folder))}"
        raise SyncError(f"{what}: {error.strerror}") from None
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def wait() -> None:
        code = process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set_result, code)

    threading.Thread(target=wait, name="sync-command-reaper", daemon=True).start()
    return process.pid, ended


async def _end_group(group: int, ended: asyncio.Future[int]) -> None:
    """TERM, a grace time, KILL: for the shell and for whatever it left behind."""
    if not _signal(group, signal.SIGTERM):
        return
    try:
        for _ in range(int(GRACE_S / _POLL_S)):
            if not _signal(group, 0):
                break
            await asyncio.sleep(_POLL_S)
    finally:
        _signal(group, signal.SIGKILL)
        await asyncio.shield(ended)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        return False
    return True


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace")
    lines = [line for line in tail.splitlines() if line.strip()]
    return visible(lines[-1].strip()) if lines else ""
