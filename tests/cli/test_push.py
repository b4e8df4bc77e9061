"""`sync = "push"` as a person uses it: real bridge, real server with another folder, and both killed in the middle."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.other_folder import OtherFolder, other_folder, serve
from tests.support.wait import eventually
from tests.sync.conftest import tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.bridge import Bridge

PATIENCE_S = 300.0
FILES = 40
CHECK = """\
import pathlib, sys
version = sys.argv[1]
for path in sorted(pathlib.Path("src").rglob("f*")):
    text = path.read_text()
    if text != text[:8] * 4000:
        print("torn", path, len(text))
    if text[:8] != version:
        print("old", path, text[:8], version)
"""


def project(folder: Path, there: Path, command: str) -> None:
    (folder / "rdev.toml").write_text(f"remote_root = '{there}'\n[tasks.check]\ncommand = '{command}'\nsync = 'push'\n")


@pytest.mark.parametrize(
    ("count", "size", "elsewhere"),
    [
        (300, 4_000_000, True),
        (300, 4_000_000, False),
        pytest.param(5000, 200_000_000, True, marks=pytest.mark.full),
    ],
)
@pytest.mark.timeout(600)
def test_many_small_files_and_a_large_one_arrive_whole(
    bridge: Bridge, tmp_path: Path, count: int, size: int, elsewhere: bool
) -> None:
    chance = random.Random(1)
    for number in range(count):
        path = bridge.folder / f"pkg{number % 10}" / f"mod{number % 100}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(2048))
    (bridge.folder / "large").write_bytes(chance.randbytes(size))
    with other_folder(tmp_path / "there", elsewhere=elsewhere) as server:
        project(bridge.folder, server.root, 'find . -name "*.py" | wc -l; wc -c < large')
        done = run(bridge, server)
        assert done.stdout.split() == [str(count).encode(), str(size).encode()]
        assert tree(server.root) == tree(bridge.folder)


def run(bridge: Bridge, server: OtherFolder, *words: str) -> subprocess.CompletedProcess[bytes]:
    process = bridge.start("run", "check", *words, env=server.environ)
    with process:
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0, err
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_what_a_push_leaves_behind_is_said_in_one_line(bridge: Bridge, tmp_path: Path) -> None:
    (bridge.folder / "out").symlink_to("/etc/hostname")
    with other_folder(tmp_path / "there") as server:
        project(bridge.folder, server.root, "ls")
        done = run(bridge, server)
    assert done.stdout == b"rdev.toml\n"
    assert done.stderr == b"rdev-bridge: not brought over: out: an absolute link\n"


def versioned(folder: Path, version: int) -> str:
    for number in range(FILES):
        path = folder / "src" / f"d{number % 4}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{version:08d}" * 4000)
    return f"{version:08d}"


def in_the_middle(process: subprocess.Popen[bytes], root: Path, chance: random.Random) -> bool:
    """Wait until the push has come to the server, and a moment more; false where the run was over before."""
    eventually(lambda: process.poll() is not None or list(root.glob(".rdev-push/stage.*")), PATIENCE_S)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(chance.uniform(0, 0.1))
    return process.poll() is None


def killed_bridges(bridge: Bridge, root: Path, rounds: int) -> None:
    chance = random.Random(1)
    with other_folder(root) as server:
        (bridge.folder / "check.py").write_text(CHECK)
        project(bridge.folder, root, f"{sys.executable} check.py")
        cut = 0
        for number in range(10 * rounds):
            if number >= rounds and cut:
                break
            version = versioned(bridge.folder, number)
            process = bridge.start("run", "check", version, env=server.environ)
            with process:
                try:
                    cut += in_the_middle(process, root, chance)
                finally:
                    process.kill()
            if number % 4 == 3:
                assert run(bridge, server, version).stdout == b""
        assert cut > 0, "no bridge was killed before its end"


def killed_servers(bridge: Bridge, root: Path, rounds: int) -> None:
    """What a run sees after its server was killed in the middle of its push, and started again."""
    chance = random.Random(2)
    server = serve(root)
    port = int(server.environ["RDEV_URL"].rpartition(":")[2])
    try:
        (bridge.folder / "check.py").write_text(CHECK)
        project(bridge.folder, root, f"{sys.executable} check.py")
        cut = 0
        for number in range(10 * rounds):
            if number >= rounds and cut:
                break
            version = versioned(bridge.folder, number)
            process = bridge.start("run", "check", version, env=server.environ)
            try:
                cut += in_the_middle(process, root, chance)
                server.kill()
                server = serve(root, port)
                out, _ = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
            assert b"torn" not in out
            assert b"old" not in out
            assert run(bridge, server, version).stdout == b""
        assert cut > 0, "no server was killed before the end"
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()


def test_a_run_after_killed_bridges_sees_whole_files_of_its_own_time(bridge: Bridge, tmp_path: Path) -> None:
    killed_bridges(bridge, tmp_path / "there", 4)


def test_a_run_after_killed_servers_sees_whole_files_of_its_own_time(bridge: Bridge, tmp_path: Path) -> None:
    killed_servers(bridge, tmp_path / "there", 2)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_run_after_many_killed_bridges(bridge: Bridge, tmp_path: Path) -> None:
    killed_bridges(bridge, tmp_path / "there", 30)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_run_after_many_killed_servers(bridge: Bridge, tmp_path: Path) -> None:
    killed_servers(bridge, tmp_path / "there", 20)
