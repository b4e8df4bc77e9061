"""`rdev-bridge watch` as a person uses it: the real program, on a real terminal and on pipes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from rdev_bridge import trust
from tests.support.other_folder import other_folder
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = [sys.executable, "-m", "rdev_bridge", "watch"]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


@pytest.fixture
def terminal(work: Path) -> Iterator[Callable[..., pexpect.spawn]]:
    children = []

    def start(*words: str) -> pexpect.spawn:
        child = pexpect.spawn(PROGRAM[0], [*PROGRAM[1:], *words], cwd=str(work), encoding="utf-8", timeout=30,
                              dimensions=(24, 120))  # fmt: skip
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


@pytest.fixture
def piped(work: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([*PROGRAM, *words], cwd=work, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()  # the end of every test but a failing one came long before
        process.communicate()


def code_of(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_it_runs_at_once_and_after_a_change(work: Path, terminal: Callable[..., pexpect.spawn]) -> None:
    child = terminal("--", "cat a.txt")
    child.expect_exact("one")
    child.expect("passed in .* waits for changes")
    (work / "a.txt").write_text("two\n")
    child.expect_exact("a.txt changed")
    child.expect_exact("two")
    child.expect("passed in")
    child.send("q")
    assert code_of(child) == 0


def test_the_keys(work: Path, terminal: Callable[..., pexpect.spawn]) -> None:
    child = terminal("--", "echo be''gun; sleep 60")
    child.expect_exact("begun")
    child.send("c")
    child.expect("was cancelled")
    child.send("r")
    child.expect_exact("begun")
    child.send("p")
    (work / "a.txt").write_text("two\n")
    child.send("c")
    child.expect("paused, files changed")
    child.send("p")
    child.expect_exact("a.txt changed")
    child.expect_exact("begun")
    child.send("q")
    assert code_of(child) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_gives_the_terminal_back(
    work: Path, terminal: Callable[..., pexpect.spawn], number: signal.Signals, code: int
) -> None:
    child = terminal("--", "echo $$ > pid.tmp; mv pid.tmp pid; exec sleep 60")
    eventually((work / "pid").exists, what="the command's start")
    pid = int((work / "pid").read_text())
    child.kill(number)
    assert code_of(child) == code
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_keys_work_once_a_background_job_is_in_the_foreground(work: Path) -> None:
    shell = pexpect.spawn("bash", ["--norc", "-i"], cwd=str(work), encoding="utf-8", timeout=30, dimensions=(24, 120))
    shell.sendline(" ".join([*map(shlex.quote, PROGRAM), "-- cat a.txt &"]))
    shell.expect_exact("waits for changes")
    shell.sendline("fg")
    # the shell, too, turns the echo off while it reads a line
    eventually(lambda: os.tcgetpgrp(shell.child_fd) != shell.pid and not shell.getecho(), what="single keys")
    shell.send("q")
    eventually(lambda: os.tcgetpgrp(shell.child_fd) == shell.pid, what="the shell")
    shell.sendline("echo code $?")
    shell.expect_exact("code 0")
    shell.close(force=True)


def test_a_terminal_that_controls_no_session(work: Path) -> None:
    child = pexpect.spawn("setsid", ["-w", *PROGRAM, "--", "cat", "a.txt"], cwd=str(work), encoding="utf-8", timeout=30,
                          dimensions=(24, 120))  # fmt: skip
    child.expect_exact("waits for changes")
    child.send("r")
    child.expect_exact("runs")
    child.expect_exact("waits for changes")
    child.send("q")
    assert code_of(child) == 0


def test_a_task_and_its_own_patterns(work: Path, terminal: Callable[..., pexpect.spawn]) -> None:
    (work / "rdev.toml").write_text('[tasks.show]\ncommand = "cat a.txt"\nwatch = ["a.*"]\n')
    child = terminal("show")
    child.expect_exact("one")
    child.expect("show passed in .* waits for changes")
    (work / "b.txt").write_text("other\n")
    (work / "a.txt").write_text("two\n")
    child.expect_exact("a.txt changed")
    assert "b.txt" not in child.before
    child.expect_exact("two")
    child.send("q")
    assert code_of(child) == 0


@pytest.mark.parametrize("changed", ["show", "first"])
def test_what_a_change_makes_of_the_task_does_not_start_by_itself(
    work: Path, terminal: Callable[..., pexpect.spawn], changed: str
) -> None:
    """A `git pull` may bring another command, in the task or in what it depends on; its name was no consent to that."""
    commands = {"show": "cat a.txt", "first": "true"}
    text = '[tasks.first]\ncommand = "{first}"\n[tasks.show]\ncommand = "{show}"\ndepends_on = ["first"]\n'
    text += 'watch = ["a.*"]\n'
    (work / "rdev.toml").write_text(text.format(**commands))
    child = terminal("show")
    child.expect("show passed in .* waits for changes")
    (work / "rdev.toml").write_text(text.format(**{**commands, changed: "touch attacked; cat a.txt"}))
    child.expect("show something else now, and this workspace is not trusted: paused")
    (work / "a.txt").write_text("two\n")
    child.expect("show paused, files changed")
    assert not (work / "attacked").exists()
    child.send("p")
    child.expect_exact("two")
    assert (work / "attacked").exists()
    child.send("q")
    assert code_of(child) == 0


def test_a_trusted_workspace_goes_on(work: Path, terminal: Callable[..., pexpect.spawn]) -> None:
    (work / "rdev.toml").write_text('[tasks.show]\ncommand = "true"\nwatch = ["a.*"]\n')
    child = terminal("show")
    child.expect("show passed in .* waits for changes")
    changed = '[tasks.show]\ncommand = "cat a.txt"\nwatch = ["a.*"]\n'
    trust.grant(work, changed.encode())
    (work / "rdev.toml").write_text(changed)
    (work / "a.txt").write_text("two\n")
    child.expect_exact("two")
    child.send("q")
    assert code_of(child) == 0


def test_plain_lines_without_a_terminal(work: Path, piped: Callable[..., subprocess.Popen[str]]) -> None:
    process = piped("--on", "*.txt", "--", "cat", "a.txt")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "one\n"
    said = iter(process.stderr.readline, "")
    assert any("passed in" in line and "waits for changes" in line for line in said)
    (work / "b.py").write_text("x")
    (work / "a.txt").write_text("two\n")
    assert process.stdout.readline() == "two\n"
    line = next(said)
    assert "a.txt changed" in line
    assert "b.py" not in line
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "\x1b" not in process.stdout.read() + process.stderr.read()


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 alone")
def test_a_name_that_is_no_utf8(work: Path, piped: Callable[..., subprocess.Popen[str]]) -> None:
    (work / "rdev.toml").write_text("[tasks.t]\ncommand = \"printf '<%s>' ${changedFiles}; echo\"\nwatch = ['*.txt']\n")
    process = piped("t")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "<>\n"
    assert any("waits for changes" in line for line in iter(process.stderr.readline, ""))
    (work / os.fsdecode(b"\xff.txt")).write_text("x")
    assert process.stdout.readline() == f"<{work}/\ufffd.txt>\n"  # as far as a stream of JSON can say it
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "t runs: \\xff.txt changed" in process.stderr.read()


def test_jsonl_is_one_object_a_line_and_nothing_else(work: Path, piped: Callable[..., subprocess.Popen[str]]) -> None:
    process = piped("--output", "jsonl", "--", "cat a.txt; exit 3")
    assert process.stdout is not None
    events = (json.loads(line) for line in process.stdout)
    first = take_run(events)
    assert first[0]["trigger"] == {"kind": "request"}
    (work / "a.txt").write_text("two\n")
    stale, *second = take_run(events)
    assert (stale["event"], stale["run"]["stale"]) == ("runStale", True)
    assert stale["run"]["runId"] == first[0]["run"]["runId"]
    assert second[0]["trigger"] == {"kind": "change", "files": [(work / "a.txt").as_uri()]}
    assert [event["line"] for event in second if event["event"] == "output"] == ["two"]
    assert second[-1]["run"]["exitCode"] == 3
    process.terminate()
    assert process.wait(30) == 143


def take_run(events: Iterator[dict]) -> list[dict]:
    """The events of the next run."""
    taken = []
    for event in events:
        if event["event"] != "connection":
            taken.append(event)
        if event["event"] == "runFinished":
            break
    return taken


def test_a_task_that_formats_its_own_source_does_not_loop(
    work: Path, piped: Callable[..., subprocess.Popen[str]]
) -> None:
    (work / "b.txt").write_text("there before, or an edit during a run would pass for the run's own\n")
    process = piped("--", "date +%N >> a.txt; echo made > made.txt")
    assert process.stderr is not None
    starts = []
    for line in iter(process.stderr.readline, ""):
        if " runs" in line:
            starts.append(line.rpartition(" runs")[2].strip())
        if line.startswith("rdev-bridge: a.txt"):
            assert ".gitignore" in line
            (work / "b.txt").write_text("by the user\n")
        if "b.txt changed" in line:
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert starts == ["", ": a.txt changed", ": b.txt changed"]


def test_c_in_a_flood_ends_it_in_sight(work: Path, terminal: Callable[..., pexpect.spawn]) -> None:
    del work
    child = terminal("--", "seq 1 1000000000")
    child.expect_exact("\r\n1000\r\n")
    journals = Path(os.environ["HOME"])
    eventually(
        lambda: sum(file.stat().st_size for file in journals.rglob("*.sse")) > 30_000_000, what="what the server holds"
    )
    child.send("c")
    child.expect_exact("── the rest of its output is in")
    child.expect_exact("was cancelled")
    child.send("q")
    assert code_of(child) == 0


def test_a_conflict_is_settled_by_a_key(
    work: Path, tmp_path: Path, terminal: Callable[..., pexpect.spawn], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    (work / "rdev.toml").write_text(
        f'remote_root = "{there}"\n[tasks.show]\ncommand = "cat a.txt"\nsync = "push"\nwatch = ["*.txt"]\n'
    )
    with other_folder(there) as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        (there / "a.txt").write_text("theirs\n")
        child = terminal("show")
        child.expect("1 file changed on the server since the last push: a.txt; nothing was pushed\r\n")
        child.expect_exact("files changed on the server too; o overwrite theirs  t leave theirs")
        child.send("o")
        child.expect_exact("one\r\n")
        child.expect_exact("show passed")
        child.send("q")
        assert code_of(child) == 0


def test_what_is_said_of_the_connection_looks_like_the_rest(
    work: Path, terminal: Callable[..., pexpect.spawn], monkeypatch: pytest.MonkeyPatch
) -> None:
    del work
    monkeypatch.setenv("RDEV_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("RDEV_API_KEY", "k")
    child = terminal("--", "true")
    child.expect_exact("── waiting: the server at 127.0.0.1:9 cannot be reached")
    child.expect_exact("running true")
    child.send("q")
    assert code_of(child) == 0
    assert "rdev-bridge:" not in child.before


def test_a_server_beside_an_editor_that_leaves_no_traces(work: Path, terminal: Callable[..., pexpect.spawn]) -> None:
    (work / "rdev.toml").write_text('[tasks.t]\ncommand = "cat a.txt; exec sleep 600"\non_busy = "restart"\n')
    child = terminal("t")
    for text in ("one", "two", "three"):
        child.expect_exact(f"{text}\r\n")
        child.expect_exact("running t, 1.")
        (work / "a.txt").write_text({"one": "two\n", "two": "three\n", "three": "four\n"}[text])
        if text == "two":
            child.expect_exact("output: it starts no run")
            child.expect_exact("m mine")
            child.send("m")
    child.expect_exact("four\r\n")
    child.send("q")
    assert code_of(child) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to run"),
        (["--"], "nothing to run"),
        (["nope"], "no task 'nope'"),
        (["--on", "../x", "--", "true"], "'../x' leaves the workspace"),
    ],
)
def test_bad_usage_says_what_to_do(work: Path, words: list[str], said: str) -> None:
    done = subprocess.run([*PROGRAM, *words], cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
