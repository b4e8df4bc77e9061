"""A known key, a whole day with it, and then a search of everything: it is in its own file and nowhere else.

All Python of the programs under test logs at DEBUG, libraries included, with asyncio's debug mode on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdev_bridge import places
from tests.cli.bridge import ROOT
from tests.editor.editor import Editor
from tests.faults.cuts import after_events
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.support.foreign_server import ForeignServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 90.0
# What a command can see of its server and itself.
LOOK = "env; tr '\\0' '\\n' </proc/$$/environ; cat /proc/$PPID/cmdline; tr '\\0' '\\n' </proc/$$/cmdline"
DEBUG = """
import logging, sys
logging.basicConfig(filename={log!r}, level=logging.DEBUG, format="%(name)s %(message)s %(args)s")
"""


class Processes:
    """What every process of this machine shows to others, looked at again and again."""

    def __init__(self) -> None:
        self.shown: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        self.shown.add((process / name).read_bytes())


class Day:
    """One user with one folder; everything that the programs print is kept."""

    def __init__(self, folder: Path, log: Path, environ: dict[str, str]) -> None:
        self.folder, self.log = folder, log
        self.environ = {**os.environ, "PYTHONPATH": f"{log.parent}:{ROOT}", "PYTHONASYNCIODEBUG": "1", **environ}
        self.printed: list[bytes] = []

    async def call(self, *words: str, stdin: str = "") -> tuple[int, str]:
        """The exit code and all that was printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "rdev_bridge", *words),
            cwd=self.folder,
            env=self.environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate(stdin.encode())
        self.printed += [out, err]
        assert process.returncode is not None
        return process.returncode, (out + err).decode()

    def edit(self) -> None:
        """An editor's session; all messages are kept."""
        with Editor(self.folder, ignored=["rdev/connection", "rdev/tasksChanged"], environ=self.environ) as editor:
            editor.initialize(capabilities={"experimental": {"rdev": {}}})
            for request in ({"task": "test"}, {"command": LOOK}):
                run_id = editor.call("rdev/run", request)["runId"]
                self.printed.append(repr(editor.expect("rdev/runStarted")).encode())
                self.printed.append(repr(editor.output_of(run_id)).encode())
            self.printed.append(repr([editor.call("rdev/tasks"), editor.call("rdev/runs")]).encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "rdev.toml").write_text('project = "demo"\n[tasks.test]\ncommand = "echo one; echo two >&2; exit 3"\n')
    return made


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where all Python of the programs under test logs to."""
    site = tmp_path / "site"
    site.mkdir()
    log = site / "debug.log"
    (site / "sitecustomize.py").write_text(DEBUG.format(log=str(log)))
    return log


def found_in_files(secret: str, *roots: Path) -> set[Path]:
    files = {path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink()}
    return {path for path in files if secret.encode() in path.read_bytes()}


def describe(url: str, more: str = "") -> None:
    config = places.config_file()
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'default_server = "work"\n[servers.work]\nurl = "{url}"\n{more}')


def breaking() -> Callable[[Request], Fault]:
    """A plan by which the next stream breaks after its second event, and the one after it is refused for a moment."""
    faults = [
        Fault(cut_when=after_events(2, 3), how="reset"),
        Fault(answer=b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"),
    ]
    return lambda request: faults.pop(0) if request.is_stream and faults else PASS


async def a_day(day: Day, server: ForeignServer, url: str) -> None:
    """Runs that go well, fail, break, meet a server that is gone or refuses; every command that can show something."""
    assert (await day.call("run", "--", "echo one; echo two"))[0] == 0
    assert (await day.call("run", "test"))[0] == 3
    assert (await day.call("run", "--output", "jsonl", "--", LOOK))[0] == 0
    code, detached = await day.call("run", "-d", "--", "sleep 1000")
    assert code == 0
    await day.call("cancel", detached.strip())
    await day.call("attach", "--all", "latest")
    for words in (["runs", "-a"], ["runs", "--output", "jsonl"], ["tasks"], ["trust", "-y"], ["trust", "--list"]):
        assert (await day.call(*words))[0] == 0
    await day.call("doctor")
    await asyncio.to_thread(day.edit)
    assert (await day.call("run", "--project", "other", "--", "true"))[0] == 125
    right, server.key = server.key, "another"
    assert (await day.call("run", "test"))[0] == 125
    await day.call("doctor")
    server.key = right
    assert (await day.call("run", "--timeout", "1", "--url", url.replace("http", "https"), "--", "true"))[0] == 125


def check_nowhere(secret: str, day: Day, server: ForeignServer, processes: Processes, *files: Path) -> None:
    """Only `files` hold the key."""
    debug = day.log.read_text()
    assert "httpcore" in debug, "the libraries' debug logs were written"
    assert secret not in debug
    assert not [text for text in day.printed if secret.encode() in text]
    assert not [text for text in server.starts if secret in text]
    assert any(headers.get("x-api-key") == secret for _, headers in server.requests), "it did reach its server"
    assert not [target for target, _ in server.requests if secret in target]
    assert not [shown for shown in processes.shown if secret.encode() in shown]
    home = Path(os.environ["HOME"])
    assert found_in_files(secret, home, day.folder.parent, server.tmp) == set(files)


async def test_a_key_that_login_keeps_is_in_its_file_alone(folder: Path, log: Path) -> None:
    secret, wrong = (f"rdev_{secrets.token_hex(16)}" for _ in range(2))
    async with ForeignServer(key=secret) as server, FaultProxy(server.port) as proxy:
        describe(proxy.url)
        day = Day(folder, log, {})
        with Processes() as processes:
            assert (await day.call("run", "test"))[0] == 125
            assert (await day.call("login", stdin=wrong))[0] == 125
            assert (await day.call("login", stdin=secret))[0] == 0
            proxy.plan = breaking()
            await a_day(day, server, proxy.url)
            (kept,) = (places.state_dir() / "keys").iterdir()
            check_nowhere(secret, day, server, processes, kept)
            check_nowhere_at_all(wrong, day, processes)
            assert (await day.call("logout"))[0] == 0
        assert proxy.faults >= 2, "the stream was broken and resumed"
        check_nowhere(secret, day, server, processes)


def check_nowhere_at_all(secret: str, day: Day, processes: Processes) -> None:
    everything = b"".join([*day.printed, *processes.shown, day.log.read_bytes()])
    assert secret.encode() not in everything
    assert not found_in_files(secret, Path(os.environ["HOME"]), day.folder.parent)


async def test_a_key_that_a_command_prints(folder: Path, log: Path, tmp_path: Path) -> None:
    secret = f"rdev_{secrets.token_hex(16)}"
    vault = tmp_path / "vault"
    vault.write_text(secret)
    async with ForeignServer(key=secret) as server:
        describe(server.url, f"api_key_command = {json.dumps(['cat', str(vault)])}\n")
        day = Day(folder, log, {})
        with Processes() as processes:
            assert (await day.call("run", "--", LOOK))[0] == 0
            assert (await day.call("run", "test"))[0] == 3
            await day.call("doctor")
        check_nowhere(secret, day, server, processes, vault)


async def test_a_key_of_the_environment_goes_to_no_other_process(folder: Path, log: Path) -> None:
    """It is in the environment where its user put it; what the bridge starts gets none of it."""
    secret = f"rdev_{secrets.token_hex(16)}"
    marker = f"started-by-the-bridge-{secrets.token_hex(8)}"
    async with ForeignServer(key=secret) as server:
        day = Day(folder, log, {"RDEV_URL": server.url, "RDEV_API_KEY": secret})
        sync = f'sync = {{ command = "env; : {marker}; sleep 0.2" }}'
        (folder / "rdev.toml").write_text(f'project = "demo"\n[tasks.test]\ncommand = "env"\n{sync}\n')
        with Processes() as processes:
            assert (await day.call("run", "--", LOOK))[0] == 0
            assert (await day.call("run", "test"))[0] == 0
            # Here it is another place's key, and the embedded server is a process of its own.
            del day.environ["RDEV_URL"]
            assert (await day.call("run", "--", LOOK))[0] == 0
            await asyncio.to_thread(day.edit)
    assert not [text for text in day.printed if secret.encode() in text]
    assert not [text for text in server.starts if secret in text]
    assert secret not in day.log.read_text()
    assert not found_in_files(secret, Path(os.environ["HOME"]), folder.parent)
    commands = [shown for shown in processes.shown if marker.encode() in shown]
    assert commands, "the sync command was seen"
    holders = {shown for shown in processes.shown if secret.encode() in shown}
    assert all(f"PYTHONPATH={log.parent}".encode() in shown and b"RDEV_API_KEY=" in shown for shown in holders)
    own = {shown for shown in holders if b"BRIDGE_STREAM_" in shown or b"RDEV_BRIDGE_RUN=" in shown}
    assert not own, "no command of a server has it"
