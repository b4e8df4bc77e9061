"""Run on save and the trust it needs, through the real daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rdev_bridge.editor.features.trust import NOT_NOW, TRUST
from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.support.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path

QUIET = ("rdev/connection", "rdev/tasksChanged", "rdev/runStale")
ASKING: dict[str, Any] = {**RDEV, "window": {"showMessage": {}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    (made / "src").mkdir(parents=True)
    (made / "rdev.toml").write_text('[tasks.check]\ncommand = "cat src/a.txt"\nwatch = ["src/**"]\n')
    (made / "src" / "a.txt").write_text("one\n")
    return made


def save(editor: Editor, path: Path, text: str) -> None:
    path.write_text(text)
    editor.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})


def run_of(editor: Editor, kind: str) -> list[str]:
    started = editor.expect("rdev/runStarted")
    assert started["trigger"]["kind"] == kind
    stdout, _, _ = editor.output_of(started["run"]["runId"])
    return stdout


def test_a_save_runs_the_task_once_in_a_trusted_workspace(folder: Path) -> None:
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": True}})
        [task] = editor.call("rdev/tasks")["tasks"]
        assert (task["watching"], task["trusted"]) == (True, True)
        save(editor, folder / "src" / "a.txt", "two\n")
        started = editor.expect("rdev/runStarted")
        assert started["trigger"] == {"kind": "save", "files": [(folder / "src" / "a.txt").as_uri()]}
        assert editor.output_of(started["run"]["runId"])[0] == ["two"]


def test_a_run_that_a_change_has_overtaken_is_said_to_be_stale(folder: Path) -> None:
    with Editor(folder, ignored=(*QUIET, "rdev/output")) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": True}})
        run_id = editor.call("rdev/run", {"task": "check"})["runId"]
        editor.expect("rdev/runStarted")
        editor.expect("rdev/runFinished")
        save(editor, folder / "src" / "a.txt", "two\n")
        assert editor.expect("rdev/runStale")["run"]["runId"] == run_id
        editor.expect("rdev/runStarted")
        editor.expect("rdev/runFinished")


def test_a_change_from_outside_runs_it_too(folder: Path) -> None:
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": True}})
        editor.call("rdev/tasks")
        (folder / "src" / "a.txt").write_text("three\n")
        assert run_of(editor, "change") == ["three"]


def test_an_editor_may_come_to_trust_the_workspace_while_it_is_open(folder: Path) -> None:
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": False}})
        assert editor.call("rdev/trust", {"editor": True}) == {"trusted": True}
        [task] = editor.call("rdev/tasks")["tasks"]
        assert (task["watching"], task["trusted"]) == (True, True)
        save(editor, folder / "src" / "a.txt", "two\n")
        assert run_of(editor, "save") == ["two"]


def test_nothing_starts_by_itself_in_a_stranger_s_workspace(folder: Path) -> None:
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        [task] = editor.call("rdev/tasks")["tasks"]
        assert (task["watching"], task["trusted"]) == (False, False)
        save(editor, folder / "src" / "a.txt", "two\n")
        assert "rdev.trust" in editor.expect("window/showMessage")["message"]
        assert editor.call("rdev/runs")["runs"] == []
        assert editor.execute("rdev.trust") == {"trusted": True}
        save(editor, folder / "src" / "a.txt", "three\n")
        assert run_of(editor, "save") == ["three"]


def test_trust_from_a_terminal_reaches_an_editor_that_is_open(folder: Path) -> None:
    with Editor(folder, ignored=("rdev/connection", "rdev/runStale")) as editor:
        editor.initialize(capabilities=RDEV)
        editor.call("rdev/tasks")
        for word, trusted in (("--yes", True), ("--revoke", False)):
            argv = [sys.executable, "-P", "-m", "rdev_bridge", "trust", word]
            subprocess.run(argv, cwd=folder, check=True, capture_output=True)
            editor.expect("rdev/tasksChanged")
            [task] = editor.call("rdev/tasks")["tasks"]
            assert (task["watching"], task["trusted"]) == (trusted, trusted)


def test_a_task_runs_as_its_file_says_now_though_nobody_told_of_the_file(folder: Path) -> None:
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": True}})
        editor.call("rdev/tasks")
        (folder / "rdev.toml").write_text('[tasks.check]\ncommand = "echo saved"\nwatch = ["src/**"]\n')
        save(editor, folder / "src" / "a.txt", "two\n")
        assert run_of(editor, "save") == ["saved"]
        (folder / "rdev.toml").write_text('[tasks.verify]\ncommand = "echo named"\n')
        editor.call("rdev/run", {"task": "verify"})
        assert run_of(editor, "request") == ["named"]


def test_a_file_that_changed_with_its_settings_starts_nothing_in_a_workspace_that_a_terminal_trusts(
    folder: Path,
) -> None:
    """As a `git pull` brings them: neither what `rdev.toml` says now nor what it said before."""
    argv = [sys.executable, "-P", "-m", "rdev_bridge", "trust", "--yes"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        assert editor.call("rdev/tasks")["tasks"][0]["watching"]
        (folder / "rdev.toml").write_text('[tasks.check]\ncommand = "echo evil"\nwatch = ["src/**"]\n')
        save(editor, folder / "src" / "a.txt", "two\n")
        assert "rdev.trust" in editor.expect("window/showMessage")["message"]
        assert editor.call("rdev/runs")["runs"] == []


@pytest.mark.parametrize("answer", [TRUST, NOT_NOW])
def test_the_editor_s_user_is_asked_once(folder: Path, answer: str) -> None:
    answers = {"window/showMessageRequest": {"title": answer}}
    with Editor(folder, ignored=QUIET, answers=answers) as editor:
        editor.initialize(capabilities=ASKING)
        editor.call("rdev/tasks")
        save(editor, folder / "src" / "a.txt", "two\n")
        if answer == TRUST:
            assert run_of(editor, "save") == ["two"]  # the save that brought up the question
            save(editor, folder / "src" / "a.txt", "four\n")
            assert run_of(editor, "save") == ["four"]
        else:
            eventually(lambda: editor.asked, what="the question")
            save(editor, folder / "src" / "a.txt", "three\n")
            assert editor.call("rdev/runs")["runs"] == []
        assert [request["method"] for request in editor.asked] == ["window/showMessageRequest"]


def test_a_changed_file_is_shown_and_asked_about_again(folder: Path) -> None:
    answers = {"window/showMessageRequest": {"title": TRUST}}
    with Editor(folder, ignored=QUIET, answers=answers) as editor:
        editor.initialize(capabilities=ASKING)
        editor.call("rdev/tasks")
        save(editor, folder / "src" / "a.txt", "two\n")
        editor.expect("rdev/tasksChanged")
        assert run_of(editor, "save") == ["two"]
        changed = '[tasks.check]\ncommand = "echo evil \\u001b]0;x\\u0007 \u202e"\nwatch = ["src/**"]\n'
        editor.answers["window/showMessageRequest"] = {"title": NOT_NOW}
        save(editor, folder / "rdev.toml", changed)
        editor.expect("rdev/tasksChanged")
        save(editor, folder / "src" / "a.txt", "three\n")
        eventually(lambda: len(editor.asked) == 2, what="the second question")
        assert [run["command"] for run in editor.call("rdev/runs")["runs"]] == ["cat src/a.txt"]
        first, second = (request["params"]["message"] for request in editor.asked)
        assert first.startswith(
            f"May tasks of {folder} start by themselves when files change?\n· check: cat src/a.txt.\n"
        )
        assert second.startswith(f"rdev.toml of {folder} has changed.")
        assert "\n· check: echo evil \\x1b]0;x\\x07 \\u202e.\n" in second
        assert all(f"{TRUST}: yes, until rdev.toml changes. {NOT_NOW}: " in text for text in (first, second))
        assert "\\u202e" in second
        assert not {"\u202e", "\x1b"} & set(first + second)


def test_watching_by_name_is_consent_to_that_task_as_it_stands(folder: Path) -> None:
    with Editor(folder, ignored=(*QUIET, "window/showMessage")) as editor:
        editor.initialize(capabilities=RDEV)
        assert editor.call("rdev/watch", {"task": "check", "enabled": True}) == {"watching": True}
        assert editor.call("rdev/runs")["runs"] == []
        save(editor, folder / "src" / "a.txt", "two\n")
        assert run_of(editor, "save") == ["two"]
        editor.seen("rdev/tasksChanged")
        changed = '[tasks.check]\ncommand = "echo something else"\nwatch = ["src/**"]\n'
        save(editor, folder / "rdev.toml", changed)
        editor.expect("rdev/tasksChanged")
        assert editor.call("rdev/tasks")["tasks"][0]["watching"] is False
        save(editor, folder / "src" / "a.txt", "three\n")
        assert len(editor.call("rdev/runs")["runs"]) == 1


def test_watching_can_be_switched_off(folder: Path) -> None:
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": True}})
        assert editor.execute("rdev.watch", "check") == {"watching": False}
        lenses = editor.call("textDocument/codeLens", {"textDocument": {"uri": (folder / "rdev.toml").as_uri()}})
        assert [lens["command"]["title"] for lens in lenses] == ["▶ Run check", "Watch"]
        assert editor.execute("rdev.watch", "check", True) == {"watching": True}


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 alone")
def test_a_loop_on_a_file_whose_name_is_no_utf8_is_said(folder: Path) -> None:
    (folder / "rdev.toml").write_text(
        "[tasks.check]\ncommand = \"for f in src/*.odd; do date +%N >> $f; done; printf '%s\\n' ${changedFiles}\"\n"
        'watch = ["src/**"]\n'
    )
    odd = folder / "src" / os.fsdecode(b"\xff.odd")  # the only file that the run changes
    odd.write_text("x")
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, initializationOptions={"rdev": {"trusted": True}})
        save(editor, folder / "src" / "a.txt", "two\n")
        assert run_of(editor, "save") == [f"{folder}/src/a.txt"]
        assert run_of(editor, "change") == [f"{folder}/src/\ufffd.odd"]
        said = editor.expect("window/showMessage")["message"]
        assert said.endswith("looks like check's output: it starts no run")
        assert editor.expect("window/logMessage")["message"] == f"{said}; if it is, list it in .gitignore"
