"""The user's own `config.toml`: the servers, and how their keys are had. Nothing else says where a key goes."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.core.origin import PLAIN_HTTP, check_url, exposes_key
from rdev_bridge.errors import SettingsError
from rdev_bridge.model import RemoteServer
from rdev_bridge.places import config_file
from rdev_bridge.settings import values
from rdev_bridge.settings.schema import EMBEDDED, SERVER, USER, check
from rdev_bridge.settings.source import Source, show_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class UserConfig(msgspec.Struct, frozen=True):
    """The user's servers by name. `path` need not exist."""

    path: Path
    servers: Mapping[str, RemoteServer] = msgspec.field(default_factory=dict)
    default_server: str | None = None


def load_user(path: Path | None = None) -> UserConfig:
    """Read the user's `config.toml` (default: the platform's place for it). Raises SettingsError.

    It names commands that are run and places that keys are sent to, so nobody else may be able to write it.
    """
    source = Source.read(path or config_file())
    with contextlib.suppress(FileNotFoundError):
        info = source.path.stat()
        if info.st_uid not in {os.getuid(), _ROOT}:
            raise SettingsError("belongs to somebody else, who could send your keys anywhere", path=source.path)
        if info.st_mode & stat.S_IWOTH:
            problem = "can be changed by every user of this machine; make it yours: chmod go-w"
            raise SettingsError(f"{problem} {shlex.quote(str(source.path))}", path=source.path)
    return user_from(source)


def user_from(source: Source) -> UserConfig:
    """The same from a file that was read. Raises SettingsError."""
    found = check(source, (), source.data, USER)
    servers = {name: _server(source, name, table) for name, table in found.get("servers", {}).items()}
    default = found.get("default_server")
    if default is not None and default not in {EMBEDDED, *servers}:
        hint = values.nearest(default, (*servers, EMBEDDED)) or "; describe it here, with its url"
        raise source.error(("default_server",), f"there is no [servers.{default}]{hint}")
    return UserConfig(source.path, servers, default)


def _server(source: Source, name: str, table: Any) -> RemoteServer:
    keys = ("servers", name)
    if name == EMBEDDED:
        raise source.error(keys, f'"{EMBEDDED}" is the server that the bridge starts by itself; choose another name')
    if not name.strip() or name.startswith("-") or not name.isprintable() or len(name) > 100:
        raise source.error(keys, 'a server\'s name is up to 100 printable characters and begins with no "-"')
    found = check(source, keys, table, SERVER)
    try:
        url = check_url(found["url"])
    except ValueError as error:
        raise source.error((*keys, "url"), str(error)) from None
    if exposes_key(url) and not found.get("allow_http"):
        raise source.error((*keys, "url"), f"{PLAIN_HTTP}, or allow_http = true here if you accept that")
    return RemoteServer(
        name=name,
        url=url,
        api_key_command=found.get("api_key_command"),
        key_from_environment=True,
        allow_http=found.get("allow_http", False),
        setting=f"url of [servers.{show_key((name,))}] in {source.path}",
    )


_ROOT = 0
