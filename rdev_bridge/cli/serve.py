"""`rdev-bridge serve`: this machine as an rdev server."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rdev_bridge.errors import RdevError, UsageError

if TYPE_CHECKING:
    from rdev_bridge.server.security import Gate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `serve`; docs/server.md tells about each."""
    parser.add_argument(
        "root", metavar="ROOT", nargs="?", type=Path, default=Path(), help="the folder that commands run in (here)"
    )
    parser.add_argument("--project", metavar="ID", help="the project's id (the folder's name)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, metavar="PORT", default=8080, help="the port; 0 takes a free one (%(default)s)"
    )
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="read the key from this file (chmod 600)")
    parser.add_argument("--shell", default="sh -c", metavar="ARGV", help="what starts each command (%(default)s)")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="also answer to this Host")
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL", help="let pages of this origin use the server"
    )
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where journals and the key are kept")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=NUMBER", help="change a bound; see docs/server.md"
    )
    started = parser.add_argument_group("used by the bridge when it starts the server itself")
    started.add_argument("--lease", type=Path, metavar="FILE", help="end when nobody holds a lock on FILE")
    started.add_argument("--start-lock", type=Path, metavar="FILE", help="held by whoever looks for the server")
    started.add_argument("--address-file", type=Path, metavar="FILE", help="write url, key and pid here (0600)")


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 (a free one) to 65535")
    return number


def run(args: argparse.Namespace) -> int:
    """Serve until a signal or the lease's end; 0 then."""
    from rdev_bridge import places
    from rdev_bridge.server.limits import Limits
    from rdev_bridge.server.main import Options, serve
    from rdev_bridge.server.security import is_project_id, project_id_for
    from rdev_bridge.server.store import StoreError

    root = args.root.resolve()
    if not root.is_dir():
        raise UsageError(f"{args.root} is no folder")
    project = project_id_for(root.name) if args.project is None else args.project
    if not is_project_id(project):
        raise UsageError(f"{project!r} cannot be a project's id: use 1 to 64 of A-Z a-z 0-9 _ . -")
    try:
        limits = Limits().changed(args.limit)
        shell = tuple(shlex.split(args.shell))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not shell:
        raise UsageError("--shell needs a program, such as 'sh -c'")
    try:
        state = places.private(args.state_dir or places.state_dir() / "server" / places.workspace_key(root))
        options = Options(
            root=root,
            project=project,
            host=args.host,
            port=args.port,
            gate=_gate(args, state),
            shell=shell,
            state=state.resolve(),
            lease=args.lease,
            start_lock=args.start_lock,
            address_file=args.address_file,
            limits=limits,
        )
        serve(options, os.environ)
    except StoreError as error:
        raise RdevError(str(error), reason="store") from error
    except OSError as error:
        raise RdevError(
            f"cannot listen on {args.host} port {args.port}: {error.strerror or error}. "
            f"Choose another with --host and --port; --port 0 takes a free one",
            reason="listen",
        ) from error
    return 0


def _gate(args: argparse.Namespace, state: Path) -> Gate:
    """The key and whom to let in. Raises UsageError, StoreError."""
    from rdev_bridge.server.security import Gate, is_loopback
    from rdev_bridge.server.store import check_key, kept_key, read_key

    beyond = not is_loopback(args.host)
    names = {name.lower() for name in args.allow_host}
    for name in names:
        if not re.fullmatch(r"[a-z0-9_.-]+", name):
            raise UsageError(f"--allow-host takes a bare name such as dev.example.com, not {name!r}")
    origins = {origin.rstrip("/").lower() for origin in args.allow_origin}
    for origin in origins:
        if not re.fullmatch(r"https?://[a-z0-9_.\[\]:-]+", origin):
            raise UsageError(f"--allow-origin takes an origin such as https://dev.example.com:3000, not {origin!r}")
    key = os.environ.get("RDEV_API_KEY") or None  # set but empty is what CI makes of a secret that is not there
    if args.api_key_file is not None:
        key = read_key(args.api_key_file)
    elif key is not None:
        check_key(key, "RDEV_API_KEY")
    elif beyond:
        raise UsageError(
            f"listening on {args.host} lets other machines in: give a key of your own "
            f"with --api-key-file or RDEV_API_KEY"
        )
    else:
        key = kept_key(state / "key")
        print(f"rdev-bridge serve: the key is in {state / 'key'}", file=sys.stderr)
    if beyond:
        names.add(socket.gethostname().lower())
        print(
            "rdev-bridge serve: other machines can reach this server, and without TLS anyone on the way can read "
            "the key and all output; put a TLS proxy in front, or use ssh -L",
            file=sys.stderr,
        )
    return Gate(key, frozenset(names), frozenset(origins), beyond_loopback=beyond)
