"""Where a run goes: flags, then environment, then the workspace's file, then the user's, then defaults.

`RDEV_API_KEY` goes only with `RDEV_URL`, or, where that is not set, with a server of the user's own file (contract,
section 3). A url of the command line gets the key of a server of the user's own only where it is the same place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rdev_bridge.core.origin import PLAIN_HTTP, check_url, exposes_key, origin
from rdev_bridge.core.paths import PathMap, PathPair
from rdev_bridge.errors import UsageError
from rdev_bridge.model import EmbeddedServer, RemoteServer, Target
from rdev_bridge.settings import values
from rdev_bridge.settings.schema import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdev_bridge.errors import SettingsError
    from rdev_bridge.model import Server, Task
    from rdev_bridge.settings.locate import KeyPath
    from rdev_bridge.settings.user import UserConfig
    from rdev_bridge.settings.workspace import Workspace


class Flags(msgspec.Struct, frozen=True):
    """What the command line said; None where it said nothing."""

    url: str | None = None
    server: str | None = None
    project: str | None = None


_NO_FLAGS = Flags()


def resolve(
    workspace: Workspace,
    user: UserConfig,
    *,
    task: Task | None = None,
    flags: Flags = _NO_FLAGS,
    environ: Mapping[str, str],
) -> Target:
    """The target of `task`, or of a free command. Raises UsageError and SettingsError."""
    return Target(
        server=_server(workspace, user, task, flags, environ),
        project=_project(workspace, task, flags, environ),
        remote_root=(task and task.remote_root) or workspace.remote_root,
    )


def path_map(workspace: Workspace, target: Target) -> PathMap:
    """How the server's paths and the workspace's belong together.

    The embedded server sees the folder where it is, whatever `remote_root` says for the servers of others.
    """
    pairs = workspace.paths
    if isinstance(target.server, EmbeddedServer):
        pairs = (*pairs, PathPair(str(workspace.folder), "."))
    return PathMap(workspace.folder, target.remote_root, pairs)


def named_server(user: UserConfig, name: str, *, where: str = "--server") -> RemoteServer:
    """The server of the user's own file with this name. Raises UsageError."""
    if name not in user.servers:
        raise UsageError(f"{where}: {_no_server(user, name)}")
    return user.servers[name]


def unknown_servers(
    workspace: Workspace, user: UserConfig, *, flags: Flags = _NO_FLAGS, environ: Mapping[str, str]
) -> Iterator[SettingsError]:
    """The servers that the workspace's file names and the user's does not describe, as `resolve` would tell each.

    None where another server is used anyway, whatever the file says.
    """
    if flags.url is not None or flags.server is not None or environ.get("RDEV_URL"):
        return
    named: list[tuple[KeyPath, str | None]] = [(("server",), workspace.server)]
    named += [(("tasks", task.name, "server"), task.server) for task in workspace.tasks.values()]
    for keys, name in named:
        if name is not None and name not in {EMBEDDED, *user.servers}:
            yield workspace.error(keys, _no_server(user, name))


def _server(
    workspace: Workspace, user: UserConfig, task: Task | None, flags: Flags, environ: Mapping[str, str]
) -> Server:
    if flags.url is not None and flags.server is not None:
        raise UsageError("--url and --server are two ways to say the same; give one of them")
    if flags.url is not None:
        return _at_url(flags.url, "--url", user, environ)
    keys: KeyPath | None = None
    if flags.server is not None:
        chosen = flags.server
    elif environ.get("RDEV_URL"):
        return _at_url(environ["RDEV_URL"], "RDEV_URL", user, environ)
    elif task is not None and task.server is not None:
        chosen, keys = task.server, ("tasks", task.name, "server")
    elif workspace.server is not None:
        chosen, keys = workspace.server, ("server",)
    elif user.default_server is not None:
        chosen = user.default_server
    else:
        chosen = EMBEDDED
    if chosen == EMBEDDED:
        return EmbeddedServer(workspace.folder)
    if chosen in user.servers:
        return _with_environment(user.servers[chosen], environ, own=True)
    if keys is None:
        raise UsageError(f"--server: {_no_server(user, chosen)}")
    raise workspace.error(keys, _no_server(user, chosen))


def _no_server(user: UserConfig, name: str) -> str:
    known = values.nearest(name, (*user.servers, EMBEDDED))
    return f"your {user.path} has no [servers.{name}]{known or '; describe it there, with its url'}"


def _at_url(url: str, where: str, user: UserConfig, environ: Mapping[str, str]) -> RemoteServer:
    try:
        url = check_url(url)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    place = origin(url)
    own = next((server for server in user.servers.values() if origin(server.url) == place), None)
    server = replace(own, url=url) if own else RemoteServer(name=place.partition("://")[2], url=url)
    server = replace(server, setting=where)
    if exposes_key(url) and not server.allow_http:
        raise UsageError(f"{where}: {PLAIN_HTTP}, or describe it in {user.path} with allow_http = true")
    return _with_environment(server, environ, own=own is not None)


def _with_environment(server: RemoteServer, environ: Mapping[str, str], *, own: bool) -> RemoteServer:
    """Whether `RDEV_API_KEY` may be sent there: with `RDEV_URL` set it belongs to that place and to no other."""
    named = environ.get("RDEV_URL")
    try:
        allowed = origin(check_url(named)) == origin(server.url) if named else own
    except ValueError:
        allowed = False
    return replace(server, key_from_environment=allowed)


def _project(workspace: Workspace, task: Task | None, flags: Flags, environ: Mapping[str, str]) -> str:
    for name, where in ((flags.project, "--project"), (environ.get("RDEV_PROJECT"), "RDEV_PROJECT")):
        if name:
            try:
                return values.project(name)
            except values.WrongValueError as error:
                raise UsageError(f"{where}: {error}") from None
    return (task and task.project) or workspace.project
