from __future__ import annotations

import pytest

from rdev_bridge.errors import UsageError
from rdev_bridge.globs import check_glob, compile_globs


@pytest.mark.parametrize(
    ("patterns", "yes", "no"),
    [
        ([], ["a.py", "x/y"], []),
        (["*.py"], ["a.py", "x/a.py"], ["a.pyc"]),
        (["src/**/*.py"], ["src/a.py", "src/x/y/a.py"], ["a.py", "lib/src/a.py"]),
        (["src/*.py"], ["src/a.py"], ["src/x/a.py"]),
        (["src/"], ["src/a", "src/x/b", "lib/src/c"], ["src.py"]),
        (["./src/*.py"], ["src/a.py"], ["a.py"]),
        (["**/*.{ts,tsx}"], ["a.ts", "x/b.tsx"], ["c.js"]),
        (["{src,test}/*.{c,h}"], ["src/a.c", "test/b.h"], ["src/a.o", "c.c"]),
        (["*.py", "!gen_*.py"], ["a.py"], ["gen_a.py"]),
        (["!*.md"], ["a.py"], ["a.md"]),
        (["a b.txt"], ["a b.txt"], ["a"]),
        (["src/", "!src/gen/"], ["src/a", "lib/src/gen/x"], ["src/gen/x", "src/gen/x/y"]),
        (["src/**", "!src/**/gen/"], ["src/a/b"], ["src/gen/x", "src/a/gen/x"]),
        (["[äö]?.[[:alpha:]]"], ["äé.c", "x/öa.h"], ["ää.1", "a.c"]),
    ],
)
def test_patterns(patterns: list[str], yes: list[str], no: list[str]) -> None:
    matches = compile_globs(patterns)
    assert [path for path in yes if not matches(path)] == []
    assert [path for path in no if matches(path)] == []


@pytest.mark.parametrize(
    "pattern", ["../lib/*.py", "", "!", " ", "#x", "a/../../b", "{a,b}" * 12, "[/]", "[a", "a\\", "[[:foo:]]"]
)
def test_a_pattern_that_cannot_work_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(UsageError) as raised:
        compile_globs([pattern])
    assert repr(pattern) in str(raised.value)
    with pytest.raises(UsageError) as checked:
        check_glob(pattern)
    assert str(checked.value) == str(raised.value)


def test_no_pattern_can_hang_the_bridge() -> None:
    """They come from a stranger's rdev.toml, and are asked about each file before anybody has trusted it."""
    matches = compile_globs(["*a" * 40 + "*b", "{x,**/}a*/**/a*/**/a*/**/a*/**/b", "**/[!b]*[!b]*[!b]*[!b]*[!b]*c"])
    assert not matches("x/" + "a" * 250)
    assert not matches("/".join(["aaaa"] * 60))
    assert matches("x/" + "a" * 250 + "b")
