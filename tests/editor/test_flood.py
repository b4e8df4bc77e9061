"""A hundred thousand problems: nothing freezes, what is shown is bounded, and what is not shown is counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from rdev_bridge.problems.standing import IN_ALL, PER_FILE
from tests.editor.conftest import RDEV
from tests.editor.editor import Editor

if TYPE_CHECKING:
    from pathlib import Path

PROBLEMS = 100_000
QUIET = ("rdev/connection", "rdev/tasksChanged", "rdev/runStarted", "rdev/output")


@pytest.mark.parametrize("files", [1, 100])
def test_a_flood_of_problems(tmp_path: Path, files: int) -> None:
    for number in range(files):
        (tmp_path / f"f{number}.c").write_text("int x;\n" * 1000)
    said = f'"f%d.c:%d:5: error: boom %d\\n", i % {files}, i % 1000 + 1, i'
    program = f"BEGIN {{ for (i = 0; i < {PROBLEMS}; i++) printf {said} }}"
    (tmp_path / "rdev.toml").write_text(
        f"[tasks.flood]\ncommand = '''awk '{program}' '''\nproblem_matcher = '$gcc'\n"
        "[tasks.other]\ncommand = 'echo f0.c:1:1: error: mine'\nproblem_matcher = '$gcc'\n"
    )
    with Editor(tmp_path, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        editor.call("rdev/run", {"task": "flood"})
        answers = 0
        while not (ended := editor.seen("rdev/runFinished")):
            editor.call("rdev/tasks")
            answers += 1
        assert answers > 5, "requests are answered all the time, not once it is over"
        assert ended[0]["run"]["diagnostics"]["errors"] == PROBLEMS

        standing = {told["uri"]: told["diagnostics"] for told in editor.seen("textDocument/publishDiagnostics")}
        shown, hidden = split(standing)
        assert shown == min(files * PER_FILE, IN_ALL)
        assert shown + hidden == PROBLEMS
        assert all(len(diagnostics) <= PER_FILE + 1 for diagnostics in standing.values())

        editor.call("rdev/run", {"task": "other"})
        editor.expect("rdev/runFinished")
        standing |= {told["uri"]: told["diagnostics"] for told in editor.seen("textDocument/publishDiagnostics")}
        said = [one for one in standing[(tmp_path / "f0.c").as_uri()] if one["source"] == "rdev:other"]
        assert [one["message"] for one in said] == ["mine"], "a flood leaves room for others"
        shown, hidden = split(standing)
        assert shown <= IN_ALL
        assert shown + hidden == PROBLEMS + 1


def split(standing: dict[str, list[dict[str, Any]]]) -> tuple[int, int]:
    """How many problems are shown, and how many the last entries say are not."""
    shown = hidden = 0
    for diagnostics in standing.values():
        for number, one in enumerate(diagnostics, 1):
            more = re.match(r"(\d+) more problems? (is|are) not shown", one["message"])
            if more is None:
                shown += 1
            else:
                hidden += int(more[1])
                assert number == len(diagnostics) or diagnostics[number]["source"] != one["source"]
    return shown, hidden
