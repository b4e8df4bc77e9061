"""Columns as each tool counts them, on lines with emoji, in each encoding. The lines and numbers are the tools' own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.problems import builtin
from rdev_bridge.problems.columns import index_of, position, to_lsp_range, units
from rdev_bridge.problems.problem import ColumnUnit, Problem

C_LINE = '    const char *face = "😀é"; int wrong = "text";'
PY_LINE = '    face = "😀"; wrong: int = "text"'


@pytest.mark.parametrize(
    ("tool", "line", "column", "word"),
    [
        ("gcc", C_LINE, 43, '"text"'),
        ("gcc", "\tint unused = 3;", 13, "unused"),
        ("clang", C_LINE, 38, "wrong"),
        ("tsc", '  const face = "😀"; const wrong: number = "text";', 28, "wrong"),
        ("eslint-stylish", 'const face = "😀"; var unused = 1;', 24, "unused"),
        ("go", '\tface := "😀"; count := missing(face)', 27, "missing"),
        ("rustc", '    let face = "😀é"; let words: i32 = "text";', 39, '"text"'),
        (
            "mypy",
            PY_LINE,
            33,
            '"text"',
        ),  # mypy 1.19; the new parser of 2.4 counts wrongly here
        ("pyright", PY_LINE, 31, '"text"'),
        ("ruff", PY_LINE, 17, "wrong"),
        ("shellcheck", 'face="😀"; echo $face $1', 22, "$1"),
    ],
)
def test_where_a_tool_points(tool: str, line: str, column: int, word: str) -> None:
    unit = builtin.definitions(tool)[0].unit
    assert line[index_of(column, line, unit) :].startswith(word)


@pytest.mark.parametrize(("encoding", "start", "end"), [("utf-8", 19, 24), ("utf-16", 17, 22), ("utf-32", 16, 21)])
def test_each_encoding(encoding: str, start: int, end: int) -> None:
    problem = Problem(path="a.py", line=6, column=17, end_column=22, message="m", unit=ColumnUnit.CHARACTERS)
    assert to_lsp_range(problem, PY_LINE, encoding) == {
        "start": {"line": 5, "character": start},
        "end": {"line": 5, "character": end},
    }


@pytest.mark.parametrize(
    ("fields", "text", "end_text", "expected"),
    [
        ({}, "    code  # x  ", None, (0, 4, 0, 13)),
        ({}, None, None, (0, 0, 0, 0)),
        ({"column": 5}, "    name = 1", None, (0, 4, 0, 8)),
        ({"column": 9}, "    name = 1", None, (0, 8, 0, 8)),
        ({"column": 99}, "short", None, (0, 5, 0, 5)),
        ({"column": 3}, None, None, (0, 2, 0, 2)),
        ({"column": 3, "end_line": 3, "end_column": 2}, "line 1", "x😀", (0, 2, 2, 1)),
        ({"column": 3, "end_line": 3, "end_column": 9}, "line 1", "x😀", (0, 2, 2, 3)),
        ({"column": 5, "end_column": 2}, "abcdefgh", None, (0, 4, 0, 4)),
    ],
)
def test_ranges(
    fields: dict[str, int], text: str | None, end_text: str | None, expected: tuple[int, int, int, int]
) -> None:
    found = to_lsp_range(Problem(path="a", line=1, message="m", **fields), text, "utf-16", end_text)  # type: ignore[arg-type]
    start, end = found["start"], found["end"]
    assert (start["line"], start["character"], end["line"], end["character"]) == expected


def test_the_position_of_a_related_place() -> None:
    assert position(3, None, "x", ColumnUnit.BYTES, "utf-16") == {"line": 2, "character": 0}
    assert position(3, 6, "😀x", ColumnUnit.BYTES, "utf-16") == {"line": 2, "character": 3}


@given(
    st.text(), st.integers(1, 200), st.sampled_from(list(ColumnUnit)), st.sampled_from(["utf-8", "utf-16", "utf-32"])
)
def test_never_outside_of_the_line(text: str, column: int, unit: ColumnUnit, encoding: str) -> None:
    index = index_of(column, text, unit)
    assert 0 <= index <= len(text)
    assert 0 <= units(text, index, encoding) <= len(text.encode(errors="replace"))
