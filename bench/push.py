"""How fast `sync = "push"` is, against `rsync -a` over ssh on the loopback with a warm connection.

    python -m bench.push [--server embedded|foreign] [--repeat 15] [CASE...]

The server is a process of its own, the ssh server a throwaway one with keys of its own. rsync and push take turns on
the same trees, so that a noisy machine is noisy for both; what to trust are the ratios. "Elsewhere" hides from the
push that the server is this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.ssh import warm_ssh
from rdev_bridge.model import RemoteServer, Secret, SyncPush, SyncResult, Target, Task
from rdev_bridge.remote.connect import open_server
from rdev_bridge.sync import Barrier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rdev_bridge.remote.connect import Connector

HERE = Path(__file__).resolve().parent.parent
FILES = 5000
LARGE_BYTES = 200_000_000


class Elsewhere:
    """A connector whose server cannot read our files."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def begin(self, script: str) -> None:
        await self._connector.begin(script)

    async def ask(self, script: str, **options: Any) -> Any:
        return await self._connector.ask(script.replace("\nproof='", "\nproof='/elsewhere"), **options)


@dataclass
class Bench:
    scratch: Path
    connector: Connector
    url: str
    project: str
    rsync: Callable[[Path, Path], float]
    repeat: int
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self.words = [f"{self.chance.getrandbits(40):x}" for _ in range(3000)]

    def text(self) -> str:
        """2 KB that compress about as well as source code does."""
        return " ".join(self.chance.choices(self.words, k=60) * 3)[:2048]

    def tree(self, name: str) -> tuple[Path, list[Path]]:
        root = self.scratch / name
        paths = [root / f"pkg{number % 10}/mod{number % 100}/file{number}.py" for number in range(FILES)]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text())
        (root / ".gitignore").write_text("*.o\nbuild/\nnode_modules/\n__pycache__/\n")
        return root, paths

    def pusher(self, root: Path, there: Path, barrier: Barrier, *, local: bool = False) -> Callable[..., Any]:
        there.mkdir(exist_ok=True)
        task = Task(name="bench", folder=root, command="true", sync=SyncPush())
        target = Target(RemoteServer("bench", self.url), self.project, str(there))
        shell = self.connector if local else Elsewhere(self.connector)

        async def push(changed: list[Path] | None = None) -> tuple[float, SyncResult]:
            began = time.perf_counter()
            result = await barrier(task, target, shell, root, changed, consent=True)  # type: ignore[arg-type]
            return time.perf_counter() - began, result

        return push

    async def first(self) -> None:
        pushes, rsyncs = [], []
        for number in range(max(2, self.repeat // 4)):
            root, _ = self.tree(f"first{number}")
            rsyncs.append(self.rsync(root, self.scratch / f"first{number}-rsync"))
            pushes.append((await self.pusher(root, self.scratch / f"first{number}-push", Barrier())())[0])
        self.say(f"first push of {FILES} files of 2 KB", pushes, rsyncs)

    async def edits(self) -> None:
        root, paths = self.tree("edits")
        there, beside = self.scratch / "edits-push", self.scratch / "edits-rsync"
        barrier = Barrier()
        push = self.pusher(root, there, barrier)
        await push([])
        self.rsync(root, beside)
        for label, known in (("1 edit, known from the watcher", True), ("1 edit, with a full scan", False)):
            pushes, rsyncs = [], []
            for number in range(self.repeat * 2):
                path = self.chance.choice(paths)
                path.write_text(self.text())
                took, result = await push([path] if known else None)
                assert result.files == 1
                if number % 4 == 0:
                    rsyncs.append(self.rsync(root, beside))
                pushes.append(took)
            self.say(label, pushes, rsyncs)
        pushes = [(await push())[0] for _ in range(self.repeat)]
        self.say("nothing changed, with a full scan", pushes, [self.rsync(root, beside) for _ in range(3)])
        pushes, rsyncs = [], []
        for _ in range(max(3, self.repeat // 3)):
            for path in self.chance.sample(paths, 2000):
                path.write_text(self.text())
            rsyncs.append(self.rsync(root, beside))
            pushes.append((await push())[0])
        self.say("2000 changed files", pushes, rsyncs)
        compared = subprocess.run(["diff", "-r", "-x", ".rdev-push", root, there], capture_output=True)
        assert compared.returncode == 0, compared.stdout
        await barrier.aclose()

    async def large(self) -> None:
        root = self.scratch / "large"
        root.mkdir()
        (root / "data").write_bytes(os.urandom(LARGE_BYTES))
        rsyncs = [self.rsync(root, self.scratch / "large-rsync")]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pushes = [(await self.pusher(root, self.scratch / "large-push", Barrier())())[0]]
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        self.say(f"200 MB of random bytes in pieces (memory grew by {grown:.0f} MB)", pushes, rsyncs)
        local = self.pusher(root, self.scratch / "large-local", Barrier(), local=True)
        self.say("200 MB, read on the same machine", [(await local())[0]], rsyncs)

    def say(self, label: str, pushes: list[float], rsyncs: list[float]) -> None:
        push, rsync = statistics.median(pushes), statistics.median(rsyncs)
        late = sorted(pushes)[min(len(pushes) - 1, round(0.95 * len(pushes)))]
        print(
            f"{label:62} {push * 1000:8.0f} ms  p95 {late * 1000:7.0f} ms  rsync {rsync * 1000:7.0f} ms"
            f"  {push / rsync:5.2f} x",
            flush=True,
        )


@contextmanager
def rdev_server(kind: str, root: Path, key: str) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "rdev_bridge", "serve", str(root), "--port", "0"]
    if kind == "foreign":
        command = [sys.executable, "-m", "tests.support.foreign_server", "--key", key]
    environ = os.environ | {"RDEV_API_KEY": key}
    server = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, env=environ)
    assert server.stdout is not None
    try:
        said = json.loads(server.stdout.readline())
        yield said["url"], said["project"]
    finally:
        server.terminate()
        server.wait()


async def measure(args: argparse.Namespace) -> None:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-push-")))
        os.environ["XDG_STATE_HOME"] = str(scratch / "state")
        (scratch / "state").mkdir()
        (scratch / "keys").mkdir(mode=0o700)
        (scratch / "project").mkdir()
        ssh = stack.enter_context(warm_ssh(scratch / "keys"))
        key = f"rdev_{random.SystemRandom().getrandbits(192):x}"
        url, project = stack.enter_context(rdev_server(args.server, scratch / "project", key))

        def rsync(here: Path, there: Path) -> float:
            began = time.perf_counter()
            subprocess.run(["rsync", "-a", "-e", ssh, f"{here}/", f"box:{there}/"], check=True)
            return time.perf_counter() - began

        async with open_server(Target(RemoteServer("bench", url), project), key=Secret(key)) as connector:
            bench = Bench(scratch, connector, url, project, rsync, args.repeat)
            for case in args.case or ("edits", "first", "large"):
                await getattr(bench, case)()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="edits, first, large; all without one")
    parser.add_argument("--server", choices=["embedded", "foreign"], default="embedded")
    parser.add_argument("--repeat", type=int, default=15)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
