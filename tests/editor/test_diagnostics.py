"""Output becomes diagnostics on the right file, and goes away: through the real daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rdev_bridge.editor.client import path_from_uri
from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.support.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path

QUIET = ("rdev/connection", "rdev/tasksChanged", "rdev/runStarted", "rdev/output")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "ünï 100%"
    made.mkdir()
    (made / "rdev.toml").write_text(
        '[tasks.check]\ncommand = "cat said"\nproblem_matcher = "generic"\n'
        '[tasks.lint]\ncommand = "cat linted"\nproblem_matcher = "generic"\n'
    )
    (made / "a b.py").write_text("one\n🦀🦀 crab = 1\n")
    return made


def finished(editor: Editor, task: str) -> dict[str, Any]:
    run: dict[str, Any]
    editor.call("rdev/run", {"task": task})
    run = editor.expect("rdev/runFinished")["run"]
    return run


@pytest.mark.parametrize(("encoding", "start"), [("utf-8", 9), ("utf-16", 5), ("utf-32", 3)])
def test_a_diagnostic_counts_as_the_client_counts(folder: Path, encoding: str, start: int) -> None:
    capabilities = {**RDEV, "general": {"positionEncodings": [encoding]}}
    with Editor(folder, ignored=QUIET) as editor:
        answer = editor.initialize(capabilities=capabilities)
        assert answer["capabilities"]["positionEncoding"] == encoding
        (folder / "said").write_text("a b.py:2:6: error: no \033[31mcrab\033[0m\n")
        run = finished(editor, "check")
        assert run["diagnostics"] == {"errors": 1, "warnings": 0}
        [diagnostic] = editor.expect("textDocument/publishDiagnostics", uri=(folder / "a b.py").as_uri())["diagnostics"]
        assert diagnostic["message"] == "no crab"
        assert diagnostic["source"] == "rdev:check"
        assert diagnostic["severity"] == 1
        assert diagnostic["range"]["start"] == {"line": 1, "character": start}


def test_two_tasks_on_a_file_are_a_union_and_what_is_fixed_goes(folder: Path) -> None:
    uri = (folder / "a b.py").as_uri()
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)

        def told() -> list[str]:
            diagnostics = editor.expect("textDocument/publishDiagnostics", uri=uri)["diagnostics"]
            return sorted(diagnostic["source"] for diagnostic in diagnostics)

        (folder / "said").write_text("a b.py:1: first\n")
        (folder / "linted").write_text("a b.py:2: second\n")
        finished(editor, "check")
        assert told() == ["rdev:check"]
        finished(editor, "lint")
        assert told() == ["rdev:check", "rdev:lint"]
        (folder / "said").write_text("all is well\n")
        finished(editor, "check")
        assert told() == ["rdev:lint"]
        (folder / "rdev.toml").write_text('[tasks.other]\ncommand = "true"\n')
        editor.notify("textDocument/didSave", {"textDocument": {"uri": (folder / "rdev.toml").as_uri()}})
        assert told() == []


def test_what_stands_is_told_again_to_a_document_that_is_opened_or_closed(folder: Path) -> None:
    """Eglot shows in a buffer only what it hears after it has opened it."""
    document = {"textDocument": {"uri": (folder / "a b.py").as_uri(), "languageId": "python", "version": 1, "text": ""}}
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        editor.notify("textDocument/didOpen", document)  # nothing was ever said of it
        (folder / "said").write_text("a b.py:1: first\n")
        finished(editor, "check")
        told = editor.expect("textDocument/publishDiagnostics")
        for method in ("textDocument/didClose", "textDocument/didOpen"):
            editor.notify(method, document)
            assert editor.expect("textDocument/publishDiagnostics") == told


def test_run_again_and_show_output_of_the_very_run(folder: Path) -> None:
    uri = (folder / "a b.py").as_uri()
    capabilities = RDEV | {
        "window": {"showDocument": {"support": True}},
        "textDocument": {
            "publishDiagnostics": {"dataSupport": True},
            "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}},
        },
    }
    with Editor(folder, ignored=QUIET, answers={"window/showDocument": {"success": True}}) as editor:
        editor.initialize(capabilities=capabilities)
        (folder / "said").write_text("a b.py:1: first\n")
        first = finished(editor, "check")
        told = editor.expect("textDocument/publishDiagnostics", uri=uri)["diagnostics"]
        context = {"diagnostics": told, "only": ["quickfix"]}
        place = {"textDocument": {"uri": uri}, "range": told[0]["range"], "context": context}
        again, output = (action["command"] for action in editor.call("textDocument/codeAction", place))

        (folder / "said").write_text("a b.py:2: second\n")
        editor.execute(again["command"], *again["arguments"])
        run = editor.expect("rdev/runFinished")["run"]
        assert (run["task"], run["diagnostics"]["errors"]) == ("check", 1)
        assert editor.expect("textDocument/publishDiagnostics", uri=uri)["diagnostics"][0]["message"] == "second"

        editor.execute(output["command"], *output["arguments"])
        eventually(lambda: "window/showDocument" in [asked["method"] for asked in editor.asked])
        shown = path_from_uri(editor.asked[-1]["params"]["uri"])
        assert shown is not None
        assert (editor.asked[-1]["params"]["uri"], shown.read_text()) == (first["logUri"], "a b.py:1: first\n")


def test_a_wrong_matcher_is_told_at_its_line_and_its_problems_go(folder: Path) -> None:
    settings = folder / "rdev.toml"
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        (folder / "said").write_text("a b.py:1: first\n")
        finished(editor, "check")
        assert editor.expect("textDocument/publishDiagnostics", uri=(folder / "a b.py").as_uri())["diagnostics"]
        settings.write_text(
            '[tasks.check]\ncommand = "true"\n\n[tasks.lint]\ncommand = "true"\n[tasks.lint.problem_matcher]\n'
            "base = '$gcc'\n[tasks.lint.problem_matcher.pattern]\nregexp = '^(?=a)(.*):(\\d+): (.*)$'\nmessage = 3\n"
        )
        editor.notify("textDocument/didSave", {"textDocument": {"uri": settings.as_uri()}})
        [wrong] = editor.expect("textDocument/publishDiagnostics", uri=settings.as_uri())["diagnostics"]
        assert wrong["range"]["start"]["line"] == 8
        assert wrong["message"].startswith("tasks.lint.problem_matcher.pattern.regexp: the regular expression")
        assert "a lookahead `(?=` at position 2" in wrong["message"]
        assert not editor.expect("textDocument/publishDiagnostics", uri=(folder / "a b.py").as_uri())["diagnostics"]
        assert finished(editor, "lint")["outcome"] == "succeeded"
        settings.write_text('[tasks.lint]\ncommand = "true"\nproblem_matcher = "$gcc"\n')
        editor.notify("textDocument/didSave", {"textDocument": {"uri": settings.as_uri()}})
        assert not editor.expect("textDocument/publishDiagnostics", uri=settings.as_uri())["diagnostics"]


def test_a_folder_that_is_closed_takes_its_diagnostics_along(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "rdev.toml").write_text('[tasks.check]\ncommand = "cat said"\nproblem_matcher = "generic"\n')
    folders = [{"uri": one.as_uri(), "name": one.name} for one in (folder, other)]
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV, workspaceFolders=folders)
        for one in (folder, other):
            (one / "a b.py").touch()
            (one / "said").write_text("a b.py:1: wrong\n")
            finished(editor, f"{one.name}:check")
            [told] = editor.expect("textDocument/publishDiagnostics", uri=(one / "a b.py").as_uri())["diagnostics"]
            assert (told["message"], told["source"]) == ("wrong", "rdev:check")
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": folders[1:]}})
        assert not editor.expect("textDocument/publishDiagnostics", uri=(other / "a b.py").as_uri())["diagnostics"]
        editor.notify("textDocument/didOpen", {"textDocument": {"uri": (folder / "a b.py").as_uri()}})
        assert editor.expect("textDocument/publishDiagnostics", uri=(folder / "a b.py").as_uri())["diagnostics"]


def test_a_server_that_nobody_described_is_told_at_its_line_until_somebody_does(folder: Path, own_home: Path) -> None:
    settings, own = folder / "rdev.toml", own_home / ".config/rdev-bridge/config.toml"
    own.parent.mkdir()
    own.write_text('[servers.gpu]\nurl = "https://gpu.example"\n')
    settings.write_text('server = "gpu"\n[tasks.check]\ncommand = "true"\nserver = "gpuu"\n')
    with Editor(folder, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        [wrong] = editor.expect("textDocument/publishDiagnostics", uri=settings.as_uri())["diagnostics"]
        assert wrong["range"]["start"]["line"] == 3
        assert wrong["message"] == f'tasks.check.server: your {own} has no [servers.gpuu]; did you mean "gpu"?'
        own.write_text('[servers.gpu]\nurl = "https://gpu.example"\n[servers.gpuu]\nurl = "https://gpuu.example"\n')
        assert not editor.expect("textDocument/publishDiagnostics", uri=settings.as_uri())["diagnostics"]
        own.write_text("[servers.gpu]\nurl = 1\n")
        [wrong] = editor.expect("textDocument/publishDiagnostics", uri=own.as_uri())["diagnostics"]
        assert wrong["range"]["start"]["line"] == 1
        assert "must be a text" in wrong["message"]
