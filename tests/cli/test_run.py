"""`rdev-bridge run` against the embedded server: bytes, exit codes, signals, usage."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pexpect
import pytest

from tests.cli.bridge import PATIENCE_S, ROOT, Bridge
from tests.support.wait import eventually


def test_an_empty_folder_is_enough(bridge: Bridge) -> None:
    done = bridge.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)


def test_exit_codes_are_the_commands_own(bridge: Bridge) -> None:
    for code in (0, 1, 2, 124, 125, 126, 127, 130, 255):
        assert bridge.run(f"exit {code}").returncode == code
    assert bridge.run("kill -TERM $$").returncode == 143
    assert bridge.run("kill -KILL $$").returncode == 137


@pytest.mark.full
def test_every_exit_code(bridge: Bridge) -> None:
    for code in range(256):
        assert bridge.run(f"exit {code}").returncode == code


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("printf ''", id="nothing"),
        pytest.param("printf 'no newline'", id="no newline"),
        pytest.param(r"printf 'a\r\n\n\n\rb\r'", id="carriage returns and empty lines"),
        pytest.param("head -c 3000000 /dev/zero | tr '\\0' x", id="3 MB without a newline"),
        pytest.param("for i in 1 2 3; do head -c 1048576 /dev/zero | tr '\\0' $i; echo; done", id="1 MiB lines"),
        pytest.param(r"printf '\302\205\342\200\250\033[31mred\033[0m\t\001\n'", id="what other tools split at"),
        pytest.param("seq 1 100000", id="many lines"),
    ],
)
def test_stdout_comes_byte_for_byte(bridge: Bridge, command: str) -> None:
    here = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    done = bridge.run(command)
    assert done.returncode == 0
    assert done.stdout == here.stdout
    assert done.stderr == b""


def test_a_million_lines(bridge: Bridge) -> None:
    done = bridge.call("run", "--", "seq", "1", "1000000")
    here = subprocess.run(["seq", "1", "1000000"], capture_output=True, check=True)
    assert hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(here.stdout).hexdigest()


def test_what_is_no_utf8_is_replaced(bridge: Bridge) -> None:
    assert bridge.run(r"printf 'a\377b\n'").stdout == "a\ufffdb\n".encode()


def test_the_order_within_each_stream_is_kept(bridge: Bridge) -> None:
    done = bridge.run("i=0; while [ $i -lt 2000 ]; do echo $i; echo $i >&2; i=$((i+1)); done")
    wanted = "".join(f"{n}\n" for n in range(2000)).encode()
    assert done.stdout == wanted
    assert done.stderr == wanted


def test_one_word_is_a_shell_line_and_several_are_an_argv(bridge: Bridge) -> None:
    assert bridge.call("run", "--", "echo $((1+1)) | tr 2 3").stdout == b"3\n"
    assert bridge.call("run", "--", "printf", "%s|", "a b", "$HOME", "'", "--output").stdout == b"a b|$HOME|'|--output|"


def test_bytes_that_are_no_utf8_reach_the_command(bridge: Bridge) -> None:
    odd = os.fsdecode(b"a\xff b")
    done = bridge.call("run", "--env", f"E={odd}", "--", "sh", "-c", 'printf %s "$1$E" | od -An -tx1', "sh", odd)
    assert done.stdout.split() == b"61 ff 20 62 61 ff 20 62".split()
    refused = bridge.call("run", "--", f"echo {odd}")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
    assert b"no UTF-8" in refused.stderr


def test_cwd_and_env(bridge: Bridge) -> None:
    (bridge.folder / "sub dir").mkdir()
    done = bridge.run('basename "$PWD"; echo "$A|$B"', "--cwd", "sub dir", "--env", "A=x y", "--env", "B=$HOME'\"")
    assert done.stdout == b"sub dir\nx y|$HOME'\"\n"


def test_a_command_runs_where_it_was_typed(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text("")
    below = bridge.folder / "a" / "b"
    below.mkdir(parents=True)
    assert Bridge(below).call("run", "--", "pwd").stdout.decode().strip() == str(below)
    assert bridge.call("run", "-C", "a/b", "--", "pwd").stdout.decode().strip() == str(below)


def test_stdin_of_the_command_is_empty(bridge: Bridge) -> None:
    assert bridge.run("cat; echo end").stdout == b"end\n"


def test_a_time_limit(bridge: Bridge) -> None:
    done = bridge.run("echo begun; exec sleep 600", "--timeout", "0.5s")
    assert (done.stdout, done.returncode) == (b"begun\n", 124)
    assert done.stderr == b"rdev-bridge: timed out, and was cancelled\n"


# ── signals ──


def alive(mark: str) -> list[str]:
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False)
    return found.stdout.split()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_a_signal_kills_the_whole_remote_tree_first(bridge: Bridge, number: signal.Signals, code: int) -> None:
    mark = f"sleep 98{os.getpid()}{number}"
    process = bridge.start("run", "--", f"echo ready; ({mark} & wait) & {mark} & wait")
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert not alive(mark)
    assert err.startswith("rdev-bridge: cancelling…\n".encode())
    assert bridge.runs()[0]["outcome"] == "cancelled"


def test_under_nohup_a_hang_up_ends_nothing(bridge: Bridge) -> None:
    command = "echo ready; read line < go; kill -HUP $$; sleep 60"
    os.mkfifo(bridge.folder / "go")
    words = [sys.executable, "-P", "-m", "rdev_bridge", "run", "--", command]
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *words],
        cwd=bridge.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        (bridge.folder / "go").write_text("on\n")
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (129, b""), "the command's own signal, which it does not ignore"


def in_a_terminal(bridge: Bridge, *words: str) -> pexpect.spawn[bytes]:
    argv = ["-P", "-m", "rdev_bridge", "run", *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return pexpect.spawn(sys.executable, argv, cwd=str(bridge.folder), env=environ, timeout=PATIENCE_S)


def test_ctrl_c_in_a_terminal(bridge: Bridge) -> None:
    mark = f"sleep 97{os.getpid()}"
    child = in_a_terminal(bridge, "--", f"echo ready; {mark} & wait")
    child.expect("ready")
    child.sendintr()
    child.expect("cancelling")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert not alive(mark)


def test_ctrl_c_in_a_flood_does_not_print_all_that_the_server_holds(bridge: Bridge) -> None:
    """What a terminal has not shown is in the log, and `attach` goes on with the very next line."""
    child = in_a_terminal(bridge, "--", "seq 1 1000000000")
    child.expect_exact("\r\n1000\r\n")
    journals = Path(os.environ["HOME"])
    eventually(
        lambda: sum(file.stat().st_size for file in journals.rglob("*.sse")) > 30_000_000, what="what the server holds"
    )
    child.sendintr()
    child.expect_exact("rdev-bridge: the rest of its output is in ")
    numbers = re.findall(rb"(?m)^(\d+)\r$", child.before)
    child.expect(r"(\S.*/output\.log)\r\n")
    log = Path(child.match[1].decode())
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert len(child.before) < 2_000_000
    rest = bridge.start("attach", "latest")
    assert rest.stdout is not None
    with rest:
        assert rest.stdout.readline() == b"%d\n" % (int(numbers[-1]) + 1)
        rest.stdout.close()
    assert log.stat().st_size > 10_000_000


def test_a_second_ctrl_c_leaves_at_once_and_the_run_is_cancelled_all_the_same(bridge: Bridge) -> None:
    mark = f"sleep 96{os.getpid()}"
    process = bridge.start("run", "--", f"echo ready; trap '' TERM; {mark} & while :; do wait; done")
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "rdev-bridge: cancelling…\n".encode()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    eventually(lambda: not alive(mark), what="the end of the remote command")


def test_ctrl_c_works_while_nobody_reads_the_output(bridge: Bridge) -> None:
    process = bridge.start("run", "--", "yes")
    assert process.stdout is not None
    with process:
        assert process.stdout.read(2) == b"y\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline() == "rdev-bridge: cancelling…\n".encode()
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 130


def test_a_reader_who_leaves_ends_the_command(bridge: Bridge) -> None:
    process = bridge.start("run", "--", "yes")
    assert process.stdout is not None
    with process:
        process.stdout.read(2)
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert bridge.runs()[0]["outcome"] == "cancelled"


# ── tasks ──

TASKS = """\
[tasks.build]
command = "echo built; exit ${CODE:-0}"
[tasks.lint]
command = "echo linted >&2"
[tasks.test]
command = "printf '%s\\\\n' tested"
depends_on = ["build", "lint"]
env = { FROM = "task" }
[tasks.slow]
command = "sleep 600"
timeout = "0.3s"
"""


def test_a_task_runs_after_what_it_depends_on(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(TASKS)
    done = bridge.call("run", "test", "a b", "$x")
    assert (done.stdout, done.stderr, done.returncode) == (b"built\ntested\na b\n$x\n", b"linted\n", 0)
    root, *children = bridge.runs()[::-1]
    assert {child["task"] for child in children} == {"build", "lint"}
    assert {child["parentRunId"] for child in children} == {root["runId"]}


def test_what_fails_first_decides(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(TASKS.replace("${CODE:-0}", "7"))
    done = bridge.call("run", "test")
    assert done.returncode == 7
    assert b"tested" not in done.stdout
    assert b"build failed with exit code 7, so test did not start\n" in done.stderr
    assert bridge.runs()[-1]["outcome"] == "error"


def test_a_tasks_time_limit(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(TASKS)
    assert bridge.call("run", "slow").returncode == 124


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "say what to run"),
        (["run", "tset"], "there is no task 'tset'; did you mean \"test\"?; to run a command: rdev-bridge run -- tset"),
        (["run", "--", " "], "nothing to run"),
        (["run", "--env", "1x=2", "--", "true"], "--env takes NAME=VALUE"),
        (["run", "--timeout", "soon", "--", "true"], "--timeout:"),
        (["run", "-C", "nowhere", "--", "true"], "there is no folder"),
        (["attach", "nope"], "there is no run 'nope'"),
        (["cancel"], "say which run"),
    ],
)
def test_bad_usage_is_2_and_says_what_to_do(bridge: Bridge, words: list[str], said: str) -> None:
    (bridge.folder / "rdev.toml").write_text(TASKS)
    done = bridge.call(*words)
    assert done.returncode == 2
    assert done.stdout == b""
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_a_wrong_file_is_2_with_file_line_and_key(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text('[tasks.a]\ncommand = "true"\ntimout = 3\n')
    done = bridge.call("run", "a")
    assert done.returncode == 2
    assert re.search(rb"rdev\.toml:3: tasks\.a\.timout: .*timeout", done.stderr)


def test_a_refused_start_is_125_and_one_line(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers, but not as an rdev server does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("RDEV_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("RDEV_API_KEY", "k")
        done = bridge.call("run", "--", "true")
        server.shutdown()
    assert done.returncode == 125
    assert done.stdout == b""
    assert re.fullmatch(rb"rdev-bridge: [^\n]+\n", done.stderr)


def test_ctrl_c_does_not_wait_for_a_server_that_is_not_there(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDEV_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("RDEV_API_KEY", "k")
    process = bridge.start("run", "--output", "jsonl", "--", "true")
    assert process.stdout is not None
    with process:
        assert json.loads(process.stdout.readline())["event"] == "runStarted"
        told = json.loads(process.stdout.readline())
        assert (told["event"], told["state"], told["attempt"]) == ("connection", "offline", 1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["run"]["outcome"] == "cancelled"


@pytest.mark.parametrize("sync", ["none", "push"])
def test_waiting_for_a_server_is_said_once(bridge: Bridge, monkeypatch: pytest.MonkeyPatch, sync: str) -> None:
    monkeypatch.setenv("RDEV_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("RDEV_API_KEY", "k")
    (bridge.folder / "rdev.toml").write_text(f'remote_root = "/there"\n[tasks.t]\ncommand = "true"\nsync = "{sync}"\n')
    person = in_a_terminal(bridge, "t")
    person.expect(r"waiting: the server at 127\.0\.0\.1:9 cannot be reached \(connection refused\)")
    person.sendintr()
    person.expect("cancelling")
    person.expect(pexpect.EOF)
    assert b"waiting" not in person.before
    person.close()
    assert person.exitstatus == 130


def test_a_script_gets_the_outcome_alone(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the half minute that the contract allows for trying again."""
    monkeypatch.setenv("RDEV_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("RDEV_API_KEY", "k")
    done = bridge.call("run", "--", "true")
    assert done.returncode == 125
    assert re.fullmatch(
        rb"rdev-bridge: the server at 127\.0\.0\.1:9 cannot be reached[^\n]+ Else check RDEV_URL\n", done.stderr
    )


WRONG_MATCHER = """\
[tasks.deps]
command = "echo built"
problem_matcher = { base = "$gc", pattern = "$gcc" }
[tasks.test]
command = "echo tested; exit 4"
depends_on = ["deps"]
problem_matcher = "pytst"
[tasks.other]
command = "true"
problem_matcher = "nonsense"
"""


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_a_wrong_matcher_is_told_once_and_changes_nothing(bridge: Bridge, form: str) -> None:
    (bridge.folder / "rdev.toml").write_text(WRONG_MATCHER)
    done = bridge.call("run", "--output", form, "test")
    assert done.returncode == 4
    first, second = done.stderr.decode().splitlines()
    assert "rdev.toml:3: tasks.deps.problem_matcher.base: there is no matcher '$gc'; did you mean gcc" in first
    assert "rdev.toml:7: tasks.test.problem_matcher: there is no matcher 'pytst'; did you mean pytest" in second
    assert second.endswith("? (the task runs all the same)")
    assert b"problem_matcher" not in done.stdout
    if form == "jsonl":
        assert all(json.loads(line)["event"] for line in done.stdout.splitlines())


# ── jsonl ──


def test_jsonl_is_one_object_a_line_and_nothing_else(bridge: Bridge) -> None:
    done = bridge.run("echo a; sleep 0.2; echo b >&2; sleep 0.2; printf c; exit 4", "--output", "jsonl")
    assert done.returncode == 4
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events if event["event"] != "connection"]
    assert kinds == ["runStarted", "output", "output", "output", "runFinished"]
    run_id = events[0]["run"]["runId"]
    assert [event for event in events if event["event"] == "output"] == [
        {"event": "output", "runId": run_id, "seq": 0, "stream": "stdout", "line": "a"},
        {"event": "output", "runId": run_id, "seq": 1, "stream": "stderr", "line": "b"},
        {"event": "output", "runId": run_id, "seq": 2, "stream": "stdout", "line": "c"},
    ]
    assert events[0]["trigger"] == {"kind": "request"}
    last = events[-1]["run"]
    assert (last["state"], last["outcome"], last["exitCode"], last["lines"]) == ("finished", "failed", 4, 3)


def test_jsonl_puts_a_long_line_together(bridge: Bridge) -> None:
    done = bridge.run("head -c 300000 /dev/zero | tr '\\0' x; echo; echo after", "--output", "jsonl")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["line"] for event in lines if event["event"] == "output"] == ["x" * 300000, "after"]


# ── start-up ──


def test_run_imports_nothing_that_only_others_need(bridge: Bridge) -> None:
    code = (
        "import sys; from rdev_bridge.cli.main import main; main(['run', '--', 'true']);"
        "print(*[name for name in sys.argv[1:] if name in sys.modules])"
    )
    unwanted = ["lsprotocol", "pygls", "keyring", "watchfiles", "uvicorn", "starlette", "re2"]
    unwanted += ["rdev_bridge.editor", "rdev_bridge.server", "rdev_bridge.sync", "rdev_bridge.problems"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-P", "-c", code, *unwanted]
    done = subprocess.run(argv, cwd=bridge.folder, env=environ, capture_output=True, check=True)
    assert done.stdout == b"\n"


def test_a_pipe_has_room_for_what_we_write_at_once(tmp_path: Path) -> None:
    """What exactness after SIGKILL rests on: a pipe that poll calls writable takes PIPE_BUF bytes without waiting."""
    del tmp_path
    reader, writer = os.pipe()
    poll = select.poll()
    poll.register(writer, select.POLLOUT)
    written = 0
    os.set_blocking(writer, False)
    while poll.poll(0):
        assert os.write(writer, b"x" * select.PIPE_BUF) == select.PIPE_BUF
        written += 1
    assert written > 1
    os.close(reader)
    os.close(writer)
