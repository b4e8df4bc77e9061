"""Keys: where they are kept, and to which place each may go.

A key is bound to the scheme, host and port of its server and stored under that origin: a server whose url is changed
does not get the key of its old place. Order: `RDEV_API_KEY` where it may go there, `api_key_command`, the system's
keyring, a 0600 file where there is no keyring. Keys are never written to a log, an error, an argv or an environment.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import tempfile
from typing import TYPE_CHECKING

from rdev_bridge import places
from rdev_bridge.core.origin import origin
from rdev_bridge.errors import RdevError
from rdev_bridge.model import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rdev_bridge.model import RemoteServer

COMMAND_TIMEOUT_S = 60.0  # a password manager may ask its user for a finger
_SERVICE = "rdev-bridge"
_MAX_KEY_BYTES = 16 * 1024
_PRINTABLE = re.compile(r"[!-~]+")


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that we start on this machine: `RDEV_*` is none of its business."""
    return {name: value for name, value in environ.items() if not name.startswith("RDEV_")}


def key_for(server: RemoteServer, environ: Mapping[str, str]) -> Secret | None:
    """The key that may go to `server`, or None where the user has given none.

    Blocks: on a keyring's dialogue, or on `api_key_command` for up to COMMAND_TIMEOUT_S. Raises RdevError where a
    source of keys is there but fails, since going on without the key would only say "unauthorised" later.
    """
    from_environment = environ.get("RDEV_API_KEY", "")
    if server.key_from_environment and from_environment.strip():
        return _checked(from_environment, "RDEV_API_KEY")
    if server.api_key_command:
        return _from_command(server, environ)
    stored = _from_keyring(server) or _from_file(server)
    return _checked(stored, f"the stored key of {server.name}") if stored else None


def store_key(server: RemoteServer, key: Secret) -> str:
    """Keep `key` for `server`; returns where, in words. Raises RdevError."""
    key = _checked(key.reveal(), "this key")
    import keyring  # slow
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, origin(server.url), key.reveal())
    except (KeyringError, RuntimeError):
        path = _file(server)
        places.replace_file(path, f"{key.reveal()}\n".encode())
        return f"{path} (this machine has no keyring)"
    _file(server).unlink(missing_ok=True)
    return "the system's keyring"


def forget_key(server: RemoteServer) -> bool:
    """Remove every stored key of `server`; false where there was none. Raises RdevError where it cannot be removed."""
    import keyring  # slow
    from keyring.errors import KeyringError, NoKeyringError

    found = False
    try:
        if keyring.get_password(_SERVICE, origin(server.url)) is not None:
            keyring.delete_password(_SERVICE, origin(server.url))
            found = True
    except (NoKeyringError, RuntimeError):
        pass
    except KeyringError as error:
        raise RdevError(f"the keyring does not let the key go ({type(error).__name__})", reason="keyring") from None
    path = _file(server)
    found = path.exists() or found
    path.unlink(missing_ok=True)
    return found


def describe_source(server: RemoteServer, environ: Mapping[str, str]) -> str:
    """Where `key_for` looks first and finds something, in words and without the key; empty where nothing is there."""
    if server.key_from_environment and environ.get("RDEV_API_KEY", "").strip():
        return "RDEV_API_KEY"
    if server.api_key_command:
        return f"api_key_command ({server.api_key_command[0]})"
    if _from_keyring(server):
        return "the system's keyring"
    return str(_file(server)) if _from_file(server) else ""


def _checked(key: str, where: str) -> Secret:
    """`key` without blanks around it. Raises RdevError for what no HTTP header can hold."""
    key = key.strip()
    if not _PRINTABLE.fullmatch(key):
        raise RdevError(f"{where} is no key: it holds blanks, line ends or characters beyond ASCII", reason="badKey")
    return Secret(key)


def _from_command(server: RemoteServer, environ: Mapping[str, str]) -> Secret:
    command = server.api_key_command or ()
    where = f"api_key_command of {server.name} ({command[0]})"
    inherited = {name: value for name, value in environ.items() if name != "RDEV_API_KEY"}
    with tempfile.TemporaryFile() as output:  # a child that lives on cannot hold up the reading of a file
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=inherited,
            )
        except OSError as error:
            raise RdevError(f"{where} cannot be started: {error.strerror}", reason="keyCommand") from None
        try:
            code = process.wait(COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise RdevError(f"{where} did not end within {COMMAND_TIMEOUT_S:g} s", reason="keyCommand") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code != 0:
            ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
            raise RdevError(f"{where} {ended}; run it by hand to see why", reason="keyCommand")
        output.seek(0)
        text = output.read(_MAX_KEY_BYTES + 1)
    if not text.strip():
        raise RdevError(f"{where} printed nothing; it should print the key", reason="keyCommand")
    return _checked(text[:_MAX_KEY_BYTES].decode("utf-8", "replace"), f"what {where} printed")


def _from_keyring(server: RemoteServer) -> str | None:
    import keyring  # slow
    from keyring.errors import KeyringError, NoKeyringError

    try:
        return keyring.get_password(_SERVICE, origin(server.url))
    except (NoKeyringError, RuntimeError):  # RuntimeError: a backend that is named but cannot be had
        return None
    except KeyringError as error:
        if _file(server).exists():
            return None
        raise RdevError(
            f"the system's keyring does not open ({type(error).__name__}); unlock it and try again", reason="keyring"
        ) from None


def _file(server: RemoteServer) -> Path:
    name = re.sub(r"[^a-z0-9.]+", "-", origin(server.url)) + ".key"
    return places.private(places.state_dir() / "keys") / name


def _from_file(server: RemoteServer) -> str | None:
    path = _file(server)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RdevError(f"{path} cannot be read: {error.strerror}", reason="keyFile") from None
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.getuid() or stat.S_IMODE(info.st_mode) & 0o077:
            raise RdevError(
                f"{path} can be read or changed by others, so its key is not used; "
                f"have the key replaced on the server, then `rdev-bridge login` stores the new one",
                reason="keyFile",
            )
        return file.read(_MAX_KEY_BYTES).decode("utf-8", "replace")
