"""Output becomes diagnostics on the right file, and goes away: through the real daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor

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
