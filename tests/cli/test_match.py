"""`rdev-bridge match`: what a matcher makes of a saved output, and why a line came to nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.bridge import ROOT

if TYPE_CHECKING:
    from tests.cli.bridge import Bridge

DATA = ROOT / "tests/problems/data"
LINE = {"regexp": r"^(.*):(\d+): (warning|error): (.*)$", "file": 1, "line": 2, "severity": 3, "message": 4}
TWO = {"pattern": [{"regexp": r"^--> (.*):(\d+)$", "file": 1, "line": 2}, {"regexp": r"^  = (.*)$", "message": 1}]}


def matched(bridge: Bridge, matcher: str, text: str, *options: str) -> tuple[list[str], list[str]]:
    saved = bridge.folder / "saved"
    saved.write_text(text, "utf-8")
    with saved.open("rb") as file:
        done = bridge.call("match", *options, matcher, stdin=file)
    assert done.returncode == 0
    return done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


def test_problems_on_stdout_and_a_count_on_stderr(bridge: Bridge) -> None:
    text = "\x1b[1ma.c:3:5: \x1b[31merror:\x1b[0m bad [-Wx]\na.c:1:1: note: see here\na.c:9:1: warning: odd\nok\n"
    for name in ("gcc", "$gcc"):
        out, err = matched(bridge, name, text)
        assert out == ["a.c:3:5: error: bad [-Wx]", "    a.c:1: see here", "a.c:9:1: warning: odd"]
        assert err == ["2 problems (1 error, 1 warning) in 4 lines"]
    assert matched(bridge, "gcc", "") == ([], ["0 problems in 0 lines"])


def test_why_a_line_came_to_nothing(bridge: Bridge) -> None:
    text = "a.c:3: error: bad\na.c|4| error: strange\nerror: no place at all\nall is well\n"
    out, err = matched(bridge, json.dumps({"pattern": LINE}), text)
    assert out == ["a.c:3: error: bad"]
    assert err == [
        "line 2: a.c|4| error: strange",
        r"    no problem: `(\d+)` does not fit at ' strange' (`^(.*):` does)",
        "line 3: error: no place at all",
        r"    no problem: `(\d+)` does not fit at ' no place at all' (`^(.*):` does)",
        "1 problem (1 error) in 4 lines",
    ]


def test_where_a_matcher_of_several_lines_stopped(bridge: Bridge) -> None:
    out, err = matched(bridge, json.dumps(TWO), "--> a.c:1\n  = one\n--> a.c:2\n = two\n--> a.c:3\n")
    assert out == ["a.c:1: error: one"]
    assert err == [
        "line 3: --> a.c:2",
        "    no problem: pattern 1 of 2 matches; line 4 stops pattern 2: ` ` does not fit at '= two' (`^ ` does)",
        "line 5: --> a.c:3",
        "    no problem: pattern 1 of 2 matches, and the output ends before pattern 2",
        "1 problem (1 error) in 5 lines",
    ]


@pytest.mark.parametrize("before", [4998, 4999, 5000])
def test_a_problem_over_the_edge_of_what_is_read_at_once(bridge: Bridge, before: int) -> None:
    out, err = matched(bridge, json.dumps(TWO), "x\n" * before + "--> a.c:1\n  = one\n")
    assert out == ["a.c:1: error: one"]
    assert err == [f"1 problem (1 error) in {before + 2} lines"]


def test_of_many_strange_lines_some_are_shown_unless_all_are_wanted(bridge: Bridge) -> None:
    text = "a.c|4| error: strange\n" * 13
    _, err = matched(bridge, "gcc", text)
    assert (len(err), err[-2]) == (22, "… and 3 more such lines; --explain shows them")
    _, err = matched(bridge, "gcc", text, "--explain")
    assert len(err) == 27


def test_a_task_reads_with_its_own_paths(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(
        'remote_root = "/srv/app"\n[tasks.build]\ncommand = "make"\ncwd = "sub"\nproblem_matcher = "gcc"\n'
    )
    (bridge.folder / "sub").mkdir()
    (bridge.folder / "sub/a.c").touch()
    out, _ = matched(
        bridge, "build", "a.c:1:1: error: one\n/usr/x.h:1:1: error: two\n/srv/app/sub/a.c:2:1: error: three\n"
    )
    assert out == [
        "a.c:1:1: error: one",
        "/usr/x.h:1:1: error: two",
        "    (no file of this workspace: it stays in the output)",
        "/srv/app/sub/a.c:2:1: error: three",
    ]


@pytest.mark.parametrize(
    ("matcher", "said"),
    [
        ("gccc", "no task and no matcher 'gccc'; did you mean gcc"),
        ("{", "that is no JSON"),
        (
            '{"pattern": {"regexp": "(?=x)"}}',
            "problem_matcher.pattern.regexp: the regular expression '(?=x)' has a lookahead",
        ),
        ("plain", "task 'plain' has no problem_matcher"),
        ("wrong", "rdev.toml:5: tasks.wrong.problem_matcher: there is no matcher 'gc'"),
    ],
)
def test_what_cannot_be_used_is_told(bridge: Bridge, matcher: str, said: str) -> None:
    (bridge.folder / "rdev.toml").write_text(
        '[tasks.plain]\ncommand = "x"\n[tasks.wrong]\ncommand = "x"\nproblem_matcher = "gc"\n'
    )
    done = bridge.call("match", matcher)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()


def test_a_file_that_is_not_there(bridge: Bridge) -> None:
    done = bridge.call("match", "gcc", "gone.log")
    assert done.returncode == 125
    assert b"gone.log cannot be read: No such file" in done.stderr


@pytest.mark.parametrize(
    "case", ["pytest/long", "gcc/template", "cargo/test", "jest/plain", "shellcheck/tty", "ruff/full"]
)
def test_of_a_real_output_nothing_that_was_read_is_called_strange(bridge: Bridge, case: str) -> None:
    out, err = matched(bridge, case.split("/")[0], (DATA / f"{case}.txt").read_text("utf-8"), "--explain")
    assert out
    assert len(err) == 1
