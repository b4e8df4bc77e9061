"""Detach, attach, cancel, and what a SIGKILL leaves: every byte once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest

from rdev_bridge.runs.store import RunStore
from tests.cli.bridge import PATIENCE_S, ROOT, Bridge
from tests.support.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path

LONG = """\
seq 1 20000; head -c 100000 /dev/zero | tr '\\0' x; echo
for i in 1 2 3; do seq 1 5000; sleep 0.1; done; printf end
"""


def expected(command: str) -> bytes:
    return subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout


def detached(bridge: Bridge, command: str) -> str:
    done = bridge.run(command, "--detach")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def test_a_detached_run_goes_on_and_is_attached_to(bridge: Bridge) -> None:
    gate = bridge.folder / "gate"
    run_id = detached(bridge, f"echo first; until [ -e '{gate}' ]; do sleep 0.05; done; echo last; exit 7")
    assert bridge.runs()[0]["state"] == "running"
    process = bridge.start("attach", run_id[:8])
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"first\n"
        gate.touch()
        assert process.communicate(timeout=PATIENCE_S)[0] == b"last\n"
    assert process.returncode == 7
    again = bridge.call("attach", "latest")
    assert (again.stdout, again.stderr, again.returncode) == (b"", b"", 7)
    assert bridge.call("attach", "--all", "latest").stdout == b"first\nlast\n"
    assert bridge.call("attach", "--seq", "1", "latest").stdout == b"last\n"
    events = [
        json.loads(line) for line in bridge.call("attach", "--all", "--output", "jsonl", run_id).stdout.splitlines()
    ]
    assert [event.get("line") for event in events] == [None, "first", "last", None]
    assert events[0]["trigger"] == {"kind": "attach"}


def test_a_person_learns_why_nothing_comes(bridge: Bridge) -> None:
    bridge.call("run", "--", "echo once")
    person = pexpect.spawn(
        sys.executable,
        ["-P", "-m", "rdev_bridge", "attach", "latest"],
        cwd=str(bridge.folder),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=PATIENCE_S,
    )
    person.expect_exact("its output was shown before; `rdev-bridge attach --all latest` shows it again")
    person.expect(pexpect.EOF)
    person.close()
    assert person.exitstatus == 0


def test_what_fails_at_once_is_not_detached(bridge: Bridge) -> None:
    done = bridge.run(f": {'y' * 60_000}", "--detach", "--cwd", "x" * 100_000)
    assert done.returncode == 125
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("kind", ["file", "appended file", "pipe"])
@pytest.mark.parametrize("number", range(2))
def test_killed_and_attached_gives_every_byte_once(bridge: Bridge, tmp_path: Path, kind: str, number: int) -> None:
    killed_and_attached(bridge, tmp_path, kind, random.Random(f"{kind} {number}"))


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["file", "appended file", "pipe"])
def test_killed_at_many_points(bridge: Bridge, tmp_path: Path, kind: str) -> None:
    for number in range(40):
        killed_and_attached(bridge, tmp_path, kind, random.Random(number))


def killed_and_attached(bridge: Bridge, tmp_path: Path, kind: str, chance: random.Random) -> None:
    assert b"".join(killed_and_continued(bridge, tmp_path, kind, chance)) == expected(LONG)


def killed_and_continued(
    bridge: Bridge, tmp_path: Path, kind: str, chance: random.Random, *options: str, then: tuple[str, ...] | None = None
) -> tuple[bytes, bytes]:
    """What `run` printed until it was killed at some point, and what `attach` did after that, with the same options."""
    output = tmp_path / "output"
    stop_at = chance.randrange(len(expected(LONG))) * (7 if options else 1)  # JSON is so much longer
    with output.open("ab" if kind == "appended file" else "wb", buffering=0) as file:
        if kind == "appended file":
            file.truncate(0)
        process = bridge.start("run", *options, "--", LONG, stdout=subprocess.PIPE if kind == "pipe" else file)
        with process:
            if process.stdout is not None:
                got = 0
                while got < stop_at:
                    data = os.read(process.stdout.fileno(), chance.choice([100, 4096, 65536]))
                    got += len(data)
                    file.write(data)
            else:
                eventually(lambda: output.stat().st_size >= stop_at)
            process.kill()
            while process.stdout is not None and (data := os.read(process.stdout.fileno(), 65536)):
                file.write(data)
    printed = output.stat().st_size
    with output.open("ab", buffering=0) as file:
        done = bridge.call("attach", *(options if then is None else then), "latest", stdout=file)
    assert done.returncode == 0, done.stderr
    whole = output.read_bytes()
    return whole[:printed], whole[printed:]


@pytest.mark.parametrize("kind", ["file", "appended file", "pipe"])
@pytest.mark.parametrize("number", range(2))
def test_killed_jsonl_gives_every_line_once(bridge: Bridge, tmp_path: Path, kind: str, number: int) -> None:
    killed_jsonl(bridge, tmp_path, kind, random.Random(f"{kind} {number}"))


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["file", "appended file", "pipe"])
def test_killed_jsonl_at_many_points(bridge: Bridge, tmp_path: Path, kind: str) -> None:
    for number in range(20):
        killed_jsonl(bridge, tmp_path, kind, random.Random(number))


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_killed_jsonl_goes_on_as_text_with_the_next_whole_line(bridge: Bridge, tmp_path: Path, kind: str) -> None:
    wanted = expected(LONG).decode().split("\n")
    printed, attached = killed_and_continued(bridge, tmp_path, kind, random.Random(kind), "--output", "jsonl", then=())
    events = [json.loads(line) for line in printed.split(b"\n")[:-1]]
    lines = [event["line"] for event in events if event["event"] == "output"]
    assert [*lines, *attached.decode().split("\n")] == wanted


def killed_jsonl(bridge: Bridge, tmp_path: Path, kind: str, chance: random.Random) -> None:
    wanted = expected(LONG).decode().split("\n")
    text = b"".join(killed_and_continued(bridge, tmp_path, kind, chance, "--output", "jsonl"))
    events = [json.loads(line) for line in text.splitlines()]
    lines = [(event["seq"], event["line"]) for event in events if event["event"] == "output"]
    assert lines == list(enumerate(wanted))


@pytest.mark.parametrize("first", ["text", "jsonl"])
@pytest.mark.parametrize("second", ["text", "jsonl"])
def test_a_last_line_without_an_end_comes_once_too(bridge: Bridge, first: str, second: str) -> None:
    assert b"tail" in bridge.run('echo head; printf ta""il', "--output", first).stdout
    assert b"tail" not in bridge.call("attach", "--output", second, "latest").stdout
    assert b"tail" in bridge.call("attach", "--output", second, "--seq", "1", "latest").stdout


def test_a_second_bridge_reads_along(bridge: Bridge) -> None:
    gate = bridge.folder / "gate"
    owner = bridge.start("run", "--", f"seq 1 1000; until [ -e '{gate}' ]; do sleep 0.05; done; seq 1001 2000; exit 5")
    assert owner.stdout is not None
    with owner:
        head = [owner.stdout.readline() for _ in range(1000)]
        assert [(run["state"], run["lines"]) for run in bridge.runs()] == [("running", 1000)]
        reader = bridge.start("attach", "--all", "latest")
        assert reader.stdout is not None
        with reader:
            assert [reader.stdout.readline() for _ in range(1000)] == head
            gate.touch()
            rest = reader.communicate(timeout=PATIENCE_S)[0]
            assert owner.communicate(timeout=PATIENCE_S)[0] == rest
    assert rest == b"".join(b"%d\n" % n for n in range(1001, 2001))
    assert (owner.returncode, reader.returncode) == (5, 5)


def test_ctrl_c_in_a_second_bridge_cancels_and_both_say_so(bridge: Bridge) -> None:
    owner = bridge.start("run", "--", "echo ready; exec sleep 600")
    assert owner.stdout is not None
    with owner:
        assert owner.stdout.readline() == b"ready\n"
        reader = bridge.start("attach", "--all", "latest")
        assert reader.stdout is not None
        with reader:
            assert reader.stdout.readline() == b"ready\n"
            reader.send_signal(signal.SIGINT)
            assert reader.wait(PATIENCE_S) == 130
        assert owner.wait(PATIENCE_S) == 130
    assert bridge.runs()[0]["outcome"] == "cancelled"


def test_no_cancel_leaves_the_run_going(bridge: Bridge) -> None:
    run_id = detached(bridge, "echo ready; exec sleep 600")
    reader = bridge.start("attach", "--no-cancel", run_id)
    assert reader.stdout is not None
    with reader:
        assert reader.stdout.readline() == b"ready\n"
        reader.send_signal(signal.SIGINT)
        assert reader.wait(PATIENCE_S) == 130
    assert bridge.runs()[0]["state"] == "running"
    assert bridge.call("cancel", run_id).returncode == 0


def test_cancel_ends_runs_of_any_bridge(bridge: Bridge) -> None:
    mark = f"sleep 95{os.getpid()}"
    left = detached(bridge, f"{mark} & wait")
    owner = bridge.start("run", "--", f"echo ready; {mark} & wait")
    assert owner.stdout is not None
    with owner:
        assert owner.stdout.readline() == b"ready\n"
        done = bridge.call("cancel", "--all")
        assert owner.wait(PATIENCE_S) == 130
    assert done.returncode == 0, done.stderr
    assert f"{left} cancelled" in done.stdout.decode()
    assert subprocess.run(["pgrep", "-f", mark], check=False, capture_output=True).stdout == b""
    assert {run["outcome"] for run in bridge.runs()} == {"cancelled"}
    assert bridge.call("cancel", left).stdout.decode() == f"{left} cancelled\n"


def test_a_run_that_cannot_be_cancelled_is_told_and_the_others_are(bridge: Bridge) -> None:
    gate = bridge.folder / "gate"
    stubborn = f"trap '' TERM; until [ -e '{gate}' ]; do sleep 0.05; done"
    runs = [detached(bridge, stubborn) for _ in range(2)]
    folder = RunStore(bridge.folder).get(runs[0])
    assert folder is not None
    stored = folder.load()
    assert stored is not None
    stored.target.url = "http://somewhere.example.com"
    folder.save(stored)
    done = bridge.call("cancel", "--all")
    gate.touch()
    assert (done.returncode, done.stdout) == (2, f"{runs[1]} cancelled\n".encode())
    assert b"plain http to another machine" in done.stderr


def test_cancel_says_where_it_could_not_learn_whether_a_run_is_dead(bridge: Bridge) -> None:
    gate = bridge.folder / "gate"
    run_id = detached(bridge, f"until [ -e '{gate}' ]; do sleep 0.05; done")
    folder = RunStore(bridge.folder).get(run_id)
    assert folder is not None
    stored = folder.load()
    assert stored is not None
    stored.binding = None
    folder.save(stored)
    for _ in range(2):
        done = bridge.call("cancel", run_id)
        assert (done.returncode, done.stdout) == (125, b"")
        assert f"{run_id} lost: its bridge was killed before the server had said".encode() in done.stderr
    gate.touch()


def test_a_killed_bridge_harms_neither_the_other_nor_the_server(bridge: Bridge) -> None:
    gate = bridge.folder / "gate"
    command = f"echo ready; until [ -e '{gate}' ]; do sleep 0.05; done; echo end"
    one, other = bridge.start("run", "--", command), bridge.start("run", "--", command)
    with one, other:
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        one.kill()
        gate.touch()
        assert other.communicate(timeout=PATIENCE_S)[0] == b"end\n"
    assert other.returncode == 0
    runs = bridge.runs()
    assert {run["state"] for run in runs} == {"running", "finished"}
    left = next(run["runId"] for run in runs if run["state"] == "running")
    assert bridge.call("attach", left).stdout == b"end\n"


def test_the_table_of_runs(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text('[tasks.hello]\ncommand = "exit 3"\n')
    bridge.call("run", "hello")
    bridge.run("printf '\\033'\n")
    left = detached(bridge, "sleep 600")
    head, *rows = bridge.call("runs").stdout.decode().splitlines()
    assert head.split() == ["RUN", "WHAT", "STATE", "EXIT", "STARTED", "TOOK"]
    assert rows[0].split()[:4] == [left, "sleep", "600", "detached"]
    assert rows[2].split()[1:4] == ["hello", "failed", "3"]
    bridge.call("cancel", left)
