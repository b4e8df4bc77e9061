"""VS Code's matcher objects as they stand in tasks.json: what they come to, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.problems import matchers
from rdev_bridge.problems.definition import Definition, MatcherError
from rdev_bridge.problems.problem import ApplyTo, CycleBegan, CycleEnded, FileLocation, FileLocationKind, Severity

LINE = {"regexp": r"^(.*):(\d+): (.*)$", "file": 1, "line": 2, "message": 3}


def definition(spec: Any) -> Definition:
    return matchers.resolve(spec).definitions[0]


def told(spec: Any, *lines: str) -> list[str]:
    """Each problem in brief, cycles as `(` and `)`."""
    matcher = matchers.resolve(spec)
    events = [event for line in lines for event in matcher.events([line])] + list(matcher.finish())
    brief = []
    for event in events:
        if isinstance(event, CycleBegan):
            brief.append(f"( {event.path}" if event.path else "(")
        elif isinstance(event, CycleEnded):
            brief.append(")")
        else:
            place = ":".join(
                str(n) for n in (event.path, event.line, event.column, event.end_line, event.end_column) if n
            )
            code = f" [{event.code}]" if event.code else ""
            brief.append(f"{place} {event.severity.name.lower()}{code} {event.message}")
    return brief


@pytest.mark.parametrize(
    ("pattern", "lines", "expected"),
    [
        pytest.param(LINE, ["a.c:7: bad"], ["a.c:7 error bad"], id="a line without a column"),
        pytest.param(
            {"regexp": r"^(\S+) (\d+) (\d+) .*$"}, ["a.c 7 3 bad"], ["a.c:7:3 error a.c 7 3 bad"], id="defaults"
        ),
        pytest.param(
            {"regexp": r"^(\S+)\((.*)\): (.*)$", "file": 1, "location": 2, "message": 3},
            ["a.c(7): one", "a.c(7,3): two", "a.c(7,3,8,4): three", "a.c(x): none"],
            ["a.c:7 error one", "a.c:7:3 error two", "a.c:7:3:8:4 error three"],
            id="location",
        ),
        pytest.param(
            {"regexp": r"^(.*): (.*)$", "kind": "file", "file": 1, "message": 2},
            ["a.c: bad"],
            ["a.c:1:1:1:1 error bad"],
            id="the whole file",
        ),
        pytest.param(
            {**LINE, "regexp": r"^(.*):(\d+): (\w+) (C\d+) (.*)$", "severity": 3, "code": 4, "message": 5},
            ["a.c:1: WARNING C1 m", "a.c:2: info C2 m", "a.c:3: odd C3 m", "a.c:4: E C4 m", "a.c:5: note C5 m"],
            [
                "a.c:1 warning [C1] m",
                "a.c:2 info [C2] m",
                "a.c:3 error [C3] m",
                "a.c:4 error [C4] m",
                "a.c:5 info [C5] m",
            ],
            id="severity and code",
        ),
        pytest.param(
            {"regexp": r"^(.*):(\d+):(\d+)-(\d+): (.*)$", "endColumn": 4, "message": 5},
            ["a.c:7:3-9: bad"],
            ["a.c:7:3:7:9 error bad"],
            id="an end column without an end line",
        ),
        pytest.param(
            [{"regexp": "^in (.*)$", "file": 1}, {"regexp": r"^ (\d+) (.*)$", "line": 1, "message": 2, "loop": True}],
            ["in a.c", " 1 one", " 2 two", "", " 3 lost", "in b.c", " 4 four"],
            ["a.c:1 error one", "a.c:2 error two", "b.c:4 error four"],
            id="loop",
        ),
        pytest.param(
            [
                {"regexp": "^error: (.*)$", "message": 1},
                {"regexp": r"^ at (.*):(\d+)$", "file": 1, "line": 2},
                {"regexp": "^ because (.*)$", "message": 1},
            ],
            [
                "error: bad",
                " at a.c:7",
                " because so",
                "error: bad",
                " at a.c:8",
                "error: x",
                " at a.c:9",
                " because y",
            ],
            ["a.c:7 error bad\nso", "a.c:9 error x\ny"],
            id="three lines, and a message over two of them",
        ),
        pytest.param(
            "$eslint-stylish", ["./a.js", "  1:2  error  bad  rule"], ["./a.js:1:2 error [rule] bad"], id="by name"
        ),
    ],
)
def test_patterns(pattern: Any, lines: list[str], expected: list[str]) -> None:
    assert told({"owner": "x", "pattern": pattern}, *lines) == expected


def test_of_two_matchers_the_longer_wins_and_a_line_is_taken_once() -> None:
    long = {
        "pattern": [{"regexp": "^in (.*):(\\d+)$", "file": 1, "line": 2}, {**LINE, "regexp": "^(.*):(\\d+): (.*)$"}]
    }
    assert told([{"pattern": LINE}, long], "in a.c:7", "b.c:8: bad", "b.c:9: worse") == [
        "a.c:7 error bad",
        "b.c:9 error worse",
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, FileLocation()),
        ("absolute", FileLocation(FileLocationKind.ABSOLUTE)),
        ("relative", FileLocation(FileLocationKind.RELATIVE)),
        ("autoDetect", FileLocation(FileLocationKind.AUTO_DETECT)),
        (["relative", "${workspaceFolder}/x"], FileLocation(FileLocationKind.RELATIVE, "${workspaceFolder}/x")),
        (["autodetect", "${cwd}"], FileLocation(FileLocationKind.AUTO_DETECT, "${cwd}")),
        (["absolute"], FileLocation(FileLocationKind.ABSOLUTE)),
        ("search", FileLocation(FileLocationKind.SEARCH)),
        (
            ["search", {"include": ["${workspaceFolder}/a"], "exclude": "${workspaceRoot}/b"}],
            FileLocation(FileLocationKind.SEARCH, None, ("${workspaceFolder}/a",), ("${workspaceRoot}/b",)),
        ),
    ],
)
def test_file_locations(given: Any, expected: FileLocation) -> None:
    spec = {"pattern": LINE} | ({} if given is None else {"fileLocation": given})
    assert definition(spec).location == expected


def test_a_base_is_changed_where_it_is_spoken_of() -> None:
    spec = {"base": "$tsc", "owner": "mine", "source": "me", "severity": "info", "applyTo": "openDocuments"}
    mine, base = definition(spec), definition("$tsc")
    assert (mine.owner, mine.source, mine.severity, mine.apply_to) == ("mine", "me", Severity.INFO, ApplyTo.OPEN)
    assert (mine.patterns, mine.more) == (base.patterns, base.more)
    assert definition({"base": "$gcc", "pattern": LINE}).parser is None
    assert definition({"base": "$tsc-watch", "pattern": LINE}).background == definition("$tsc-watch").background
    assert told(
        {"base": "pytest", "owner": "x"}, "= FAILURES =", "___ test_a ___", "E   assert 0", "a.py:3: AssertionError"
    ) == ["a.py:3 error [AssertionError] test_a: assert 0"]


@pytest.mark.parametrize(
    ("background", "expected"),
    [
        ({"beginsPattern": "^begin", "endsPattern": "^end"}, ["a.c:1 error m", "(", ")", "(", ")"]),
        ({"activeOnStart": True, "beginsPattern": "^begin", "endsPattern": "^end"}, ["a.c:1 error m", ")", "(", ")"]),
        (
            {"beginsPattern": {"regexp": "^begin (.*)", "file": 1}, "endsPattern": {"regexp": "^end"}},
            ["a.c:1 error m", "( b.c", ")", "( b.c", ")"],
        ),
    ],
)
@pytest.mark.parametrize("name", ["background", "watching"])
def test_background(name: str, background: Any, expected: list[str]) -> None:
    lines = ["a.c:1: m", "begin b.c", "begin b.c", "end", "end", "begin b.c", "end"]
    assert told({"pattern": LINE, name: background}, *lines) == expected


def test_the_first_form_of_background() -> None:
    spec = {"pattern": LINE, "watchedTaskBeginsRegExp": "^begin", "watchedTaskEndsRegExp": "^end"}
    assert told(spec, "begin", "a.c:1: m", "end") == ["(", "a.c:1 error m", ")"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("gc", "problem_matcher: there is no matcher 'gc'; did you mean gcc"),
        (["$gcc", "pytset"], "problem_matcher[1]: there is no matcher 'pytset'; did you mean pytest"),
        ({"owner": "x"}, "problem_matcher.pattern: a matcher needs a pattern"),
        ({"base": "$nope"}, "problem_matcher.base: there is no matcher '$nope'"),
        ({"pattern": "$nope"}, "problem_matcher.pattern: there is no matcher '$nope'"),
        ({"pattern": "$pytest"}, "problem_matcher.pattern: $pytest is no pattern; say `base` for it"),
        ({"pattern": 7}, "problem_matcher.pattern: it must be a name"),
        ({"pattern": {"file": 1}}, "problem_matcher.pattern.regexp: a regular expression is missing"),
        (
            {"pattern": [LINE, {"regexp": "("}]},
            "problem_matcher.pattern[1].regexp: the regular expression '(' has an unclosed",
        ),
        ({"pattern": [{**LINE, "loop": True}, LINE]}, "problem_matcher.pattern[0].loop: only the last"),
        ({"pattern": [LINE, {**LINE, "kind": "file"}]}, "problem_matcher.pattern[1].kind: only the first"),
        (
            {"pattern": [{"regexp": "x", "line": 1}]},
            "problem_matcher.pattern: it must capture at least a file and a message",
        ),
        ({"pattern": [{"regexp": "x", "file": 1, "message": 1}]}, "problem_matcher.pattern: it must capture a line"),
        ({"pattern": LINE, "severity": "fatal"}, "problem_matcher.severity: 'fatal' is none of"),
        ({"pattern": LINE, "fileLocation": "nearby"}, "problem_matcher.fileLocation: 'nearby' is none of"),
        ({"pattern": LINE, "fileLocation": ["absolute", "/x"]}, "problem_matcher.fileLocation: ['absolute', '/x'] has"),
        (
            {"pattern": LINE, "fileLocation": ["relative", "${env:X}"]},
            "problem_matcher.fileLocation: ${env:X} is not known",
        ),
        (
            {"pattern": LINE, "fileLocation": ["search", {"include": 7}]},
            "problem_matcher.fileLocation[1].include: it must",
        ),
        ({"pattern": LINE, "background": {"beginsPattern": "x"}}, "problem_matcher.background: it needs both"),
        (
            {"pattern": LINE, "background": {"beginsPattern": {"regexp": "(?=x)"}, "endsPattern": "y"}},
            "problem_matcher.background.beginsPattern.regexp: the regular expression '(?=x)' has a lookahead",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(spec: Any, said: str) -> None:
    with pytest.raises(MatcherError) as error:
        matchers.resolve(spec)
    assert str(error.value).startswith(said)


_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["$gcc", "x", r"^(.*):(\d+)$", "relative", "search"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(LINE)), inner, max_size=4),
    max_leaves=6,
)
_KEYS = ["base", "owner", "source", "severity", "applyTo", "fileLocation", "pattern", "background", "watching"]


@given(st.dictionaries(st.sampled_from(_KEYS), _VALUE, max_size=6), st.lists(st.text(max_size=20), max_size=5))
def test_any_object_is_read_or_refused(spec: dict[str, Any], lines: list[str]) -> None:
    try:
        matcher = matchers.resolve(spec)
    except MatcherError:
        return
    matcher.events([line.replace("\n", " ") for line in lines])
    matcher.finish()
