"""`rdev-bridge match`: what a matcher makes of a saved output, and why not."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.bridge import PATIENCE_S, ROOT, Bridge

if TYPE_CHECKING:
    from pathlib import Path

DATA = ROOT / "tests" / "problems" / "data"


def match(bridge: Bridge, *words: str, output: str) -> tuple[int, list[str], list[str]]:
    with bridge.start("match", *words, stdin=subprocess.PIPE) as process:
        out, err = process.communicate(output.encode(), timeout=PATIENCE_S)
    return process.returncode, out.decode().splitlines(), err.decode().splitlines()


def test_problems_on_stdout_and_the_count_on_stderr(bridge: Bridge) -> None:
    code, out, err = match(bridge, "generic", output="building\na.c:3:7: warning: unused\nb.c:9: broken\n")
    assert (code, out) == (0, ["a.c:3:7: warning: unused", "b.c:9: error: broken"])
    assert err == ["2 problems (1 error, 1 warning) in 3 lines"]


def test_why_a_line_did_not_match(bridge: Bridge) -> None:
    pattern = r'{"pattern": {"regexp": "^(\\S+):(\\d+): (.+)$", "file": 1, "line": 2, "message": 3}}'
    _, out, err = match(bridge, pattern, output="a.c:3: odd\na.c:4 odd\n")
    assert out == ["a.c:3: error: odd"]
    assert err[0] == "line 2: a.c:4 odd"
    assert err[1] == r"    no problem: `:` does not fit at ' odd' (`^(\S+):(\d+)` does)"
    assert err[-1] == "1 problem (1 error) in 2 lines"


@pytest.mark.parametrize("case", ["unittest/plain", "unittest/own_runner", "python/traceback", "vitest/plain"])
def test_a_line_that_was_read_is_not_called_missed(bridge: Bridge, case: str) -> None:
    output = (DATA / f"{case}.txt").read_text()
    _, out, err = match(bridge, case.partition("/")[0], output=output)
    assert out
    assert len(err) == 1


def test_a_task_s_own_matcher_and_the_files_of_its_workspace(bridge: Bridge, tmp_path: Path) -> None:
    (bridge.folder / "rdev.toml").write_text('[tasks.lint]\ncommand = "lint"\nproblem_matcher = "generic"\n')
    (bridge.folder / "a.c").touch()
    _, out, _ = match(bridge, "lint", output=f"a.c:1: near\n{tmp_path}/away.c:2: far\n")
    assert out == [
        "a.c:1: error: near",
        f"{tmp_path}/away.c:2: error: far",
        "    (no file of this workspace: it stays in the output)",
    ]


def test_control_characters_of_an_output_do_not_reach_the_terminal(bridge: Bridge) -> None:
    _, out, err = match(bridge, "generic", output="a.c:1: \x1b]0;title\x07bad \x1b[31mred\x1b[0m\x9b\n")
    assert not any(char < " " or "\x7f" <= char <= "\x9f" for line in out + err for char in line)


def test_an_unknown_name_is_2_with_the_nearest(bridge: Bridge) -> None:
    code, _, err = match(bridge, "pytst", output="")
    assert code == 2
    assert err == ["rdev-bridge: there is no task and no matcher 'pytst'; did you mean pytest or vitest or python?"]
