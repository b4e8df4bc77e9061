"""The server as a process: start-up, what it says, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdev_bridge import __version__
from rdev_bridge.server.app import RdevServer
from rdev_bridge.server.commands import Commands
from rdev_bridge.server.http import http_server
from rdev_bridge.server.lease import Lease
from rdev_bridge.server.limits import Limits
from rdev_bridge.server.security import Gate, Tickets
from rdev_bridge.server.store import own_store, remove_address, write_address
from rdev_bridge.signals import heeded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SWEEP_S = 600.0
_CLOSE_GRACE_S = 2.0
_OPEN_FILES = 8192
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (read, not bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `rdev-bridge serve` was told. `state` is a private folder of this root's servers."""

    root: Path
    project: str
    host: str
    port: int
    gate: Gate
    shell: tuple[str, ...]
    state: Path
    lease: Path | None = None
    start_lock: Path | None = None
    address_file: Path | None = None
    limits: Limits = field(default_factory=Limits)


def open_files() -> int:
    """The bound on open files, which many systems set lower at first than they allow; commands inherit it."""
    soft, hard = (sys.maxsize if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
    wanted = min(_OPEN_FILES, hard)
    if soft >= wanted:
        return soft
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return wanted
    return soft


def watch_children_by_pidfd() -> None:
    """Learn of a process's end without a thread for each, which takes longer to start than the process (pidfd_open(2)).

    Python does so by itself from 3.12 on.
    """
    if sys.version_info < (3, 12):
        with contextlib.suppress(AttributeError, OSError):  # no Linux, or one that is too old or does not allow it
            os.close(os.pidfd_open(os.getpid()))
            asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


def serve(options: Options, environ: Mapping[str, str]) -> None:
    """Serve until a signal comes or the lease ends. Raises OSError where the address cannot be had."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="rdev-bridge serve: %(message)s")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with (
        socket.create_server((options.host, options.port), family=family, backlog=512) as listener,
        own_store(options.state) as store,
        contextlib.ExitStack() as alive,
    ):
        # Accepted connections inherit it. asyncio sets it only on sockets made with a protocol number, and without it
        # each small event waits 40 ms for the acknowledgement of the one before.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        watch_children_by_pidfd()
        asyncio.run(_serve(options, environ, listener, store, alive))


async def _serve(
    options: Options, environ: Mapping[str, str], listener: socket.socket, store: Path, alive: contextlib.ExitStack
) -> None:
    """`alive` closes what shall be open to the end."""
    limits = options.limits.within(open_files())
    url = _url(options.host, listener.getsockname()[1])
    commands = Commands(store, root=options.root, shell=options.shell, environ=environ, limits=limits)
    tickets = Tickets(limits.ticket_s)
    app = RdevServer(options.project, commands, gate=options.gate, tickets=tickets, limits=limits, version=__version__)

    def announce() -> None:
        if options.address_file is not None:
            file, key = options.address_file, options.gate.key
            alive.enter_context(write_address(file, url=url, project=options.project, key=key, version=__version__))
        print(json.dumps({"url": url, "project": options.project}), flush=True)  # noqa: T201 (the contract's first line)

    def is_idle() -> bool:
        return commands.running == 0 and app.streams == 0

    server = http_server(app.asgi(), limits, announce)
    told_to_leave = asyncio.Event()
    alive.enter_context(heeded(lambda _: told_to_leave.set()))
    serving = asyncio.create_task(server.serve([listener]))
    orphans = asyncio.create_task(commands.end_orphans())
    sweeping = asyncio.create_task(commands.keep_swept(_SWEEP_S))
    reasons = [serving, asyncio.create_task(told_to_leave.wait())]
    if options.lease is not None:
        lease = Lease(options.lease, options.start_lock, options.address_file)
        reasons.append(asyncio.create_task(lease.ended(is_idle, limits.idle_s)))
    await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
    if options.address_file is not None:
        remove_address(options.address_file)
    await commands.close(_CLOSE_GRACE_S)
    server.should_exit = True
    await serving
    for task in (orphans, sweeping, *reasons):
        task.cancel()


def _url(host: str, port: int) -> str:
    reachable = _WILDCARDS.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
