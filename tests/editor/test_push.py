"""`sync = "push"` as an editor sees it: a saved edit runs in the server's folder, with progress, and with a choice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from rdev_bridge.editor.features.conflict import NEITHER, OURS, THEIRS
from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.support.other_folder import OtherFolder, other_folder
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUIET = ("rdev/connection", "rdev/tasksChanged", "rdev/runStale")
LARGE_BYTES = 12_000_000
TRUSTED = {"rdev": {"trusted": True}}
ASKING: dict[str, Any] = {**RDEV, "window": {"showMessage": {}}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OtherFolder]:
    with other_folder(tmp_path / "there") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    (made / "src").mkdir(parents=True)
    (made / "rdev.toml").write_text(
        f'remote_root = "{tmp_path / "there"}"\n'
        '[tasks.check]\ncommand = "cat src/*"\nwatch = ["src/**"]\nsync = "push"\n'
    )
    (made / "src" / "a.txt").write_text("one\n")
    return made


def save(editor: Editor, path: Path, text: str) -> None:
    path.write_text(text)
    editor.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})


def next_run(editor: Editor) -> tuple[list[str], dict[str, Any]]:
    started = editor.expect("rdev/runStarted")
    stdout, _, run = editor.output_of(started["run"]["runId"])
    return stdout, run


def test_what_is_saved_runs_there_and_what_is_deleted_vanishes_there(folder: Path, server: OtherFolder) -> None:
    with Editor(folder, ignored=QUIET, environ=server.environ) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions=TRUSTED)
        save(editor, folder / "src" / "a.txt", "two\n")
        stdout, first = next_run(editor)
        assert stdout == ["two"]
        save(editor, folder / "src" / "b.txt", "three\n")
        stdout, second = next_run(editor)
        assert stdout == ["two", "three"]
        assert first["workspaceState"] != second["workspaceState"]
        (folder / "src" / "b.txt").unlink()
        stdout, third = next_run(editor)
        assert stdout == ["two"]
        assert third["workspaceState"] == first["workspaceState"]
        assert not (server.root / "src" / "b.txt").exists()


@pytest.mark.parametrize(("answer", "left"), [(OURS, "mine"), (THEIRS, "theirs"), (NEITHER, "theirs")])
def test_the_user_says_which_side_stays(folder: Path, server: OtherFolder, answer: str, left: str) -> None:
    answers = {"window/showMessageRequest": {"title": answer}}
    with Editor(folder, ignored=QUIET, environ=server.environ, answers=answers) as editor:
        editor.initialize(capabilities=ASKING, initializationOptions=TRUSTED)
        editor.call("rdev/run", {"task": "check"})
        next_run(editor)
        (server.root / "src" / "a.txt").write_text("theirs\n")
        save(editor, folder / "src" / "a.txt", "mine\n")
        _, refused = next_run(editor)
        assert (refused["outcome"], refused["reason"]) == ("error", "syncConflict")
        if answer == NEITHER:
            eventually(lambda: editor.asked, what="the question")
            assert len(editor.call("rdev/runs")["runs"]) == 2
        else:
            stdout, run = next_run(editor)
            assert stdout == [left]
            assert ("message" in run) == (answer == THEIRS), "what was left alone is told"
        [question] = editor.asked
        assert "src/a.txt" in question["params"]["message"]
        assert (server.root / "src" / "a.txt").read_text() == f"{left}\n"


def test_an_answer_is_for_that_conflict_alone(folder: Path, server: OtherFolder) -> None:
    settings = folder / "rdev.toml"
    settings.write_text(settings.read_text().replace('watch = ["src/**"]\n', ""))
    with Editor(folder, ignored=QUIET, environ=server.environ) as editor:
        editor.initialize(capabilities=RDEV)
        (server.root / "src").mkdir()
        (server.root / "src" / "a.txt").write_text("theirs\n")
        editor.call("rdev/run", {"task": "check", "syncConflict": "ours"})
        assert next_run(editor)[0] == ["one"]
        (server.root / "src" / "a.txt").write_text("theirs, later\n")
        (folder / "src" / "a.txt").write_text("mine\n")
        editor.execute("rdev.rerun")
        assert next_run(editor)[1]["reason"] == "syncConflict"
        assert (server.root / "src" / "a.txt").read_text() == "theirs, later\n"


@pytest.mark.parametrize("can_answer", [True, False])
def test_a_conflict_is_told_once_by_a_question_or_by_a_message(
    folder: Path, server: OtherFolder, can_answer: bool
) -> None:
    answer = {"title": NEITHER} if can_answer else RuntimeError("no")
    answers = {"window/showMessageRequest": answer}
    ignored = ("window/logMessage", "$/progress")
    with Editor(folder, ignored=ignored, environ=server.environ, answers=answers) as editor:
        editor.initialize(capabilities={"window": {"showMessage": {}, "workDoneProgress": True}})
        (server.root / "src").mkdir()
        (server.root / "src" / "a.txt").write_text("theirs\n")
        editor.execute("rdev.run", "check")
        if not can_answer:
            assert "--sync-conflict=ours" in editor.expect("window/showMessage")["message"]
        asked = "window/showMessageRequest"
        eventually(lambda: any(one["method"] == asked for one in editor.asked), what="the question")
        [question] = [one for one in editor.asked if one["method"] == asked]
        assert question["params"]["message"].endswith("src/a.txt; nothing was pushed")
        editor.execute("rdev.tasks")
        assert not editor.seen("window/showMessage")


def test_a_client_without_questions_chooses_in_its_request(folder: Path, server: OtherFolder) -> None:
    with Editor(folder, ignored=QUIET, environ=server.environ) as editor:
        editor.initialize(capabilities=RDEV)
        (server.root / "src").mkdir()
        (server.root / "src" / "a.txt").write_text("theirs\n")
        editor.call("rdev/run", {"task": "check"})
        assert next_run(editor)[1]["reason"] == "syncConflict"
        editor.call("rdev/run", {"task": "check", "syncConflict": "ours"})
        assert next_run(editor)[0] == ["one"]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_push_that_takes_a_while_shows_how_far_it_is_and_can_be_stopped(
    folder: Path, tmp_path: Path, cancelled: bool
) -> None:
    (folder / "large").write_bytes(random.Random(1).randbytes(LARGE_BYTES))
    (folder / "rdev.toml").write_text(
        f'remote_root = "{tmp_path / "far"}"\n[tasks.size]\ncommand = "wc -c < large"\nsync = "push"\n'
    )
    capabilities = {**RDEV, "window": {"workDoneProgress": True}}
    with (
        other_folder(tmp_path / "far", elsewhere=True) as far,
        Editor(folder, ignored=(*QUIET, "$/progress"), environ=far.environ) as editor,
    ):
        editor.initialize(capabilities=capabilities)
        run_id = editor.call("rdev/run", {"task": "size"})["runId"]
        token = f"rdev-sync-{run_id}"
        begin = editor.expect("$/progress", token=token)["value"]
        assert (begin["kind"], begin["cancellable"]) == ("begin", True)
        assert 0 <= begin["percentage"] < 100
        report = editor.expect("$/progress", token=token)["value"]
        assert "MB" in report["message"]
        if cancelled:
            editor.notify("window/workDoneProgress/cancel", {"token": token})
        stdout, run = next_run(editor)
        bars = [params["value"] for params in editor.seen("$/progress") if params["token"] == token]
        assert bars[-1]["kind"] == "end"
        percentages = [value["percentage"] for value in bars if value["kind"] == "report"]
        assert percentages == sorted(percentages)
        if cancelled:
            assert (run["outcome"], stdout) == ("cancelled", [])
            assert not (far.root / "large").exists()
        else:
            assert stdout == [str(LARGE_BYTES)]
