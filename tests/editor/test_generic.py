"""Clients without code for us: each gets what its capabilities allow, and one that declares nothing gets its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.editor.editor import Editor

PROGRESS = {"window": {"workDoneProgress": True}}


def logged(editor: Editor, until: str) -> str:
    """All log messages up to the one that holds `until`."""
    text = ""
    while until not in text:
        text += editor.expect("window/logMessage")["message"] + "\n"
    return text


def test_a_client_that_declares_nothing_gets_run_output_result_and_log(workspace: Path) -> None:
    with Editor(workspace) as editor:
        editor.initialize()
        run_id = editor.execute("rdev.run", "fail")["runId"]
        text = logged(editor, "output.log")
        assert "[fail] $ echo broken; exit 3" in text
        assert "broken" in text.split("\n")
        assert "[fail] failed with exit code 3" in text
        shown = editor.expect("window/showMessage")
        assert shown["type"] == 1
        assert "fail failed with exit code 3" in shown["message"]
        assert Path(shown["message"].rpartition("Output: ")[2]).read_text() == "broken\n"
        assert editor.execute("rdev.runs")["runs"][0]["runId"] == run_id
        assert editor.asked == []


def test_a_client_without_progress_is_told_of_success_too(workspace: Path) -> None:
    with Editor(workspace, ignored=["window/logMessage"]) as editor:
        editor.initialize()
        editor.execute("rdev.run", "hello")
        shown = editor.expect("window/showMessage")
        assert (shown["type"], "hello succeeded" in shown["message"]) == (3, True)


def test_progress_shows_the_run_and_its_button_cancels_it(workspace: Path) -> None:
    with Editor(workspace, ignored=["window/logMessage"]) as editor:
        editor.initialize(capabilities=PROGRESS)
        editor.execute("rdev.run", "wait")
        begin = editor.expect("$/progress")
        assert begin["value"] == {"kind": "begin", "title": "wait", "cancellable": True}
        token = begin["token"]
        assert editor.expect("$/progress", token=token)["value"] == {"kind": "report", "message": "1 line · started"}
        editor.notify("window/workDoneProgress/cancel", {"token": token})
        values = []
        while not values or values[-1]["kind"] != "end":
            values.append(editor.expect("$/progress", token=token)["value"])
        assert values[-1]["message"].startswith("cancelled")
        assert any(value.get("message") == "cancelling …" for value in values)
        assert [request["method"] for request in editor.asked] == ["window/workDoneProgress/create"]


@pytest.mark.parametrize(
    "answer", [Editor.SILENCE, RuntimeError("no"), {"unexpected": 1}], ids=["silence", "error", "odd"]
)
def test_a_client_that_never_really_answers_still_gets_its_result(workspace: Path, answer: Any) -> None:
    answers = dict.fromkeys(
        [
            "window/workDoneProgress/create",
            "window/showDocument",
            "workspace/codeLens/refresh",
            "client/registerCapability",
            "window/showMessageRequest",
        ],
        answer,
    )
    capabilities = {
        "window": {"workDoneProgress": True, "showDocument": {"support": True}, "showMessage": {}},
        "workspace": {
            "codeLens": {"refreshSupport": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True},
        },
    }
    with Editor(workspace, answers=answers, ignored=["window/logMessage", "$/progress"]) as editor:
        editor.initialize(capabilities=capabilities)
        editor.execute("rdev.run", "fail")
        assert "failed with exit code 3" in editor.expect("window/showMessage")["message"]
        if answer is not Editor.SILENCE:  # after silence it takes the time limit; peer's own test has that
            assert editor.execute("rdev.showOutput") is None
            assert "output.log" in editor.expect("window/showMessage")["message"]


def test_where_the_output_is_stands_before_the_answer(workspace: Path) -> None:
    """What comes behind an answer that is waited for is left lying in Emacs 28 (golang/go#54559)."""
    with Editor(workspace, ignored=["window/logMessage"]) as editor:
        editor.initialize()
        editor.execute("rdev.run", "fail")
        editor.expect("window/showMessage")
        number = editor.start("workspace/executeCommand", {"command": "rdev.showOutput", "arguments": ["fail"]})
        said = editor.take(lambda message: message.get("id") == number or message["method"] == "window/showMessage")
        assert "output.log" in said["params"]["message"]
        assert editor.answer_to(number) is None


def test_show_output_opens_the_log_where_the_editor_can(workspace: Path) -> None:
    ignored = ["window/logMessage", "window/showMessage"]
    with Editor(workspace, ignored=ignored, answers={"window/showDocument": {"success": True}}) as editor:
        editor.initialize(capabilities={"window": {"showDocument": {"support": True}}})
        editor.execute("rdev.run", "hello")
        editor.expect("window/showMessage")
        editor.execute("rdev.showOutput", "hello")
        editor.execute("rdev.tasks")
        [asked] = editor.asked
        assert asked["method"] == "window/showDocument"
        assert asked["params"]["uri"].endswith("/output.log")


NOWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
ACTIONS = {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}}


@pytest.mark.parametrize(
    ("text_document", "opens", "is_short"),
    [(ACTIONS, True, True), ({"codeAction": {}}, True, True), ({}, True, False), (ACTIONS, False, True)],
    ids=["literals", "commands", "no actions", "no documents"],
)
def test_where_an_action_leads_to_the_output_its_path_is_not_told(
    workspace: Path, text_document: dict[str, Any], opens: bool, is_short: bool
) -> None:
    answers = {"window/showDocument": {"success": True}}
    with Editor(workspace, ignored=["window/logMessage"], answers=answers) as editor:
        editor.initialize(capabilities={"window": {"showDocument": {"support": opens}}, "textDocument": text_document})
        editor.execute("rdev.run", "fail")
        said = editor.expect("window/showMessage")["message"]
        assert said.startswith("fail failed with exit code 3")
        assert ("Output: " not in said) is is_short
        found = editor.call(
            "textDocument/codeAction",
            {"textDocument": {"uri": (workspace / "a.txt").as_uri()}, "range": NOWHERE, "context": {"diagnostics": []}},
        )
        (action,) = (one for one in found if one["title"] == "Show output of fail (failed with exit code 3)")
        command = action["command"] if "kind" in action else action
        editor.execute(command["command"], *command["arguments"])
        if opens:
            editor.execute("rdev.tasks")
            assert editor.asked[-1]["params"]["uri"].endswith("/output.log")
        else:
            assert editor.expect("window/showMessage")["message"].endswith("/output.log")


def test_lenses_are_refreshed_as_runs_come_and_go(workspace: Path) -> None:
    with Editor(workspace, ignored=["window/logMessage", "window/showMessage"]) as editor:
        editor.initialize(capabilities={"workspace": {"codeLens": {"refreshSupport": True}}})
        editor.execute("rdev.run", "hello")
        editor.expect("window/showMessage")
        assert {request["method"] for request in editor.asked} == {"workspace/codeLens/refresh"}


def test_a_flood_is_bounded_for_a_client_that_only_logs(workspace: Path) -> None:
    with Editor(workspace) as editor:
        editor.initialize()
        editor.execute("rdev.run", {"command": "seq 1 300000"})
        text = logged(editor, "succeeded after")
        assert len(text) < 200_000
        assert "lines left out" in text
        assert "\n300000\n" in text
        editor.expect("window/showMessage")
