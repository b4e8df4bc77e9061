"""The whole surface of the contract's section 4, against the real daemon and the embedded server."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from rdev_bridge.editor.client import path_from_uri
from tests.editor.conftest import RDEV
from tests.editor.editor import Editor, Refused
from tests.support.wait import eventually

QUIET = ("rdev/connection", "rdev/tasksChanged", "window/logMessage")


def open_editor(folder: Path, **more: Any) -> Editor:
    editor = Editor(folder, ignored=QUIET, **more)
    editor.initialize(capabilities=RDEV)
    return editor


def test_initialize_says_what_there_is(workspace: Path) -> None:
    with Editor(workspace, ignored=QUIET) as editor:
        result = editor.initialize(capabilities=RDEV)
        capabilities = result["capabilities"]
        assert capabilities["experimental"]["rdev"] == {"version": 1}
        assert "rdev.run" in capabilities["executeCommandProvider"]["commands"]
        assert capabilities["positionEncoding"] == "utf-16"
        assert result["serverInfo"]["name"] == "rdev-bridge"


def test_tasks(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        tasks = editor.call("rdev/tasks", {})["tasks"]
        assert [task["id"] for task in tasks] == ["hello", "fail", "wait"]
        hello = tasks[0]
        assert hello["folder"] == workspace.as_uri()
        assert hello["description"] == "says hello"
        assert hello["group"] == "test"
        assert hello["watching"] is False
        assert hello["trusted"] is False
        assert hello["location"]["uri"] == (workspace / "rdev.toml").as_uri()
        assert hello["location"]["range"]["start"]["line"] == 0
        assert editor.execute("rdev.tasks") == {"tasks": tasks}


def test_a_run_from_its_start_to_its_end(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        answer = editor.call("rdev/run", {"task": "hello"})
        assert answer["disposition"] == "started"
        started = editor.expect("rdev/runStarted")
        assert started["run"]["runId"] == answer["runId"]
        assert started["run"]["state"] == "running"
        assert started["trigger"] == {"kind": "request"}
        stdout, stderr, run = editor.output_of(answer["runId"])
        assert (stdout, stderr) == (["out"], ["err"])
        assert (run["state"], run["outcome"], run["exitCode"], run["lines"]) == ("finished", "succeeded", 0, 2)
        assert run["task"] == "hello"
        assert run["startedAt"].endswith("Z")
        log = path_from_uri(run["logUri"])
        assert log is not None
        assert sorted(log.read_text().split()) == ["err", "out"]


def test_the_answer_comes_before_the_start_and_the_start_before_the_output(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        number = editor.start("rdev/run", {"command": "echo x"})
        order: list[Any] = []
        while not order or order[-1] != "rdev/runFinished":
            message = editor.take(lambda message: message.get("method") not in QUIET)
            order.append(message.get("method", message.get("id")))
        assert order == [number, "rdev/runStarted", "rdev/output", "rdev/runFinished"]


def test_a_command_with_arguments_env_and_cwd(workspace: Path) -> None:
    (workspace / "sub").mkdir()
    with open_editor(workspace) as editor:
        params = {
            "command": 'printf "%s\\n" "$A" "${PWD##*/}"; echo',
            "arguments": ["it's", "$HOME"],
            "env": {"A": "ü b"},
            "cwd": "sub",
        }
        stdout, _, run = editor.output_of(editor.call("rdev/run", params)["runId"])
        editor.seen("rdev/runStarted")
        assert stdout == ["ü b", "sub", "it's $HOME"]
        assert run["outcome"] == "succeeded"


def test_a_failure_has_the_command_s_own_exit_code(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        stdout, _, run = editor.output_of(editor.execute("rdev.run", "fail")["runId"])
        editor.seen("rdev/runStarted")
        assert stdout == ["broken"]
        assert (run["outcome"], run["exitCode"]) == ("failed", 3)


def test_cancel(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        run_id = editor.call("rdev/run", {"task": "wait"})["runId"]
        editor.expect("rdev/runStarted")
        editor.expect("rdev/output")
        assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": True}
        run = editor.expect("rdev/runFinished")["run"]
        assert run["outcome"] == "cancelled"
        assert "exitCode" not in run
        assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": False}


def test_cancel_without_a_run_means_all_of_this_editor_s(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        assert editor.execute("rdev.cancel") == {"accepted": False}
        ids = {editor.execute("rdev.run", {"command": f"echo {n}; exec sleep 600"})["runId"] for n in range(2)}
        for _ in ids:
            editor.expect("rdev/runStarted")
            editor.expect("rdev/output")
        assert editor.execute("rdev.cancel") == {"accepted": True}
        assert {editor.expect("rdev/runFinished")["run"]["runId"] for _ in ids} == ids


def test_runs_and_rerun(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        assert editor.call("rdev/runs", {}) == {"runs": []}
        with pytest.raises(Refused, match="nothing has run"):
            editor.execute("rdev.rerun")
        first = editor.call("rdev/run", {"command": 'echo "$A"', "env": {"A": "once more"}})["runId"]
        assert editor.output_of(first)[0] == ["once more"]
        second = editor.execute("rdev.rerun")["runId"]
        assert editor.output_of(second)[0] == ["once more"]
        editor.seen("rdev/runStarted")
        assert [run["runId"] for run in editor.call("rdev/runs", {})["runs"]] == [second, first]


def test_a_request_that_was_ignored_changes_nothing_of_the_run_in_its_way(workspace: Path) -> None:
    (workspace / "rdev.toml").write_text('[tasks.say]\ncommand = "until [ -e go ]; do sleep 0.05; done; echo"\n')
    with open_editor(workspace) as editor:
        first = editor.call("rdev/run", {"task": "say", "arguments": ["one"]})["runId"]
        ignored = editor.call("rdev/run", {"task": "say", "arguments": ["two"], "onBusy": "ignore"})
        assert ignored == {"runId": first, "disposition": "ignored"}
        (workspace / "go").touch()
        assert editor.output_of(first)[0] == ["one"]
        assert editor.output_of(editor.execute("rdev.rerun", first)["runId"])[0] == ["one"]
        editor.seen("rdev/runStarted")


def test_the_newest_run_is_the_one_that_was_asked_for(workspace: Path) -> None:
    (workspace / "rdev.toml").write_text(
        '[tasks.build]\ncommand = "echo built"\n[tasks.test]\ncommand = "echo tested"\ndepends_on = ["build"]\n'
    )
    with open_editor(workspace) as editor:
        asked = editor.call("rdev/run", {"task": "test"})["runId"]
        assert editor.output_of(asked)[0] == ["tested"]
        assert editor.output_of(editor.execute("rdev.rerun")["runId"])[0] == ["tested"]
        for method in ("rdev/runStarted", "rdev/output", "rdev/runFinished"):
            editor.seen(method)


def test_output_can_be_read_again(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        run_id = editor.call("rdev/run", {"command": "seq 1 50; echo '\033]0;t\007end' >&2"})["runId"]
        editor.expect("rdev/runStarted")
        editor.output_of(run_id)
        lines: list[str] = []
        seq, finished = 0, False
        while not finished or seq < 51:
            read = editor.call("rdev/readOutput", {"runId": run_id, "seq": seq, "limit": 20})
            assert read["seq"] == seq
            got = [line for chunk in read["chunks"] for line in chunk["lines"]]
            assert 0 < len(got) <= 20
            assert read["nextSeq"] == seq + len(got)
            lines += got
            seq, finished = read["nextSeq"], read["finished"]
        assert sorted(lines) == sorted([*(str(n) for n in range(1, 51)), "end"])
        rest = editor.call("rdev/readOutput", {"runId": run_id, "seq": 51, "limit": 20})
        assert (rest["chunks"], rest["nextSeq"], rest["finished"]) == ([], 51, True)


def test_another_editor_attaches_and_cancels(workspace: Path) -> None:
    with open_editor(workspace) as first, open_editor(workspace) as second:
        run_id = first.call("rdev/run", {"command": "seq 1 3; exec sleep 600"})["runId"]
        first.expect("rdev/runStarted")
        first.expect("rdev/output")
        assert run_id in [run["runId"] for run in second.call("rdev/runs", {})["runs"]]
        number = second.start("rdev/attach", {"runId": run_id, "seq": 0})
        answer = second.take(lambda message: message.get("method") not in QUIET)
        assert answer["id"] == number, "the answer comes before the run's notifications"
        assert answer["result"]["seq"] == 0
        assert answer["result"]["run"]["runId"] == run_id
        assert second.expect("rdev/runStarted")["trigger"] == {"kind": "attach"}
        assert second.call("rdev/cancel", {"runId": run_id}) == {"accepted": True}
        stdout, _, run = second.output_of(run_id)
        assert stdout == ["1", "2", "3"]
        assert run["outcome"] == "cancelled", run
        assert first.expect("rdev/runFinished")["run"]["outcome"] == "cancelled"


def test_a_run_that_is_attached_to_several_times_at_once_is_told_once(workspace: Path) -> None:
    with open_editor(workspace) as first, open_editor(workspace) as second:
        run_id = first.call("rdev/run", {"command": "seq 1 3; exec sleep 600"})["runId"]
        first.expect("rdev/runStarted")
        first.expect("rdev/output")
        numbers = [second.start("rdev/attach", {"runId": run_id, "seq": 0}) for _ in range(5)]
        for number in numbers:
            assert second.answer_to(number)["run"]["runId"] == run_id
        second.expect("rdev/runStarted")
        second.call("rdev/cancel", {"runId": run_id})
        stdout, _, run = second.output_of(run_id)
        assert (stdout, run["outcome"]) == (["1", "2", "3"], "cancelled")
        first.expect("rdev/runFinished")
        second.call("rdev/tasks")
        assert second.seen("rdev/runStarted") + second.seen("rdev/runFinished") == []


def test_attaching_to_a_run_that_is_told_already_tells_nothing_again(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        command = "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two"
        run_id = editor.call("rdev/run", {"command": command})["runId"]
        editor.expect("rdev/runStarted")
        editor.expect("rdev/output")
        assert editor.call("rdev/attach", {"runId": run_id, "seq": 0})["seq"] == 1
        (workspace / "go").touch()
        output = editor.expect("rdev/output")
        assert (output["seq"], output["chunks"][0]["lines"]) == (1, ["two"])
        editor.expect("rdev/runFinished")
        assert editor.seen("rdev/runStarted") == []


def test_a_changed_rdev_toml_is_read_again(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        editor.call("rdev/tasks")
        (workspace / "rdev.toml").write_text('[tasks.new]\ncommand = "true"\n')
        editor.notify("textDocument/didSave", {"textDocument": {"uri": (workspace / "rdev.toml").as_uri()}})
        editor.expect("rdev/tasksChanged")
        assert [task["id"] for task in editor.call("rdev/tasks")["tasks"]] == ["new"]


def test_a_wrong_rdev_toml_says_where_and_the_last_good_tasks_stay(workspace: Path) -> None:
    uri = (workspace / "rdev.toml").as_uri()
    good = (workspace / "rdev.toml").read_text()
    with open_editor(workspace) as editor:
        before = editor.call("rdev/tasks")
        (workspace / "rdev.toml").write_text(good + '\n[tasks.bad]\ncommand = "true"\ntimeout = [5]\n')
        editor.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        [diagnostic] = editor.expect("textDocument/publishDiagnostics", uri=uri)["diagnostics"]
        assert diagnostic["range"]["start"]["line"] == good.count("\n") + 3
        assert "timeout" in diagnostic["message"]
        assert editor.call("rdev/tasks") == before
        (workspace / "rdev.toml").write_text(good)
        editor.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert editor.expect("textDocument/publishDiagnostics", uri=uri)["diagnostics"] == []


def test_a_wrong_rdev_toml_at_the_start(workspace: Path) -> None:
    (workspace / "rdev.toml").write_text("[tasks.test\n")
    with open_editor(workspace) as editor:
        [diagnostic] = editor.expect("textDocument/publishDiagnostics")["diagnostics"]
        assert diagnostic["range"]["start"]["line"] == 0
        assert editor.call("rdev/tasks") == {"tasks": []}


def test_without_word_from_the_editor_a_change_is_still_seen(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        editor.call("rdev/tasks")
        (workspace / "rdev.toml").write_text('[tasks.new]\ncommand = "true"\n')
        editor.expect("rdev/tasksChanged")


def test_lenses_and_their_commands(workspace: Path) -> None:
    document = {"textDocument": {"uri": (workspace / "rdev.toml").as_uri()}}
    with open_editor(workspace) as editor:
        lenses = editor.call("textDocument/codeLens", document)
        command = next(lens["command"] for lens in lenses if lens["command"]["title"] == "▶ Run wait")
        run_id = editor.call("workspace/executeCommand", command | {"title": None})["runId"]
        editor.expect("rdev/runStarted")
        editor.expect("rdev/output")
        lenses = editor.call("textDocument/codeLens", document)
        cancel = next(lens["command"] for lens in lenses if "Cancel" in lens["command"]["title"])
        assert cancel["arguments"] == [run_id]
        editor.execute(cancel["command"], *cancel["arguments"])
        assert editor.expect("rdev/runFinished")["run"]["outcome"] == "cancelled"
        elsewhere = {"textDocument": {"uri": "untitled:Untitled-1"}}
        assert editor.call("textDocument/codeLens", elsewhere) == []


def test_several_folders_come_and_go(workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "rdev.toml").write_text('[tasks.hello]\ncommand = "pwd"\n')
    change = {"added": [{"uri": other.as_uri(), "name": "other"}], "removed": []}
    with open_editor(workspace) as editor:
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": change})
        editor.expect("rdev/tasksChanged")
        ids = [task["id"] for task in editor.call("rdev/tasks")["tasks"]]
        assert ids == ["work space:hello", "fail", "wait", "other:hello"]
        stdout, _, _ = editor.output_of(editor.call("rdev/run", {"task": "other:hello"})["runId"])
        assert stdout == [str(other)]
        stdout, _, _ = editor.output_of(editor.call("rdev/run", {"task": "hello"})["runId"])
        assert stdout == ["out"]
        stdout, _, _ = editor.output_of(editor.call("rdev/run", {"command": "pwd", "folder": other.as_uri()})["runId"])
        assert stdout == [str(other)]
        editor.seen("rdev/runStarted")
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": change["added"]}})
        editor.expect("rdev/tasksChanged")
        assert [task["id"] for task in editor.call("rdev/tasks")["tasks"]] == ["hello", "fail", "wait"]


def test_output_reaches_the_editor_without_control_sequences(workspace: Path) -> None:
    text = "\\033]0;title\\007\\033[31mred\\033[0m \\033[2J\\302\\233 \\342\\200\\256end"
    with open_editor(workspace) as editor:
        stdout, _, _ = editor.output_of(editor.call("rdev/run", {"command": f"printf '{text}\\n'"})["runId"])
        editor.seen("rdev/runStarted")
        assert stdout == ["\x1b[31mred\x1b[0m  end"]


def test_many_lines_arrive_once_and_in_order(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        run_id = editor.call("rdev/run", {"command": "seq 1 200000"})["runId"]
        editor.expect("rdev/runStarted")
        stdout, _, run = editor.output_of(run_id)
        assert stdout == [str(n) for n in range(1, 200_001)]
        assert run["lines"] == 200_000


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_an_editor_that_does_not_read_holds_the_stream_and_is_still_served(workspace: Path) -> None:
    editor = Editor(workspace, ignored=QUIET, reading=False)
    with editor:
        begin = {"processId": None, "rootUri": workspace.as_uri(), "capabilities": RDEV}
        hello = editor.start("initialize", begin)
        first = editor.start("rdev/run", {"command": "seq 1 3000000; exec sleep 600"})
        _rest(editor)
        before = resident_kb(editor.process.pid)
        second = editor.start("rdev/run", {"command": f"echo x > '{workspace}/ran'"})
        eventually((workspace / "ran").exists, what="a request made meanwhile")
        assert resident_kb(editor.process.pid) - before < 20_000
        editor.read_on()
        assert editor.answer_to(hello)
        assert editor.answer_to(second)["disposition"] == "started"
        run_id = editor.answer_to(first)["runId"]
        assert editor.call("rdev/cancel", {"runId": run_id}) == {"accepted": True}
        _, _, run = editor.output_of(run_id)
        assert run["outcome"] == "cancelled"
        editor.expect("rdev/runFinished")
        editor.seen("rdev/runStarted")


def _rest(editor: Editor) -> None:
    """Wait until the daemon's memory has stopped growing."""
    seen = [0, 1]

    def is_flat() -> bool:
        time.sleep(0.3)
        seen.append(resident_kb(editor.process.pid))
        return seen[-1] == seen[-2]

    eventually(is_flat, what="flat memory")


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"PPid:\t{pid}\n" in (entry / "status").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("way", ["leave", "stdin", "term"])
def test_a_run_ends_with_its_editor(workspace: Path, way: str) -> None:
    editor = Editor(workspace, ignored=(*QUIET, "rdev/runFinished"))
    with editor:
        editor.initialize(capabilities=RDEV)
        editor.call("rdev/run", {"command": "echo $$; exec sleep 600"})
        editor.expect("rdev/runStarted")
        [pid] = editor.expect("rdev/output")["chunks"][0]["lines"]
        if way == "leave":
            editor.leave()
        elif way == "stdin":
            editor.process.stdin.close()  # type: ignore[union-attr]
        else:
            editor.process.terminate()
        assert editor.ended() == {"leave": 0, "stdin": 1, "term": 143}[way]
        eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the command's end")


def test_a_detached_run_outlives_its_editor(workspace: Path) -> None:
    with open_editor(workspace) as editor:
        command = "echo $$; while [ ! -e go ]; do sleep 0.05; done; echo done"
        run_id = editor.call("rdev/run", {"command": command, "onClientExit": "detach"})["runId"]
        editor.expect("rdev/runStarted")
        [pid] = editor.expect("rdev/output")["chunks"][0]["lines"]
    os.kill(int(pid), 0)
    with open_editor(workspace) as editor:
        attached = editor.call("rdev/attach", {"runId": run_id})
        assert attached["seq"] == 1
        (workspace / "go").touch()
        editor.expect("rdev/runStarted")
        assert editor.expect("rdev/output")["seq"] == 1
        assert editor.expect("rdev/runFinished")["run"]["outcome"] == "succeeded"
