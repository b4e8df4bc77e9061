"""Where files live: configuration, state and runtime, all private to the user (0700)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from platformdirs import user_config_path, user_state_path

from rdev_bridge.errors import RdevError

_NAME = "rdev-bridge"


def config_file() -> Path:
    """The user's own `config.toml`; it need not exist."""
    return user_config_path(_NAME) / "config.toml"


def state_dir() -> Path:
    """What must survive a restart: run history, trust, fallback keys. Made 0700."""
    return private(state_path())


def state_path() -> Path:
    """`state_dir`, which need not exist yet."""
    return user_state_path(_NAME)


def workspace_state_dir(folder: Path) -> Path:
    """The part of the state that belongs to one workspace folder (symbolic links resolved)."""
    return private(state_dir() / "workspaces" / workspace_key(folder))


def runtime_dir(folder: Path) -> Path:
    """Where the bridges of one workspace meet their embedded server: locks and its address."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    is_usable = base.is_absolute()  # a relative one does not count (XDG Base Directory Specification)
    root = base / _NAME if is_usable else Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"
    return private(private(root) / workspace_key(folder))


def workspace_key(folder: Path) -> str:
    """A name for `folder` that is a safe file name, readable, and differs between two folders of one name."""
    real = folder.resolve()
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in real.name)[:40]
    return f"{readable or 'root'}-{digest}"


def replace_file(path: Path, content: bytes) -> None:
    """`content` in the place of what `path` held: 0600 from the start, on the disk, whole or not at all.

    Raises OSError.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def private(path: Path) -> Path:
    """`path` as a folder that only this user can enter. What is missing above it is made as private (XDG says so).

    Raises RdevError where it cannot be made, or where somebody else owns it, or made it a link (a squatted folder in
    a shared /tmp).
    """
    try:
        try:
            info = path.lstat()
        except FileNotFoundError:
            for folder in (*reversed(path.parents), path):
                if folder == path or not folder.exists():
                    with contextlib.suppress(FileExistsError):
                        folder.mkdir(mode=0o700)
            info = path.lstat()
        if info.st_uid != os.getuid() or not stat.S_ISDIR(info.st_mode):
            raise RdevError(f"{path} is not a folder of yours; remove it or set XDG_RUNTIME_DIR", reason="unsafeFolder")
        if stat.S_IMODE(info.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        advice = "HOME, XDG_STATE_HOME and XDG_RUNTIME_DIR say where the bridge keeps its files"
        raise RdevError(f"{path} cannot be used: {error.strerror}", reason="unsafeFolder", advice=advice) from None
    return path
