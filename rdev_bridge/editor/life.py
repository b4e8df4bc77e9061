"""How the daemon learns that its editor is gone, and with which code it leaves.

LSP 3.17: `processId` ("if the parent process is not alive then the server should exit") and `exit` ("with code 0
if the shutdown request has been received before; otherwise with code 1").
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_GONE = 1
_POLL_S = 0.5


def watch_process(pid: int, gone: Callable[[], None]) -> None:
    """Call `gone` (from a thread) once the process `pid` has ended; a zombie has ended."""
    threading.Thread(target=_wait_for_end, args=(pid, gone), name="editor-watch", daemon=True).start()


def _wait_for_end(pid: int, gone: Callable[[], None]) -> None:
    if sys.platform == "linux":
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            gone()
        except OSError:  # an old kernel
            _poll_for_end(pid, gone)
        else:
            select.select([handle], [], [])
            os.close(handle)
            gone()
    else:
        _poll_for_end(pid, gone)


def _poll_for_end(pid: int, gone: Callable[[], None]) -> None:
    pause = threading.Event()
    while process_is_alive(pid):
        pause.wait(_POLL_S)
    gone()


def process_is_alive(pid: int) -> bool:
    """Whether `pid` runs; `kill -0` alone also succeeds on a zombie, so `ps` is asked for its state."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return True
    return bool(state.strip()) and not state.strip().startswith("Z")


def watch_reader_of(fd: int, gone: Callable[[], None]) -> None:
    """Call `gone` (from a thread) once nobody can read what is written to the pipe or socket `fd`."""
    threading.Thread(target=_wait_for_hangup, args=(fd, gone), name="stdout-watch", daemon=True).start()


def _wait_for_hangup(fd: int, gone: Callable[[], None]) -> None:
    poller = select.poll()
    poller.register(fd, 0)  # errors and hang-ups are always reported
    for _, events in poller.poll():
        if events & (select.POLLERR | select.POLLHUP):
            gone()
