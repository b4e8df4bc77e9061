"""Where keys stand, in every way that TOML lets them be written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdev_bridge.settings.locate import KeyPath, Span, locate

TEXT = '''\
# a comment with [tasks.no] and key = 1
project = "x"  # [not.a.table]
[tasks.test]
command = """
[tasks.inside]
command = 'no' \\""" still
""\"""
env = { CI = "1", "a.b" = { c = [1, 2] } }
depends_on = [ # one
  "a",
  "b]", # two ]

  ["x", { y = 3 }],
]
  [ "tasks" . 'my "task"' ]
command = \'\'\'
it''s [tasks.neither]\'\'\'
site."google.com".up = 1979-05-27 07:32:00
"\\u00e9" = true
[[paths]]
local = "a"
[[paths]]
local = 'b\\'
[paths.more]
deep = 1
[[paths.more.list]]
z = +1.5e3
'''


@pytest.mark.parametrize(
    ("keys", "line", "start"),
    [
        (("project",), 1, 0),
        (("tasks", "test"), 2, 0),
        (("tasks", "test", "command"), 3, 0),
        (("tasks", "test", "env"), 7, 0),
        (("tasks", "test", "env", "CI"), 7, 8),
        (("tasks", "test", "env", "a.b", "c"), 7, 28),
        (("tasks", "test", "env", "a.b", "c", 1), 7, 36),
        (("tasks", "test", "depends_on", 0), 9, 2),
        (("tasks", "test", "depends_on", 1), 10, 2),
        (("tasks", "test", "depends_on", 2, 1, "y"), 12, 10),
        (("tasks", 'my "task"'), 14, 2),
        (("tasks", 'my "task"', "command"), 15, 0),
        (("tasks", 'my "task"', "site", "google.com", "up"), 17, 0),
        (("tasks", 'my "task"', "é"), 18, 0),
        (("paths", 0), 19, 0),
        (("paths", 0, "local"), 20, 0),
        (("paths", 1, "local"), 22, 0),
        (("paths", 1, "more", "deep"), 24, 0),
        (("paths", 1, "more", "list", 0, "z"), 26, 0),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_way_to_write_a_key(keys: KeyPath, line: int, start: int, line_end: str) -> None:
    text = TEXT.replace("\n", line_end)
    tomllib.loads(text)
    span = locate(text)[keys]
    assert (span.line, span.start) == (line, start)


def test_nothing_inside_of_a_string_or_comment_is_a_key() -> None:
    tables = [keys for keys in locate(TEXT) if len(keys) == 2 and keys[0] == "tasks"]
    assert tables == [("tasks", "test"), ("tasks", 'my "task"')]


def test_a_header_is_marked_whole() -> None:
    assert locate("\n  [tasks.a] # x")[("tasks", "a")] == Span(1, 2, 11)


names = st.text(max_size=6)
scalars = st.one_of(st.integers(-99, 99), st.booleans(), st.text(max_size=8))
tables = st.recursive(
    st.dictionaries(names, scalars, max_size=3),
    lambda inner: st.dictionaries(names, st.one_of(scalars, st.lists(st.one_of(scalars, inner), max_size=3), inner)),
    max_leaves=12,
)


@given(tables, st.randoms())
@settings(max_examples=150)
def test_the_keys_found_are_the_keys_that_tomllib_reads(table: dict[str, object], random: object) -> None:
    text = write(table, random)
    assert set(locate(text)) == paths_in(tomllib.loads(text), ())


def write(table: dict[str, object], random: object) -> str:
    """`table` as TOML, in forms that `random` chooses."""
    lines, later = [], []
    for name, value in table.items():
        if isinstance(value, dict) and random.random() < 0.6:  # type: ignore[attr-defined]
            later.append(f"[{quote(name)}] # [x]")
            later += [f"{quote(key)} = {inline(inner)} # '" for key, inner in value.items()]
        else:
            lines.append(f" {quote(name)}\t= {inline(value)}")
    return "\n".join([*lines, *later])


def inline(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return f'"""\n{escape(value)}"""' if len(value) > 4 else quote(value)
        case list():
            return "[ # ]\n" + ",\n".join(map(inline, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{quote(key)} = {inline(inner)}" for key, inner in value.items()) + "}"
    raise AssertionError(value)


def escape(text: str) -> str:
    return "".join(c if c.isalnum() or c in " []{}#=.,'" else f"\\U{ord(c):08x}" for c in text)


def quote(text: str) -> str:
    return f'"{escape(text)}"'


def paths_in(value: object, at: KeyPath) -> set[KeyPath]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return set().union({at} - {()}, *(paths_in(inner, (*at, key)) for key, inner in inside))
