"""Everything that takes part: built, started and stopped here, on the loopback, in a folder that goes away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.ssh import HOST, free_port, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOUSE = Path(__file__).resolve().parent.parent
PEERS = HOUSE / "bench" / "peers"
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """An rdev server, as its clients need to know it."""

    url: str
    project: str
    key: str
    pid: int

    @property
    def words(self) -> list[str]:
        """How the clients in `peers/` are told."""
        return [self.url, self.project, self.key]

    @property
    def environ(self) -> dict[str, str]:
        """How rdev-bridge is told to use this server instead of the workspace's own."""
        return {"RDEV_URL": self.url, "RDEV_PROJECT": self.project, "RDEV_API_KEY": self.key}


@dataclass(frozen=True, slots=True)
class Bridge:
    """An rdev-bridge with a home and a workspace of its own. `source` is where its code lies."""

    name: str
    source: Path
    home: Path
    workspace: Path = field(init=False)
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        places = {name: self.home / name.lower() for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")}
        workspace = self.home / "workspace"
        for folder in (*places.values(), workspace):
            folder.mkdir(parents=True, mode=0o700)
        # As an installation does it: no module is compiled when it is used.
        subprocess.run([sys.executable, "-m", "compileall", "-q", self.source / "rdev_bridge"], check=True)
        (workspace / "rdev.toml").write_text("")
        object.__setattr__(self, "workspace", workspace)
        object.__setattr__(
            self, "environ", {name: str(path) for name, path in places.items()} | {"PYTHONPATH": str(self.source)}
        )

    def argv(self, *words: str) -> list[str]:
        """Its command line."""
        return [sys.executable, "-m", "rdev_bridge", *words]


class Stage:
    """A context manager; what is asked for is started then and stopped at its end."""

    def __init__(self, before: str | None = None) -> None:
        self._stack = ExitStack()
        self._before = before
        self._servers: dict[str, Server] = {}

    def __enter__(self) -> Self:
        self._stack.__enter__()
        self.scratch = Path(self._stack.enter_context(_scratch()))
        for name in [name for name in os.environ if name.startswith("RDEV_") or name == "PYTHONDONTWRITEBYTECODE"]:
            del os.environ[name]
        self.bridge = Bridge("rdev-bridge", HOUSE, self.scratch / "now")
        self.bridges = [self.bridge]
        if self._before:
            self.bridges.append(Bridge("rdev-bridge before", self._checkout(self._before), self.scratch / "before"))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _checkout(self, commit: str) -> Path:
        source = self.scratch / "source"
        git = ["git", "-C", str(HOUSE), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", source, commit], check=True)
        self._stack.callback(subprocess.run, [*git, "remove", "--force", source], check=True)
        return source

    def workspace_server(self, bridge: Bridge) -> Server:
        """The workspace's own server, kept up by a run that goes on: what a user without configuration has."""
        if bridge.name not in self._servers:
            argv = ["sh", "-c", 'exec "$@" 2>server.log', "sh", *bridge.argv("run", "--", "echo up; exec sleep 86400")]
            keeper = self.start(argv, bridge.environ, bridge.workspace)  # at its end it says that it cancels
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == b"up\n"
            runtime = Path(bridge.environ["XDG_RUNTIME_DIR"])
            address = json.loads(next(runtime.glob("rdev-bridge/*/address.json")).read_bytes())
            self._servers[bridge.name] = Server(*(address[name] for name in ("url", "project", "key", "pid")))
        return self._servers[bridge.name]

    def flushing_server(self, lines: int) -> Server:
        """Any command prints `lines` lines there, one HTTP chunk an event."""
        return self._told_server([sys.executable, "-m", "bench.peers.flushing_server", str(lines)])

    def serve(self, bridge: Bridge, *words: str) -> Server:
        """`rdev-bridge serve` with further options."""
        argv = bridge.argv("serve", str(bridge.workspace), "--port", "0", *words)
        return self._told_server(argv, bridge.environ | {"RDEV_API_KEY": "bench-key-of-enough-length"})

    def _told_server(self, argv: Sequence[str], environ: dict[str, str] | None = None) -> Server:
        process = self.start(argv, environ or {})
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        return Server(said["url"], said["project"], "bench-key-of-enough-length", process.pid)

    @cached_property
    def ssh(self) -> list[str]:
        """An ssh command that reaches a throwaway server; it takes the remote command as one more word."""
        folder = self.scratch / "ssh"
        folder.mkdir(mode=0o700)
        ssh = self._stack.enter_context(ssh_server(folder))
        self.sshd_pid = int((folder / "pid").read_text())
        return [*ssh, HOST]

    def websocketd(self, command: Sequence[str]) -> tuple[int, int]:
        """Its port and process."""
        port = free_port()
        words = ["--port", str(port), "--address", "127.0.0.1", "--loglevel", "fatal", *command]
        process = self.start([program("websocketd"), *words], {})
        return port, process.pid

    @cached_property
    def go_client(self) -> Path:
        """The Go client, built."""
        binary = self.scratch / "go-client"
        environ = {"GOCACHE": str(self.scratch / "go-cache"), "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
        argv = [program("go"), "build", "-o", str(binary), str(PEERS / "client.go")]
        subprocess.run(argv, check=True, env=os.environ | environ)
        return binary

    def start(self, argv: Sequence[str | Path], environ: dict[str, str], cwd: Path = HOUSE) -> subprocess.Popen[bytes]:
        """A process that is ended with the stage; its stdout is a pipe."""
        process = subprocess.Popen(
            argv, env=os.environ | environ, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        self._stack.callback(_end, process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def _scratch() -> Iterator[str]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        yield folder


def program(name: str) -> str:
    """Where it is. Exits with what to do where it is not."""
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"this table needs {name}; `bash tests/run --setup` installs it")
    return found


def wait_until(holds: object, what: str, patience_s: float = _PATIENCE_S) -> None:
    """Until `holds()` is true. Exits after `patience_s`."""
    assert callable(holds)
    deadline_s = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"waited {patience_s:.0f} s in vain: {what}")
        time.sleep(0.02)
