"""The server's files: its own store, its key, the address that bridges look up. All 0600 in 0700."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STORES = 64
_MAX_KEY_BYTES = 16 * 1024


class StoreError(Exception):
    """A file or folder cannot be used; the message says what to do."""


@contextlib.contextmanager
def own_store(state: Path) -> Iterator[Path]:
    """A folder in `state` that no other living server uses: a second server of the same root takes the next one.

    Raises StoreError.
    """
    for number in range(1, _STORES + 1):
        store = state / f"store-{number}"
        store.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(store / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield store
        finally:
            os.close(lock)
        return
    raise StoreError(f"{_STORES} servers of this folder are running; end some, or name a --state-dir")


def read_key(path: Path) -> str:
    """The key in a file that only this user can read. Raises StoreError."""
    try:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            if info.st_uid != os.getuid() or stat.S_IMODE(info.st_mode) & 0o077:
                raise StoreError(f"{path} can be read by others; make it yours alone: chmod 600 {path}")
            key = file.read(_MAX_KEY_BYTES).decode("ascii").strip()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        key = ""
    check_key(key, str(path))
    return key


def check_key(key: str, source: str) -> None:
    """Raises StoreError for a key that no header can carry."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise StoreError(f"{source} holds no key: a key is one line of visible ASCII characters")


def kept_key(path: Path) -> str:
    """The key in `path`; where there is none, a new one of 192 bits is put there. Raises StoreError."""
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            _write_whole(path, f"rdev_{secrets.token_urlsafe(24)}\n")
    return read_key(path)


def write_address(path: Path, *, url: str, project: str, key: str, version: str) -> IO[str]:
    """Say where this server is, for the bridges of this user, who believe it as long as the file returned is open.

    It holds a lock on what it wrote: the kernel lets go of it when the server dies, and nobody else can have it.
    """
    facts = {"url": url, "project": project, "pid": os.getpid(), "key": key, "version": version}
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    file = os.fdopen(descriptor, "w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(facts) + "\n")
        file.flush()
        Path(name).replace(path)
    except BaseException:
        file.close()
        Path(name).unlink(missing_ok=True)
        raise
    return file


def remove_address(path: Path) -> None:
    """Take back what `write_address` said, unless another server has said something else since."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()


def _write_whole(path: Path, text: str) -> None:
    """Raises FileExistsError."""
    file, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # 0600 from the start
    try:
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(text)
        path.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)
