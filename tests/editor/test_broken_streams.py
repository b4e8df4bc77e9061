"""What an editor is told when a stream breaks, is refused or cannot be replayed: always the truth, once."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.faults.cuts import after_events
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.soak.faults import refusal, silent_after_heartbeats
from tests.soak.work import KEY, Server
from tests.support.background import Background
from tests.support.foreign_server import ForeignServer
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUIET = ["rdev/connection", "rdev/runStarted", "rdev/tasksChanged"]
GAP_AND_OUTPUT = {"rdev/output", "rdev/outputGap", "rdev/runFinished"}
ONCE = "echo 1; until [ -e go ]; do sleep 0.02; done; echo 2; exit 7"


@pytest.fixture
def here() -> Iterator[Background]:
    with Background() as background:
        yield background


def opened(folder: Path, server: ForeignServer, proxy: FaultProxy) -> Editor:
    environ = {"RDEV_URL": proxy.url, "RDEV_PROJECT": server.project, "RDEV_API_KEY": server.key}
    editor = Editor(folder, environ=environ, ignored=QUIET)
    editor.initialize(capabilities=RDEV)
    return editor


def on_stream(number: int, fault: Fault) -> Callable[[Request], Fault]:
    """A plan: the stream call of this number meets `fault`."""
    return lambda request: fault if request.stream_number == number else PASS


def ended(run: dict[str, Any]) -> tuple[str, int | None]:
    return run["outcome"], run.get("exitCode")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "rdev-bridge login"),
        (403, "access to the project"),
        (404, "restarted or has forgotten it"),
        (410, "thrown"),
    ],
)
def test_a_final_status_in_the_middle_ends_it_at_once_with_what_to_do(
    here: Background, tmp_path: Path, status: int, words: str
) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    cut, final = Fault(cut_when=after_events(2, 0)), Fault(answer=refusal(status, None))
    proxy = here.enter(FaultProxy(server.port))
    proxy.plan = lambda request: {0: cut, 1: final}.get(request.stream_number, PASS)  # type: ignore[arg-type]
    with opened(tmp_path, server, proxy) as editor:
        run_id = editor.call("rdev/run", {"command": ONCE})["runId"]
        stdout, _, run = editor.output_of(run_id)
        assert stdout == ["1"]
        assert ended(run) == ("lost", None)
        assert words in run["message"]
        assert sum(request.is_stream for request in proxy.requests) == 2
    (tmp_path / "go").touch()


@pytest.mark.parametrize(
    ("status", "form"),
    [(429, "none"), (500, "none"), (502, "none"), (429, "seconds"), (503, "seconds"), (503, "date")],
)
def test_a_passing_status_is_waited_out_for_as_long_as_the_server_says(
    here: Background, tmp_path: Path, status: int, form: str
) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    said = {"none": None, "seconds": "1", "date": soon}[form]
    cut, busy = Fault(cut_when=after_events(2, 0)), Fault(answer=refusal(status, said))
    proxy = here.enter(FaultProxy(server.port))
    proxy.plan = lambda request: {0: cut, 1: busy}.get(request.stream_number, PASS)  # type: ignore[arg-type]
    with opened(tmp_path, server, proxy) as editor:
        run_id = editor.call("rdev/run", {"command": ONCE})["runId"]
        told = editor.expect("rdev/connection", message=f"the server answers {status}")
        assert told["state"] == "reconnecting"
        least_ms, most_ms = {"none": (0, 1000), "seconds": (1000, 2000), "date": (10_000, 31_000)}[form]
        assert least_ms <= told["retryInMs"] <= most_ms
        if form == "date":
            assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": True}
            assert ended(editor.output_of(run_id)[2]) == ("cancelled", None)
        else:
            (tmp_path / "go").touch()
            stdout, _, run = editor.output_of(run_id)
            assert (stdout, ended(run)) == (["1", "2"], ("failed", 7))


def test_half_open_silence_is_noticed_after_a_few_heartbeats(here: Background, tmp_path: Path) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path), heartbeat_s=0.2))
    silence = Fault(cut_when=silent_after_heartbeats(2), how="silence")
    proxy = here.enter(FaultProxy(server.port, on_stream(0, silence)))
    with opened(tmp_path, server, proxy) as editor:
        run_id = editor.call("rdev/run", {"command": ONCE})["runId"]
        told = editor.expect("rdev/connection", message="the server has gone silent")
        assert told["state"] == "reconnecting"
        (tmp_path / "go").touch()
        stdout, _, run = editor.output_of(run_id)
        assert (stdout, ended(run)) == (["1", "2"], ("failed", 7))


@pytest.mark.parametrize(
    ("command", "outcome"), [("until [ -e go ]; do sleep 0.02; done", "error"), (ONCE, "lost")], ids=["before", "after"]
)
def test_an_error_event_reaches_the_user_and_no_exit_code_does(
    here: Background, tmp_path: Path, command: str, outcome: str
) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        editor.ignored.add("window/showMessage")
        run_id = editor.call("rdev/run", {"command": command})["runId"]
        editor.expect("rdev/connection", state="connected")
        lines = [editor.expect("rdev/output")["chunks"][0]["lines"]] if outcome == "lost" else []
        [started] = server.commands.values()
        here.run(server.publish(started, "error", {"message": "out of \u001b]0;x\u0007room"}))
        run = editor.expect("rdev/runFinished")["run"]
        assert run["runId"] == run_id
        assert ended(run) == (outcome, None)
        assert run["message"] == r"the server reports: out of \x1b]0;x\x07room"
        assert lines in ([], [["1"]])
        (tmp_path / "go").touch()


def test_an_answer_to_the_start_call_that_is_lost_starts_nothing_twice(here: Background, tmp_path: Path) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port, lambda request: Fault(cut_at=0) if request.number == 0 else PASS))
    with opened(tmp_path, server, proxy) as editor:
        editor.ignored.add("window/showMessage")
        editor.call("rdev/run", {"command": "echo x >> started; exec sleep 600"})
        run = editor.expect("rdev/runFinished")["run"]
        assert ended(run) == ("lost", None), "it may have run to its end before it was looked for"
        assert "it does not run" in run["message"]
    started = tmp_path / "started"
    assert not started.exists() or started.read_text() == "x\n"
    first = next(iter(server.commands.values()))
    eventually(lambda: first.done, what="the end of what was started")


def test_heartbeats_with_ids_do_not_move_the_resume_point(here: Background, tmp_path: Path) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path), heartbeat_s=0.05, heartbeat_has_id=True, ids="opaque"))
    proxy = here.enter(FaultProxy(server.port, on_stream(0, Fault(cut_when=silent_after_heartbeats(3)))))
    with opened(tmp_path, server, proxy) as editor:
        run_id = editor.call("rdev/run", {"command": ONCE})["runId"]
        editor.expect("rdev/connection", state="resumed")
        (tmp_path / "go").touch()
        stdout, _, run = editor.output_of(run_id)
    assert (stdout, ended(run)) == (["1", "2"], ("failed", 7))
    [started] = server.commands.values()
    assert server.resumes == [None, started.events[0][0]]


def test_lines_that_can_no_longer_be_sent_are_told_where_they_would_have_been(here: Background, tmp_path: Path) -> None:
    """The server keeps a short journal; the bridge is kept away from it until most is overwritten."""
    server = Server(tmp_path / "work", "segment_bytes=50000", "journal_bytes=300000")
    cut, busy = Fault(cut_when=after_events(30, 5)), Fault(answer=refusal(503, "0"))

    def plan(request: Request) -> Fault:
        if not request.is_stream:
            return PASS
        return cut if request.stream_number == 0 else PASS if (server.folder / "done").exists() else busy

    proxy = here.enter(FaultProxy(server.port, plan))
    environ = {"RDEV_URL": proxy.url, "RDEV_PROJECT": server.project, "RDEV_API_KEY": KEY}
    with server, Editor(server.folder, environ=environ, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        command = "seq 1 100; until [ -e go ]; do sleep 0.02; done; seq 101 100000; touch done; exit 7"
        editor.call("rdev/run", {"command": command})
        editor.expect("rdev/connection", state="reconnecting")
        (server.folder / "go").touch()
        parts: list[list[str]] = [[]]
        while True:
            params = (message := editor.take(lambda one: one.get("method") in GAP_AND_OUTPUT))["params"]
            if message["method"] == "rdev/runFinished":
                break
            assert params["seq"] == sum(map(len, parts))
            if message["method"] == "rdev/outputGap":
                assert params["missing"] is None, "an id that is an offset does not tell how many lines those were"
                parts.append([])
            else:
                parts[-1] += [line for chunk in params["chunks"] for line in chunk["lines"]]
        assert len(parts) == 2, (params["run"], [len(part) for part in parts])
        before, after = parts

        assert before == [str(n) for n in range(1, len(before) + 1)]
        first = int(after[0])
        assert first > len(before) + 1000
        assert after == [str(n) for n in range(first, 100001)]
        assert ended(params["run"]) == ("failed", 7)
        assert params["run"]["lines"] == len(before) + len(after)


def test_a_server_killed_and_started_again_is_said_once(tmp_path: Path) -> None:
    server = Server(tmp_path / "work")
    environ = {"RDEV_URL": f"http://127.0.0.1:{server.port}", "RDEV_PROJECT": server.project, "RDEV_API_KEY": KEY}
    ignored = [*QUIET, "window/showMessage"]
    with server, Editor(server.folder, environ=environ, ignored=ignored) as editor:
        editor.initialize(capabilities=RDEV)
        run_id = editor.call("rdev/run", {"command": "seq 1 5; exec sleep 600"})["runId"]
        stdout: list[str] = []
        while len(stdout) < 5:
            stdout += editor.expect("rdev/output")["chunks"][0]["lines"]
        server.kill_and_start()
        run = editor.expect("rdev/runFinished")["run"]
        assert (run["runId"], *ended(run)) == (run_id, "lost", None)
        assert "ended while this command ran" in run["message"]
        again = editor.call("rdev/run", {"command": "echo well"})["runId"]
        assert ended(editor.output_of(again)[2]) == ("succeeded", 0)
        assert editor.seen("rdev/runFinished") == []
    assert stdout == ["1", "2", "3", "4", "5"]


def test_what_is_odd_in_a_line_arrives_as_text(here: Background, tmp_path: Path) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        command = r"printf 'a\000b\n\377\376\303(\n\n'; head -c 5000000 /dev/zero | tr '\0' x; echo; echo after"
        stdout, _, run = editor.output_of(editor.call("rdev/run", {"command": command})["runId"])
    assert stdout[:3] == ["ab", "\ufffd\ufffd\ufffd(", ""]
    assert stdout[3].startswith("x" * 2_097_152 + " … [")
    assert stdout[3].endswith(f"{5_000_000 - 2_097_152} more characters]")
    assert (stdout[4:], ended(run)) == (["after"], ("succeeded", 0))


def test_a_laptop_that_sleeps_goes_on_where_it_was(here: Background, tmp_path: Path) -> None:
    """The daemon stands still while its connection dies and the command goes on to its end."""
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        run_id = editor.call("rdev/run", {"command": ONCE})["runId"]
        assert editor.expect("rdev/output")["chunks"][0]["lines"] == ["1"]
        editor.process.send_signal(signal.SIGSTOP)
        here.run(proxy.break_all())
        (tmp_path / "go").touch()
        [started] = server.commands.values()
        eventually(lambda: started.done)
        editor.process.send_signal(signal.SIGCONT)
        editor.expect("rdev/connection", state="resumed")
        output = editor.expect("rdev/output")
        assert (output["seq"], output["chunks"][0]["lines"]) == (1, ["2"])
        assert (run := editor.expect("rdev/runFinished")["run"])["runId"] == run_id
        assert ended(run) == ("failed", 7)


def test_a_burst_of_100_mb_at_an_editor_that_stopped_reading(tmp_path: Path) -> None:
    """Memory stays flat, requests are served, and a cancel ends the command at once."""
    from tests.editor.test_surface import resident_kb

    editor = Editor(tmp_path, ignored=[*QUIET, "rdev/output", "rdev/runFinished"], reading=False)
    with editor:
        hello = editor.start("initialize", {"processId": None, "rootUri": tmp_path.as_uri(), "capabilities": RDEV})
        line = "y" * 99
        burst = f"yes {line} | head -n 1000000; touch burst; echo $$ > pid; exec sleep 600"
        first = editor.start("rdev/run", {"command": burst})
        eventually((tmp_path / "burst").exists, 90, what="the burst, which the server's journal takes")
        at_rest_kb = resident_kb(editor.process.pid)
        other = editor.start("rdev/run", {"command": "touch ran"})
        eventually((tmp_path / "ran").exists, what="another run")
        grown_kb = resident_kb(editor.process.pid) - at_rest_kb
        assert grown_kb < 20_000, f"{grown_kb} kB more"
        assert at_rest_kb < 150_000
        pid = (tmp_path / "pid").read_text().strip()
        cancel = editor.start("workspace/executeCommand", {"command": "rdev.cancel"})
        eventually(lambda: not _alive(pid), what="the command's end, though nobody reads")
        editor.read_on()
        assert editor.answer_to(hello)
        assert editor.answer_to(first)["disposition"] == "started"
        assert editor.answer_to(other)["disposition"] == "started"
        assert editor.answer_to(cancel) == {"accepted": True}


def _alive(pid: str) -> bool:
    return subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, check=False).returncode == 0
