"""JavaScript's regular expressions on RE2: the same matches, errors with a place, and time that is linear."""

from __future__ import annotations

import pytest

from rdev_bridge.errors import UsageError
from rdev_bridge.problems.block import Block
from rdev_bridge.problems.regex import compile_js, line_filter


@pytest.mark.parametrize(
    ("pattern", "text", "groups"),
    [
        (r"^(?<file>.+):(?<line>\d+)$", "a b.c:12", ("a b.c:12", "a b.c", "12")),
        (r"(a)|(b)", "b", ("b", None, "b")),
        (r"\/x\/", "/x/", ("/x/",)),
        (r"[^]b", "\u2028b", ("\u2028b",)),
        (r"[]", "anything", None),
        (r"a.b", "a\u2028b", None),
        (r"\s", "\ufeff", ("\ufeff",)),
        (r"\S+", "\u00a0x", ("x",)),
        (r"[^\S\t]", "\t ", (" ",)),
        (r"\d", "٣", None),
        (r"\w+", "éa", ("a",)),
        (r"\u0041\x42\t\cI", "AB\t\t", ("AB\t\t",)),
        (r"\u{2}", "uu", ("uu",)),
        (r"\ud83d\ude00", "😀", ("😀",)),
        (r"[[:alpha:]]+", "l]]", ("l]]",)),
        (r"[\w-.]+", "a-.", ("a-.",)),
        (r"[\b]", "\b", ("\b",)),
        (r"x{,5}", "x{,5}", ("x{,5}",)),
        (r"{a}", "{a}", ("{a}",)),
        (r"a{2}?", "aaa", ("aa",)),
        (r"\p{L}\A\z\Q", "p{L}AzQ", ("p{L}AzQ",)),
        (r"\-\'\"\<\ä", "-'\"<ä", ("-'\"<ä",)),
        (r"(a)\2", "a\x02", ("a\x02", "a")),
        (r"\0", "\0", ("\0",)),
        (r"(?i:ab)c", "ABc", ("ABc",)),
        (r"a+?b*?$", "aab", ("aab",)),
        (r"\bfoo\B", "a food", ("foo",)),
    ],
)
def test_it_matches_what_javascript_matches(pattern: str, text: str, groups: tuple[str | None, ...] | None) -> None:
    assert compile_js(pattern).match(text) == groups


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"a(?=b)", "a lookahead `(?=` at position 2"),
        (r"a(?!b)", "a negative lookahead `(?!` at position 2"),
        (r"(?<=a)b", "a lookbehind `(?<=` at position 1"),
        (r"(?<!a)b", "a negative lookbehind `(?<!` at position 1"),
        (r"(['\"]).*\1", "a backreference `\\1` at position 10"),
        (r"(?<q>.)\k<q>", "a backreference `\\k` at position 8"),
        (r"a{1001}", "a repetition of more than 1000 times at position 2"),
        (r"(a", "an unclosed `(` at position 1"),
        (r"a)", "an unmatched `)` at position 2"),
        (r"x[a", "an unclosed `[` at position 2"),
        (r"[b-a]", "a range in reverse order at position 1"),
        (r"*a", "nothing to repeat for `*` at position 1"),
        (r"\ud83d", "half of a surrogate pair at position 1"),
        ("(?>a)", "an unknown group `(?>` at position 1"),
        ("a" * 5000, "longer than 4096 characters"),
        ("((a{1000}){1000}){1000}", "cannot be used"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(pattern: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        compile_js(pattern)
    assert said in str(error.value)


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(.*)*x", r"^(\w+\s?)*$", r"(a|a)*b", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_hang_others_are_done_at_once(pattern: str) -> None:
    lines = ["a" * 16_000 + "!"] * 20
    assert list(Block(lines).hits(line_filter(compile_js(pattern)))) == []
    assert [compile_js(pattern).match(line) for line in lines] == [None] * 20


def test_a_block_finds_the_lines_that_match_alone() -> None:
    lines = ["x", "", "a:1", "b", "a:2", "a", ":3"]
    for pattern in (r"^(\w):(\d)$", r"(\w):(\d)", r"[^b]:\d", r"\w\s*:\d"):
        alone = [number for number, line in enumerate(lines) if compile_js(pattern).match(line)]
        assert list(Block(lines).hits(line_filter(compile_js(pattern)))) == alone
        assert list(Block(lines).hits(line_filter(compile_js(pattern)), 3)) == [n for n in alone if n >= 3]
