"""What `doctor` looks at. Each check says what it found, and where something is wrong, what to do."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rdev_bridge import __version__, places, trust
from rdev_bridge.errors import RdevError, SettingsError, UsageError
from rdev_bridge.model import EmbeddedServer, RemoteServer
from rdev_bridge.settings import load_user, load_workspace, resolve, unknown_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from rdev_bridge.model import Target
    from rdev_bridge.remote.connect import Connector
    from rdev_bridge.settings import Flags, Workspace

_ASK = "is the server running, and its url and project right?"
_PATIENCE_S = 45.0
_ROUNDS = 5
_FILES_WANTED = 1024
_FOLDERS_COUNTED = 200_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` is what to do; a finding with one and `ok` is a hint, without `ok` a fault."""

    what: str
    text: str
    ok: bool = True
    advice: str | None = None


async def examine(folder: Path, flags: Flags, environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """All findings, in the order in which one thing rests on another; what rests on a fault is left out."""
    yield Finding("version", f"rdev-bridge {__version__}, Python {platform.python_version()}, {platform.system()}")
    try:
        user = load_user()
        there = _many(len(user.servers), "server") if user.path.exists() else "not there, which is fine"
        yield Finding("config.toml", f"{user.path} ({there})")
        workspace = load_workspace(folder)
        for finding in _workspace(workspace):
            yield finding
        for error in unknown_servers(workspace, user, flags=flags, environ=environ):
            if error.key != "server":  # the workspace's own is told below
                yield Finding("server", str(error), ok=False, advice="mend that name, or describe the server")
        target = resolve(workspace, user, flags=flags, environ=environ)
    except UsageError as error:
        what = error.path.name if isinstance(error, SettingsError) and error.path else "configuration"
        yield Finding(what, str(error), ok=False, advice="mend that; docs/configuration.md tells about every key")
        return
    yield Finding("server", _server(target))
    usable = True
    if isinstance(target.server, RemoteServer):
        async for finding in _key(target.server, target, environ):
            usable = usable and finding.ok
            yield finding
    if usable:
        for finding in await _stream(target, environ):
            yield finding
    for finding in (*_limits(folder), *_folders(folder)):
        yield finding


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _workspace(workspace: Workspace) -> Iterator[Finding]:
    if workspace.config_file is None:
        yield Finding("rdev.toml", f"none in {workspace.folder}", advice="`rdev-bridge init` writes one")
        return
    yield Finding("rdev.toml", f"{workspace.config_file} ({_many(len(workspace.tasks), 'task')})")
    if any(task.watch for task in workspace.tasks.values()):
        if trust.is_trusted(workspace.folder, workspace.digest):
            yield Finding("trust", "tasks may start by themselves")
        else:
            yield Finding("trust", "no task starts by itself", advice="`rdev-bridge trust` allows it, after a look")
    from rdev_bridge.problems.matchers import wrong_in

    for error in wrong_in(workspace):
        yield Finding("matcher", str(error), ok=False, advice="mend that matcher")


def _server(target: Target) -> str:
    if isinstance(target.server, EmbeddedServer):
        return "the embedded one, started for this workspace"
    where = f", files in {target.remote_root}" if target.remote_root else ""
    return f"{target.server.name}: {target.server.url}, project {target.project}{where}"


async def _key(server: RemoteServer, target: Target, environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    from rdev_bridge import keys
    from rdev_bridge.cli.login import REFUSED, ask_status, check_key

    login = f"`rdev-bridge login {shlex.quote(server.name)}`"
    try:
        key = await asyncio.to_thread(keys.key_for, server, environ)
        source = await asyncio.to_thread(keys.describe_source, server, environ)
    except RdevError as error:
        yield Finding("key", str(error), ok=False, advice=f"mend that, or keep a key with {login}")
        return
    where = f"from {source}" if key else "none"
    if environ.get("RDEV_API_KEY") and not server.key_from_environment:
        where += " (RDEV_API_KEY belongs to another place: RDEV_URL, or a server of your config.toml)"
    try:
        if key is None:
            wanted = await ask_status(server, target.project, None) in REFUSED
            text = f"{where}, and {'the server wants one' if wanted else 'none is asked for'}"
            yield Finding("key", text, ok=not wanted, advice=login if wanted else None)
            return
        proven = await check_key(server, target.project, key)
    except RdevError as error:
        advice = login if error.reason == "unauthorized" else error.advice or _ASK
        yield Finding("key", f"{where}; {error.problem}", ok=False, advice=advice)
        return
    yield Finding("key", f"{where}, {'accepted' if proven else 'not refused (nor is a wrong one)'}")


async def _stream(target: Target, environ: Mapping[str, str]) -> list[Finding]:
    from rdev_bridge.remote.connect import open_server

    try:
        async with asyncio.timeout(_PATIENCE_S):
            began_s = time.monotonic()
            async with open_server(target, environ=environ) as connector:
                return await _talk(connector, target, (time.monotonic() - began_s) * 1000)
    except TimeoutError:
        advice = "does a proxy on the way hold the stream back?"
        return [Finding("stream", f"it did not end within {_PATIENCE_S:.0f} s", ok=False, advice=advice)]
    except RdevError as error:
        return [Finding("stream", error.problem, ok=False, advice=error.advice or _ASK)]
    except UsageError as error:
        return [Finding("stream", str(error), ok=False, advice="is its url right?")]


async def _talk(connector: Connector, target: Target, opened_ms: float) -> list[Finding]:
    """A command that says something on both streams and ends with a code of its own, and a few that do nothing."""
    from rdev_bridge.remote.items import CommandSpec, Completed, ConnectionChanged, OutputArrived

    command = await connector.start(CommandSpec("echo out; echo err >&2; exit 7"))
    said: dict[str, str] = {}
    numbered, code, last = True, None, ""
    async for item in command.follow(None):
        if isinstance(item, OutputArrived):
            numbered = item.position is not None
            for chunk in item.chunks:
                said[chunk.stream] = said.get(chunk.stream, "") + chunk.text()
        elif isinstance(item, Completed):
            code = item.exit_code
        elif not isinstance(item, ConnectionChanged):
            last = getattr(item, "message", "")
    if said != {"stdout": "out\n", "stderr": "err\n"} or code != 7:
        seen = f"expected out, err and exit code 7, but got {said} and {code} {last}"
        return [Finding("stream", seen, ok=False, advice="this is no rdev server, or it has no POSIX shell")]
    advice = None if numbered else "it gives events no ids: a stream that breaks there cannot be resumed"
    findings = [Finding("stream", "stdout, stderr and exit code arrive", advice=advice)]
    times_ms = []
    for _ in range(_ROUNDS):
        began_s = time.monotonic()
        await connector.ask("true", cancellable=False)
        times_ms.append((time.monotonic() - began_s) * 1000)
    findings.append(Finding("latency", f"{median(times_ms):.0f} ms for a command (opened in {opened_ms:.0f} ms)"))
    root = target.remote_root
    if root and isinstance(target.server, RemoteServer):
        answer = await connector.ask(f"cd -- {shlex.quote(root)}", cancellable=False)
        if answer.exit_code == 0:
            findings.append(Finding("remote_root", f"{root} is there"))
        else:
            advice = 'mend remote_root, or bring the files there with sync = "push"'
            findings.append(Finding("remote_root", f"{root} is no folder on the server", advice=advice))
    return findings


def _limits(folder: Path) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES_WANTED:
        yield Finding("open files", f"{soft} at most", advice=f"`ulimit -n {min(hard, 4096)}` in your shell's profile")
    else:
        yield Finding("open files", "no limit" if soft == resource.RLIM_INFINITY else f"{soft} at most")
    if sys.platform != "linux":
        return
    allowed = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
    count = _count_folders(folder)
    many = f"{_many(count, 'folder')} here, {allowed} watches allowed"
    if count < allowed // 2:
        yield Finding("file watching", many)
    else:
        advice = f"watching falls back to looking; `sudo sysctl fs.inotify.max_user_watches={max(524288, 4 * count)}`"
        yield Finding("file watching", many, advice=advice)


def _count_folders(folder: Path) -> int:
    """Folders that a watcher looks at: all that the ignore rules do not exclude."""
    from rdev_bridge.ignore import IgnoreRules

    rules = IgnoreRules(str(folder))
    count, pending = 0, [str(folder)]
    while pending and count < _FOLDERS_COUNTED:
        count += 1
        try:
            with os.scandir(pending.pop()) as entries:
                below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        pending += [path for path in below if not path.endswith("/.git") and not rules.folder_ignored(path)]
    return count


def _folders(folder: Path) -> Iterator[Finding]:
    try:
        yield Finding("state", f"{places.workspace_state_dir(folder)} (runs, logs)")
        yield Finding("runtime", str(places.runtime_dir(folder)))
    except (RdevError, OSError) as error:
        yield Finding("folders", str(error), ok=False, advice="these folders must be yours, and writable")
