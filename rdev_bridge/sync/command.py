"""`sync = { command = ... }`: a local command that must succeed before the run may start."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from typing import TYPE_CHECKING

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
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            sync.command,
            cwd=folder,
            env=without_keys(os.environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
        except TimeoutError:
            raise SyncError(
                f"the sync command `{visible(sync.command)}` did not end within {timeout_s:g} s and was stopped; "
                "the task did not run",
                reason="syncTimedOut",
            ) from None
        finally:
            await _end_group(process)
        if code != 0:
            ended = f"exited with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
            last = _last_line(output.fileno())
            said = f": {last}" if last else ""
            raise SyncError(f"the sync command `{visible(sync.command)}` {ended}{said}; the task did not run")


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """TERM, a grace time, KILL: for the shell and for whatever it left behind."""
    if not _signal(process.pid, signal.SIGTERM):
        return
    try:
        for _ in range(int(GRACE_S / _POLL_S)):
            if not _signal(process.pid, 0):
                break
            await asyncio.sleep(_POLL_S)
    finally:
        _signal(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


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
