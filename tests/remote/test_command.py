"""The command text on each shell: folder, environment, exit codes and signals as a plain `sh -c` would give them."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.errors import RdevError
from rdev_bridge.remote.command import MAX_TEXT_BYTES, cancel_script, cancellable_text, plain_text
from rdev_bridge.remote.items import CommandSpec
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"], "mksh": ["mksh"]}
TOKEN = secrets.token_hex(16)  # of this process: a cancel ends whatever carries it, other tests' commands too
NASTY = "a b'c\"d$e`f\\g\nh*i;j&k|l(m)n{o}é😀"


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell ignores SIGINT for what it starts in the background, these tests too; what is ignored stays so below."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """A server's `sh`, found first on PATH as well, so that what the text starts is the same shell."""
    argv = SHELLS[request.param]
    program = shutil.which(argv[0])
    assert program, f"install {argv[0]} to run this test"
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "sh"
    script.write_text(f'#!/bin/dash\nexec {" ".join([program, *argv[1:]])} "$@"\n')
    script.chmod(0o755)
    return [str(script)]


def run(shell: list[str], text: str, tmp_path: Path, *, leader: bool = True) -> subprocess.CompletedProcess[bytes]:
    env = dict(os.environ, TMPDIR=str(tmp_path), PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    return subprocess.run(
        [*shell, "-c", text],
        capture_output=True,
        timeout=30,
        env=env,
        cwd=tmp_path,
        start_new_session=leader,
        check=False,
    )


def texts(spec: CommandSpec) -> list[str]:
    return [cancellable_text(spec, TOKEN), plain_text(spec)]


@pytest.mark.parametrize("leader", [True, False], ids=["leads a group", "leads none"])
def test_output_exit_code_and_nothing_else(shell: list[str], tmp_path: Path, leader: bool) -> None:
    for text in texts(CommandSpec("echo out; echo err >&2; exit 3")):
        done = run(shell, text, tmp_path, leader=leader)
        assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)
    assert not list(tmp_path.glob("rdev-*"))


@pytest.mark.parametrize("code", [0, 1, 2, 77, 126, 127, 128, 130, 143, 200, 255])
def test_exit_codes(shell: list[str], tmp_path: Path, code: int) -> None:
    assert run(shell, cancellable_text(CommandSpec(f"exit {code}"), TOKEN), tmp_path).returncode == code


@pytest.mark.parametrize(("name", "code"), [("INT", 130), ("TERM", 143), ("KILL", 137), ("HUP", 129), ("PIPE", 141)])
def test_a_signal_of_its_own(shell: list[str], tmp_path: Path, name: str, code: int) -> None:
    done = run(shell, cancellable_text(CommandSpec(f"kill -{name} $$; sleep 5"), TOKEN), tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", code)
    assert not list(tmp_path.glob("rdev-*"))


def test_folder_and_environment(shell: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "my 'odd' folder"
    folder.mkdir()
    for cwd in (str(folder), folder.name):
        spec = CommandSpec('pwd; printf "%s|" "$A" "$B" "$E"', cwd=cwd, env={"A": NASTY, "B": "-n", "E": ""})
        for text in texts(spec):
            done = run(shell, text, tmp_path)
            assert done.stdout.decode() == f"{folder}\n{NASTY}|-n||"
            assert done.stderr == b""


def test_a_folder_named_like_an_option_and_cdpath(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "-P").mkdir()
    for text in texts(CommandSpec("pwd", cwd="-P", env={"CDPATH": "/"})):
        done = run(shell, text, tmp_path)
        assert (done.stdout.decode(), done.stderr) == (f"{tmp_path}/-P\n", b"")


def test_a_folder_that_is_not_there(shell: list[str], tmp_path: Path) -> None:
    for text in texts(CommandSpec("echo never", cwd="no such")):
        done = run(shell, text, tmp_path)
        assert done.returncode == 126
        assert done.stdout == b""
        assert done.stderr == b"rdev-bridge: there is no folder no such on the server, or it cannot be entered\n"
    assert not list(tmp_path.glob("rdev-*"))


def test_the_command_is_any_shell_text(shell: list[str], tmp_path: Path) -> None:
    command = "x='it''s'\nif true; then\n  cat <<EOF\nhere \"$x\"\nEOF\nfi # comment\n"
    for text in texts(CommandSpec(command)):
        assert run(shell, text, tmp_path).stdout == b'here "its"\n'


def test_stdin_is_empty(shell: list[str], tmp_path: Path) -> None:
    assert run(shell, cancellable_text(CommandSpec("cat; echo over"), TOKEN), tmp_path).stdout == b"over\n"


def test_interrupts_reach_the_command(shell: list[str], tmp_path: Path) -> None:
    """A command in the background of a shell would ignore INT; ours is none."""
    command = "trap 'echo caught; exit 5' INT; kill -INT $$; sleep 1; echo not caught"
    done = run(shell, cancellable_text(CommandSpec(command), TOKEN), tmp_path)
    assert (done.stdout, done.returncode) == (b"caught\n", 5)


def test_without_a_place_for_its_folder_it_runs_all_the_same(shell: list[str], tmp_path: Path) -> None:
    text = f"TMPDIR=/nonexistent; {cancellable_text(CommandSpec('echo ran; exit 4'), TOKEN)}"
    done = run(shell, text, tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (b"ran\n", b"", 4)


def test_cancelled_before_it_began(shell: list[str], tmp_path: Path) -> None:
    early = run(shell, cancel_script(TOKEN, 0.0), tmp_path)
    assert (early.stdout, early.stderr) == (b"dead\n", b"")
    done = run(shell, cancellable_text(CommandSpec("echo never"), TOKEN), tmp_path)
    assert (done.stdout, done.returncode) == (b"", 143)
    assert not list(tmp_path.glob("rdev-*"))


def test_a_command_that_comes_while_it_is_cancelled(shell: list[str], tmp_path: Path) -> None:
    """It finds the folder and takes it away before its cancel has written anything there."""
    mkdir = tmp_path / "bin" / "mkdir"
    mkdir.write_text('#!/bin/dash\n/bin/mkdir "$@" && shift 2 && rmdir "$1"\n')
    mkdir.chmod(0o755)
    cancelled = run(shell, cancel_script(TOKEN, 0.0), tmp_path)
    assert (cancelled.stdout, cancelled.stderr, cancelled.returncode) == (b"dead\n", b"", 0)


def test_a_command_that_is_cancelled_before_it_has_said_which_process_it_is(shell: list[str], tmp_path: Path) -> None:
    """On a machine so busy that its cancel does not wait any longer."""
    mkdir = tmp_path / "bin" / "mkdir"
    mkdir.write_text('#!/bin/dash\n/bin/mkdir "$@" || exit\nuntil [ -e go ]; do sleep 0.02; done\n')
    mkdir.chmod(0o755)
    with ThreadPoolExecutor(1) as other:
        late = other.submit(run, shell, cancellable_text(CommandSpec("touch ran"), TOKEN), tmp_path)
        eventually((tmp_path / f"rdev-{TOKEN}").exists, what="the command's folder")
        cancelled = run(shell, cancel_script(TOKEN, 0.0), tmp_path)
        (tmp_path / "go").touch()
        assert (late.result().stderr, late.result().returncode) == (b"", 143)
    assert (cancelled.stdout, cancelled.stderr, cancelled.returncode) == (b"dead\n", b"", 0)
    assert not (tmp_path / "ran").exists()
    assert not list(tmp_path.glob("rdev-*"))


# Does the server make a group for the command? Where a busy machine holds it up, and until when.
HELD_UP = {
    "before it has a group": (False, "export RDEV_BRIDGE_RUN", "false"),
    "before the command itself": (True, "exec 3>&2", '[ -n "$k" ]'),
}


@pytest.mark.parametrize(("leader", "place", "until"), HELD_UP.values(), ids=HELD_UP)
def test_a_command_that_is_cancelled_just_before_it_begins(
    shell: list[str], tmp_path: Path, leader: bool, place: str, until: str
) -> None:
    text = cancellable_text(CommandSpec("touch ran; exec sleep 60"), TOKEN)
    assert text.count(place) == 1
    text = text.replace(place, f"echo >there; until {until}; do :; done; {place}")
    with ThreadPoolExecutor(1) as other:
        held_up = other.submit(run, shell, text, tmp_path, leader=leader)
        eventually((tmp_path / "there").exists, what="the place where it is held up")
        assert run(shell, cancel_script(TOKEN, 20.0), tmp_path).stdout == b"dead\n"
        assert held_up.result().returncode in {143, -signal.SIGTERM}
    assert not (tmp_path / "ran").exists()
    assert not list(tmp_path.glob("rdev-*"))


def test_the_time_to_end_is_no_longer_where_each_look_takes_long(shell: list[str], tmp_path: Path) -> None:
    for name in ("grep", "sed"):
        slow = tmp_path / "bin" / name
        slow.write_text(f'#!/bin/dash\nsleep 0.5\nexec {shutil.which(name)} "$@"\n')
        slow.chmod(0o755)
    text = cancellable_text(CommandSpec("trap '' TERM; touch there; while :; do sleep 0.1; done"), TOKEN)
    with ThreadPoolExecutor(1) as other:
        stubborn = other.submit(run, shell, text, tmp_path)
        eventually((tmp_path / "there").exists, what="the command")
        began_s = time.monotonic()
        assert run(shell, cancel_script(TOKEN, 3.0), tmp_path).stdout == b"dead\n"
        assert 3.0 <= time.monotonic() - began_s < 15.0, "30 looks of more than half a second each are as many seconds"
        stubborn.result()


def test_what_waits_for_a_command_that_never_comes_is_cleared_away_the_next_day(
    shell: list[str], tmp_path: Path
) -> None:
    other, running = "1" * 32, tmp_path / "rdev-running"
    run(shell, cancel_script(other, 0.0), tmp_path)
    running.mkdir()
    (running / "pid").write_text("1 1\n")
    for path in (tmp_path / f"rdev-{other}" / "cancelled", running / "pid", running):
        os.utime(path, (0, 0))
    run(shell, cancel_script(TOKEN, 0.0), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("rdev-*")) == sorted([f"rdev-{TOKEN}", "rdev-running"])


def test_a_stale_folder_does_not_kill_a_stranger_with_the_same_number(shell: list[str], tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        folder = tmp_path / f"rdev-{TOKEN}"
        folder.mkdir()
        (folder / "pid").write_text(f"{stranger.pid} 12345\n")
        assert run(shell, cancel_script(TOKEN, 0.0), tmp_path).stdout == b"dead\n"
        assert stranger.poll() is None
        assert not folder.exists()
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("name", ["", "A B", "1A", "A=B", "-n", "A\n", "é"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(RdevError, match="no name for an environment variable"):
        cancellable_text(CommandSpec("true", env={name: "x"}), TOKEN)


@pytest.mark.parametrize("spec", [CommandSpec("a\0b"), CommandSpec("a", cwd="\0"), CommandSpec("a", env={"A": "\0"})])
def test_nul(spec: CommandSpec) -> None:
    with pytest.raises(RdevError, match="NUL"):
        cancellable_text(spec, TOKEN)


def test_bytes_that_json_cannot_hold() -> None:
    with pytest.raises(RdevError, match="UTF-8"):
        cancellable_text(CommandSpec(os.fsdecode(b"ls \xff")), TOKEN)


def test_too_long_for_a_shell_is_said_and_the_longest_runs(tmp_path: Path) -> None:
    with pytest.raises(RdevError, match="put it into a script file"):
        cancellable_text(CommandSpec("echo " + "x" * MAX_TEXT_BYTES), TOKEN)
    room = MAX_TEXT_BYTES - len(cancellable_text(CommandSpec("printf %s "), TOKEN))
    text = cancellable_text(CommandSpec("printf %s " + "x" * room), TOKEN)
    assert len(text) == MAX_TEXT_BYTES
    assert len(run(["sh"], text, tmp_path).stdout) == room
