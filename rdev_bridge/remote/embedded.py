"""Finds the embedded server of a folder, or starts it: one for all bridges of one workspace.

They meet in the folder's runtime directory. Each bridge holds a shared lock on `lease` for as long as it lives, which
keeps the server from leaving. `start-lock` is held by whoever starts the server and by a server that is about to
leave, so that the address read under it is the address of a server that stays.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

import msgspec

from rdev_bridge import places
from rdev_bridge.errors import RdevError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

START_TIMEOUT_S = 30.0
_POLL_S = 0.01
_MAX_LOG_BYTES = 1024 * 1024
_NOT_FOR_IT = ("RDEV_", "BRIDGE_STREAM_")
"""Keys, and the two marks by which a server finds all that a command started, to end it (docs/server.md)."""


class Address(msgspec.Struct, frozen=True):
    """What the server wrote about itself, into a file that only this user can read."""

    url: str
    project: str
    pid: int
    key: str
    version: str = ""

    def __repr__(self) -> str:  # never the key
        return f"Address({self.url}, {self.project}, pid {self.pid})"


class Lease(msgspec.Struct):
    """Holds a folder's embedded server as long as it is open."""

    folder: Path
    _file: IO[bytes]

    @classmethod
    async def take(cls, folder: Path) -> Lease:
        """Announce this bridge. The server may still be about to leave: `find` settles that."""
        path = places.runtime_dir(folder) / "lease"
        file = _open_private(path)
        try:
            await _lock(file, fcntl.LOCK_SH, "the embedded server's lease")
        except BaseException:
            file.close()
            raise
        return cls(folder, file)

    def release(self) -> None:
        """Let go; the last one lets the server end, soon after its last run."""
        self._file.close()

    async def find(self, environ: Mapping[str, str]) -> Address:
        """The address of a server that lives, started now if there is none. Raises RdevError."""
        runtime = places.runtime_dir(self.folder)
        guard = _open_private(runtime / "start-lock")
        try:
            await _lock(guard, fcntl.LOCK_EX, "the embedded server's start")
            address_file = runtime / "address.json"
            address = _read(address_file)
            if address is not None:
                return address
            address_file.unlink(missing_ok=True)
            return await self._start(runtime, environ)
        finally:
            guard.close()

    async def _start(self, runtime: Path, environ: Mapping[str, str]) -> Address:
        log_path = places.workspace_state_dir(self.folder) / "server.log"
        address_file = runtime / "address.json"
        argv = [sys.executable, "-P", "-m", "rdev_bridge", "serve", str(self.folder), "--port", "0"]
        argv += ["--lease", str(runtime / "lease"), "--start-lock", str(runtime / "start-lock")]
        argv += ["--address-file", str(address_file)]
        process = await asyncio.to_thread(_spawn, argv, log_path, environ)
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            address = _read(address_file)
            if address is not None:
                return address
            if process.returncode is not None:
                break
            await asyncio.sleep(_POLL_S)
        else:
            process.terminate()
        raise RdevError(f"the embedded server did not start: {_last_words(log_path)}", reason="embeddedServer")


async def _lock(file: IO[bytes], how: int, what: str) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S + 5.0
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise RdevError(f"{what} has been locked for too long: {file.name}", reason="embeddedServer") from None
            await asyncio.sleep(_POLL_S)
        else:
            return


def _read(path: Path) -> Address | None:
    """What the server that lives now wrote there; None where there is none, or it has died.

    A server holds a lock on its file for as long as it lives. Who answers at the url proves nothing: any user of this
    machine can take the port of a dead server, and would be sent the key.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return msgspec.json.decode(file.read(), type=Address)
    except (OSError, msgspec.DecodeError):
        pass
    return None


def _open_private(path: Path) -> IO[bytes]:
    """In no thread: a cancelled caller would leave the file open, and to begin a thread takes longer than this."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+b", buffering=0)


def _spawn(argv: list[str], log_path: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Its own session, nothing of ours open; no key of the user's and no mark of a command that we may be part of."""
    keep = {name: value for name, value in environ.items() if not name.startswith(_NOT_FOR_IT)}
    if log_path.exists() and log_path.stat().st_size > _MAX_LOG_BYTES:
        log_path.unlink()
    with os.fdopen(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=keep, start_new_session=True
        )
    # Somebody has to take its exit status, however long this bridge lives, and whether or not anybody waits for it.
    threading.Thread(target=process.wait, name="embedded-server-reaper", daemon=True).start()
    return process


def _last_words(log_path: Path) -> str:
    try:
        lines = log_path.read_text("utf-8", "replace").split("\n")
    except OSError:
        lines = []
    said = [line for line in lines[-20:] if line.strip()]
    return f"{said[-1][:300]} (all of it: {log_path})" if said else f"it said nothing; see {log_path}"
