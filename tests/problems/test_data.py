"""Each built-in on what the real tool printed: `data/<tool>/<case>.txt`, with the command and what must be found."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdev_bridge.problems import builtin, matchers
from rdev_bridge.problems.ansi import Cleaner

if TYPE_CHECKING:
    from rdev_bridge.problems.problem import Problem

DATA = Path(__file__).parent / "data"
CASES = sorted(path.relative_to(DATA).as_posix() for path in DATA.glob("*/*.toml"))


def case(name: str) -> tuple[dict[str, Any], list[str]]:
    about = tomllib.loads((DATA / name).read_text())
    return about, (DATA / name).with_suffix(".txt").read_text().split("\n")


def found(matcher: str, batches: list[list[str]]) -> list[Problem]:
    cleaner, reader = Cleaner(), matchers.resolve(matcher)
    return [problem for lines in batches for problem in reader.feed(cleaner.feed(lines))] + reader.finish()


def brief(problem: Problem) -> str:
    place = ":".join(str(part) for part in (problem.path, problem.line, problem.column) if part is not None)
    end = f"-{problem.end_line}:{problem.end_column}" if problem.end_column else ""
    code = f" [{problem.code}]" if problem.code else ""
    ours = [one for one in problem.related if "site-packages" not in one.path and "/usr/include" not in one.path]
    related = "".join(f" <- {one.path}:{one.line}" for one in ours)
    return f"{place}{end} {problem.severity.name.lower()}{code} {problem.message!r}{related}"


@pytest.mark.parametrize("name", CASES)
def test_the_problems_of_a_real_output(name: str) -> None:
    about, lines = case(name)
    assert [brief(problem) for problem in found(about["matcher"], [lines])] == about["problems"]


@pytest.mark.parametrize("name", CASES)
def test_how_output_is_cut_makes_no_difference(name: str) -> None:
    about, lines = case(name)
    whole = found(about["matcher"], [lines])
    assert found(about["matcher"], [[line] for line in lines]) == whole
    for at in range(0, len(lines), max(1, len(lines) // 25)):
        assert found(about["matcher"], [lines[:at], lines[at:]]) == whole


@pytest.mark.parametrize("name", sorted(builtin.BUILT_INS))
def test_every_built_in_was_tried_on_output(name: str) -> None:
    cases = [about for path in CASES if (about := case(path)[0])["matcher"] == name]
    assert cases
    assert all(about["problems"] and about["command"] and about["tool"] for about in cases)


def test_a_line_knows_its_number() -> None:
    _, lines = case("mypy/plain.toml")
    assert [problem.output_line for problem in found("mypy", [lines])] == [0, 1, 2]
    assert [problem.output_line for problem in found("mypy", [[line] for line in lines])] == [0, 1, 2]


_INTERESTING = [line for name in CASES for line in case(name)[1]]
_LINE = st.text(max_size=60).map(lambda text: text.replace("\n", " ")) | st.sampled_from(_INTERESTING)


@settings(max_examples=40)
@given(st.lists(_LINE, max_size=40), st.integers(0, 40))
def test_any_text_through_any_built_in(lines: list[str], at: int) -> None:
    for name in builtin.BUILT_INS:
        assert found(name, [lines[:at], lines[at:]]) == found(name, [lines])
