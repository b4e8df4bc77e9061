"""How a server that a bridge started comes and goes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.remote.test_embedded import is_alive
from tests.server.served import Served, next_event, parse, serving
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_SH)
print('held', flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a+") as file:
        fcntl.flock(file, how)
        yield


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    folder = tmp_path / "meeting"
    folder.mkdir(mode=0o700)
    return folder


def leased(root: Path, state: Path, meeting: Path) -> Served:
    return Served(
        root,
        state,
        *("--lease", str(meeting / "lease"), "--start-lock", str(meeting / "start-lock")),
        *("--address-file", str(meeting / "address"), "--limit", "idle_s=0.3"),
        key=None,
    )


def test_it_says_where_it_is_and_leaves_once_nobody_needs_it(root: Path, state: Path, meeting: Path) -> None:
    (meeting / "lease").touch()
    with locked(meeting / "start-lock", fcntl.LOCK_EX), locked(meeting / "lease", fcntl.LOCK_SH):
        server = leased(root, state, meeting)
        address = json.loads((meeting / "address").read_text())
        assert stat.S_IMODE((meeting / "address").stat().st_mode) == 0o600
        assert address["url"] == server.url
        assert address["pid"] == server.process.pid
        assert address["key"] == server.key
        assert address["project"] == "p"
        assert address["version"]
    try:
        eventually(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0
        assert not (meeting / "address").exists()
    finally:
        server.close()


def test_it_stays_for_a_run_a_reader_and_whoever_looks_for_it(root: Path, state: Path, meeting: Path) -> None:
    server = leased(root, state, meeting)
    try:
        (root / "go").unlink(missing_ok=True)
        stream_id = server.start("while ! [ -e go ]; do sleep 0.05; done; echo detached")
        # Three looks at the lease and more: the run is all that keeps it.
        server.run("sleep 1.5")
        assert server.process.poll() is None
        with server.open(stream_id) as answer:
            stream = answer.iter_content(1)
            assert next_event(stream).name == "connected"
            with locked(meeting / "start-lock", fcntl.LOCK_EX):
                (root / "go").touch()
                assert next_event(stream).data["line"] == "detached"
                assert next_event(stream).name == "complete"
                with pytest.raises(subprocess.TimeoutExpired):
                    server.process.wait(1.5)
        eventually(lambda: server.process.poll() is not None)
    finally:
        server.close()


def test_it_outlives_no_bridge_that_was_killed(root: Path, state: Path, meeting: Path) -> None:
    (meeting / "lease").touch()
    bridge = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(meeting / "lease")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert bridge.stdout is not None
    assert bridge.stdin is not None
    assert bridge.stdout.readline() == b"held\n"
    server = leased(root, state, meeting)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1.5)
        os.kill(bridge.pid, signal.SIGKILL)
        bridge.wait()
        eventually(lambda: server.process.poll() is not None)
    finally:
        bridge.stdin.close()
        bridge.stdout.close()
        server.close()


def test_a_meeting_place_that_is_gone_ends_it(root: Path, state: Path, meeting: Path) -> None:
    server = leased(root, state, meeting)
    try:
        for file in meeting.iterdir():
            file.unlink()
        meeting.rmdir()
        eventually(lambda: server.process.poll() is not None)
    finally:
        server.close()


def test_two_servers_of_one_folder_keep_out_of_each_other_s_way(root: Path, state: Path) -> None:
    with serving(root, state) as first:
        running = first.start("echo begun; sleep 600")
        with serving(root, state) as second:
            assert second.status(running) == 404
            assert parse(second.read(second.start("echo second")))[-1].name == "complete"
        with first.open(running) as answer:
            stream = answer.iter_content(1)
            assert [next_event(stream).name for _ in range(2)] == ["connected", "output"]
        first.cancel(running, grace_ms="0")
        assert parse(first.read(running))[-1].name == "complete"


@pytest.mark.parametrize("end_of_server", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_server_ends_what_a_killed_one_left_running(
    root: Path, state: Path, end_of_server: signal.Signals
) -> None:
    with serving(root, state) as server:
        finished = server.run("exec >/dev/null 2>&1; setsid sleep 1000 & echo $! >kept")
        assert finished[-1].name == "complete"
        lost = server.start("setsid sleep 1001 & echo $! >gone; echo $$ >>gone; exec sleep 1002")
        eventually(lambda: (root / "gone").exists() and len((root / "gone").read_text().split()) == 2)
        server.close(end_of_server)
    kept, *gone = (int(pid) for name in ("kept", "gone") for pid in (root / name).read_text().split())
    try:
        with serving(root, state) as server:
            eventually(lambda: not any(map(is_alive, gone)), what="the end of all that the lost command had")
            assert is_alive(kept), "a command that ended by itself keeps what it left in the background"
            last = parse(server.read(lost))[-1]
            assert last.name == ("error" if end_of_server is signal.SIGKILL else "complete")
    finally:
        os.kill(kept, signal.SIGKILL)


def test_a_command_costs_the_server_no_thread(root: Path, state: Path) -> None:
    with serving(root, state) as server:
        threads = Path(f"/proc/{server.process.pid}/task")
        server.start("exec sleep 60")
        before = len(list(threads.iterdir()))
        started = [server.start("exec sleep 60") for _ in range(8)]
        assert len(list(threads.iterdir())) < before + len(started)
        for stream_id in started:
            server.cancel(stream_id)
