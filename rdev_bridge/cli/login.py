"""`rdev-bridge login`: take a server's key, check it there, and keep it safely."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import sys
from typing import TYPE_CHECKING

from rdev_bridge.cli import options
from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import RemoteServer, Secret

if TYPE_CHECKING:
    import argparse

    from rdev_bridge.model import Target

REFUSED = {401, 403}
_MAX_KEY_CHARS = 16 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `login`."""
    parser.epilog = (
        "Asks for the key without showing it, or reads it from stdin where that is no terminal. The key goes into the "
        "system's keyring (a private file where there is none) and only ever to this scheme, host and port."
    )
    add_server(parser)
    parser.add_argument("--project", metavar="ID", help="the project to check the key with")
    parser.add_argument("--no-check", action="store_true", help="keep the key without asking the server")


def add_server(parser: argparse.ArgumentParser) -> None:
    """`[SERVER]`, `--url` and `-C`: which place a key is for."""
    options.add_folder(parser)
    parser.add_argument("server", nargs="?", metavar="SERVER", help="a server of your config.toml (the default one)")
    parser.add_argument("--url", help="a server's url, instead of a name")


def run(args: argparse.Namespace) -> int:
    """Ask, check, keep. Raises RdevError where the server refuses the key or cannot be asked."""
    from rdev_bridge import keys

    target, server = remote_target(args, args.project)
    key = _ask_for_key(server)
    if not args.no_check:
        print(f"checking the key with {visible(server.url)} ...", file=sys.stderr)
        try:
            told = asyncio.run(check_key(server, target.project, key))
        except RdevError as error:
            advice = None if error.reason == "unauthorized" else f"{error.advice or 'try again'}, or give --no-check"
            raise RdevError(f"{error.problem}; the key was not kept", reason=error.reason, advice=advice) from None
        if not told:
            print("the server answers the same to any key here, so this one could not be proven", file=sys.stderr)
    print(f"the key of {visible(server.name)} is kept in {keys.store_key(server, key)}", file=sys.stderr)
    first = keys.describe_source(server, os.environ)
    if first.startswith(("RDEV_API_KEY", "api_key_command")):
        print(f"note: {first} comes first and will be used instead", file=sys.stderr)
    return 0


def remote_target(args: argparse.Namespace, project: str | None = None) -> tuple[Target, RemoteServer]:
    """The server that the command line means. Raises UsageError where that is the embedded one."""
    from rdev_bridge.settings import Flags, load_user, load_workspace, resolve

    user = load_user()
    flags = Flags(url=args.url, server=args.server, project=project)
    target = resolve(load_workspace(options.root_of(args)), user, flags=flags, environ=os.environ)
    if not isinstance(target.server, RemoteServer):
        known = f"name one of {', '.join(user.servers)}" if user.servers else f"describe one in {user.path}"
        raise UsageError(f"no server is chosen, and the embedded one needs no key: {known}, or give --url")
    return target, target.server


async def check_key(server: RemoteServer, project: str, key: Secret) -> bool:
    """Whether the server tells that `key` is right; false where it answers just the same to a wrong one.

    Asks for a stream that does not exist, which any rdev server can be asked. Raises RdevError where the key is refused
    or nothing can be learnt.
    """
    status = await ask_status(server, project, key)
    if status in REFUSED:
        other = f", or it is not for the project {project}" if status == 403 else ""
        raise RdevError(f"{server.url} refuses this key{other} (HTTP {status})", reason="unauthorized")
    if status == 429 or status >= 500 or 300 <= status < 400:
        what = "sends us elsewhere" if status < 400 else "cannot answer now"
        raise RdevError(f"{server.url} {what} (HTTP {status}), so the key could not be checked", reason="unchecked")
    return await ask_status(server, project, Secret(secrets.token_hex(16))) in REFUSED


async def ask_status(server: RemoteServer, project: str, key: Secret | None) -> int:
    """The HTTP status for a stream that does not exist. Raises RdevError where the server cannot be asked."""
    import httpx

    from rdev_bridge.remote.http import call_url, checked_origin, new_client
    from rdev_bridge.remote.unreachable import failure, whereabouts

    base = checked_origin(server.url, allow_http=server.allow_http)
    url = call_url(base, project, "events", stream_id=f"login-{secrets.token_hex(12)}")
    try:
        async with new_client(base, key) as client, client.stream("GET", url) as response:
            return response.status_code
    except httpx.HTTPError as error:
        raise failure(error, whereabouts(server)).error() from None


def _ask_for_key(server: RemoteServer) -> Secret:
    if sys.stdin.isatty():
        text = getpass.getpass(f"Key for {visible(server.name)} ({visible(server.url)}): ")
    else:
        text = sys.stdin.read(_MAX_KEY_CHARS)
    if not text.strip():
        raise UsageError("no key was given; nothing was changed")
    return Secret(text.strip())
