"""Commands of an editor on a server that has only `/shell`, and what is left when the editor goes: nothing."""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from rdev_bridge import places
from rdev_bridge.editor import daemon
from rdev_bridge.remote import running
from rdev_bridge.runs.mark import DeliveredMark
from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.editor.test_broken_streams import ended, here, opened
from tests.editor.test_life import WAYS
from tests.editor.test_surface import children_of
from tests.faults.proxy import PASS, Fault, FaultProxy
from tests.remote.test_cancel import TREES, alive
from tests.soak.faults import refusal
from tests.support.foreign_server import ForeignServer
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.background import Background

__all__ = ["here"]  # the fixture
STUBBORN = "trap '' TERM; sleep 1000 & echo ready; while :; do sleep 1; done"
KINDS = ("one process", "a tree of grandchildren", "all ignore TERM", "one that left and ignores TERM")
COMMANDS = {name: TREES[name] for name in KINDS} | {"a child that holds the pipe": "sleep 1000 & echo ready; exit 5"}


def token_of(server: ForeignServer) -> str:
    """What marks all processes of the first command."""
    found = re.search(r"rdev-([0-9a-f]{32})", server.starts[0])
    assert found is not None
    return found[1]


def ready(editor: Editor, command: str) -> str:
    """Start `command`, which says "ready"; the run."""
    run_id: str = editor.call("rdev/run", {"command": command})["runId"]
    assert editor.expect("rdev/output", runId=run_id)["chunks"][0]["lines"] == ["ready"]
    return run_id


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_run_is_told_finished_once_all_of_it_is_dead(here: Background, tmp_path: Path, command: str) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        run_id = ready(editor, command)
        token = token_of(server)
        assert alive(token)
        assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": True}
        assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": True}, "twice is once"
        run = editor.take(lambda one: one.get("method") == "rdev/runFinished", 60)["params"]["run"]
        assert alive(token) == []
        assert ended(run) == ("cancelled", None)
        assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": False}, "it is over"
        assert editor.seen("rdev/runFinished") == []


def test_cancelled_before_its_first_output(here: Background, tmp_path: Path) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        run_id = editor.call("rdev/run", {"command": "sleep 1000"})["runId"]
        editor.expect("rdev/connection", state="connected")
        editor.call("rdev/cancel", {"runId": run_id})
        assert ended(editor.output_of(run_id)[2]) == ("cancelled", None)
        assert alive(token_of(server)) == []


def test_cancelled_while_the_stream_is_down(here: Background, tmp_path: Path) -> None:
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        run_id = ready(editor, "echo ready; sleep 1000")
        down = refusal(502, None)
        proxy.plan = lambda request: PASS if "cmd-000" not in request.target else type(PASS)(answer=down)
        here.run(proxy.break_all())
        editor.expect("rdev/connection", state="reconnecting")
        editor.call("rdev/cancel", {"runId": run_id})
        assert ended(editor.expect("rdev/runFinished")["run"]) == ("cancelled", None)
        assert alive(token_of(server)) == []


def test_a_time_limit_kills_all_of_it_too(here: Background, tmp_path: Path) -> None:
    (tmp_path / "rdev.toml").write_text(f'[tasks.slow]\ncommand = """{STUBBORN}"""\ntimeout = "0.5s"\n')
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        editor.ignored.add("window/showMessage")
        run_id = editor.call("rdev/run", {"task": "slow"})["runId"]
        stdout, _, run = editor.output_of(run_id)
        assert (stdout, ended(run)) == (["ready"], ("timedOut", None))
        assert alive(token_of(server)) == []


@pytest.mark.parametrize("way", ["exit without shutdown", "end of stdin", "SIGTERM"])
def test_a_daemon_ends_in_time_and_takes_a_stubborn_run_with_it(here: Background, tmp_path: Path, way: str) -> None:
    assert daemon._CLOSE_S + daemon._DRAIN_S < 2, "what LSP clients are promised; the rest is the machine's"
    leave, code = WAYS[way]
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as editor:
        ready(editor, STUBBORN)
        editor.ignored.add("rdev/runFinished")
        proxy.plan = lambda request: Fault(cut_at=0, how="silence")  # no daemon may wait for this cancel's answer
        began_s = time.monotonic()
        leave(editor)
        assert editor.ended() == code
        assert time.monotonic() - began_s < running.CANCEL_CALL_S - 5
    assert children_of(editor.process.pid) == []
    token = token_of(server)
    eventually(lambda: not alive(token), what="the end of a run that ignores TERM")


@pytest.mark.parametrize("kill", ["first", "second"])
def test_two_daemons_share_a_server_and_a_killed_one_harms_neither(tmp_path: Path, kill: str) -> None:
    quiet = ["rdev/connection", "rdev/runStarted", "rdev/output", "rdev/runFinished"]
    command = {"command": "echo ready; until [ -e go ]; do sleep 0.05; done; echo end"}
    address = places.runtime_dir(tmp_path) / "address.json"
    with Editor(tmp_path, ignored=quiet) as first, Editor(tmp_path, ignored=quiet) as second:
        runs = {}
        for editor in (first, second):
            editor.initialize(capabilities=RDEV)
            runs[editor] = ready(editor, command["command"])
        served_by = address.read_bytes()
        killed, other = (first, second) if kill == "first" else (second, first)
        [run] = [run for run in other.call("rdev/runs")["runs"] if run["runId"] == runs[killed]]
        mark = DeliveredMark(Path(unquote(urlsplit(run["logUri"]).path)).with_name("delivered"))
        eventually(lambda: mark.offset == len("ready\n"), what="the note that the line was delivered")
        mark.close()
        killed.process.kill()
        killed.process.wait()
        (tmp_path / "go").touch()
        output = other.expect("rdev/output", runId=runs[other])
        assert (output["seq"], output["chunks"][0]["lines"]) == (1, ["end"])
        assert ended(other.expect("rdev/runFinished")["run"]) == ("succeeded", 0)
        attached = other.call("rdev/attach", {"runId": runs[killed]})
        assert attached["seq"] == 1, "from the line after the last one that was delivered"
        output = other.expect("rdev/output", runId=runs[killed])
        assert (output["seq"], output["chunks"][0]["lines"]) == (1, ["end"])
        assert ended(other.expect("rdev/runFinished")["run"]) == ("succeeded", 0)
        assert address.read_bytes() == served_by
    eventually(lambda: not address.exists(), what="the end of a server that nobody needs")


def lines_of(messages: Iterable[dict[str, Any]]) -> list[str]:
    outputs = [message["params"] for message in messages if message.get("method") == "rdev/output"]
    return [line for output in outputs for chunk in output["chunks"] for line in chunk["lines"]]


@pytest.mark.parametrize("seed", range(3))
def test_attaching_without_a_number_leaves_out_nothing_and_repeats_little(tmp_path: Path, seed: int) -> None:
    """The daemon is killed in the middle of a flood, and its editor reads what the pipe still holds."""
    dice = random.Random(seed)
    wanted = [str(n) for n in range(1, 400_001)]
    quiet = ["rdev/connection", "rdev/runStarted", "rdev/output", "rdev/runFinished"]
    with Editor(tmp_path, ignored=quiet) as first, Editor(tmp_path, ignored=quiet) as second:
        for editor in (first, second):
            editor.initialize(capabilities=RDEV)
        run_id = first.call("rdev/run", {"command": "seq 1 400000"})["runId"]
        stop_at, seen = dice.randrange(300_000), []
        while len(seen) <= stop_at:
            seen += lines_of([first.take(lambda message: message.get("method") == "rdev/output")])
        first.process.kill()
        seen += lines_of(first.rest())
        assert seen == wanted[: len(seen)]
        seq = second.call("rdev/attach", {"runId": run_id})["seq"]
        assert seq <= len(seen), "nothing is left out"
        assert len("".join(wanted[seq : len(seen)])) < 1_000_000, "what docs/reliability.md says"
        rest: list[str] = []
        while seq + len(rest) < len(wanted):
            output = second.expect("rdev/output", runId=run_id)
            assert output["seq"] == seq + len(rest)
            rest += lines_of([{"method": "rdev/output", "params": output}])
        assert rest == wanted[seq:]
        assert ended(second.expect("rdev/runFinished")["run"]) == ("succeeded", 0)


def test_a_run_of_a_killed_daemon_goes_on_in_another_editor(here: Background, tmp_path: Path) -> None:
    """On a server that knows nothing but `/shell`."""
    server = here.enter(ForeignServer(cwd=str(tmp_path)))
    proxy = here.enter(FaultProxy(server.port))
    with opened(tmp_path, server, proxy) as first, opened(tmp_path, server, proxy) as second:
        command = "seq 1 100; echo ready >&2; until [ -e go ]; do sleep 0.02; done; seq 101 200; exit 7"
        run_id = first.call("rdev/run", {"command": command})["runId"]
        seq = 0
        while seq < 101:
            seq += sum(len(chunk["lines"]) for chunk in first.expect("rdev/output")["chunks"])
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        assert second.call("rdev/attach", {"runId": run_id, "seq": seq})["seq"] == seq
        (tmp_path / "go").touch()
        lines: list[str] = []
        while len(lines) < 100:
            output = second.expect("rdev/output")
            assert output["seq"] == seq + len(lines)
            lines += [line for chunk in output["chunks"] for line in chunk["lines"]]
        run = second.expect("rdev/runFinished")["run"]
        assert (ended(run), run["lines"]) == (("failed", 7), 201)
    assert lines == [str(n) for n in range(101, 201)]
