# ruff: noqa: E501, SIM905 - a row of words reads best on one line
"""Each line of a `.gitignore` means what git says it means: git itself is asked, about a table and about any line."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdev_bridge.gitpattern import translated
from rdev_bridge.ignore import IgnoreRules

NAMES = r"""
a b ab abc a1 A AB x.py X.PY 1 9x é ü.txt a\b a*b a?b [a] a] -a !a #a a-b a^b ^a a! d/a d/b d/e/a d/e/f/a d/e/f/b foobar
foo/bar foo/x/bar foo/x/y/bar foo/foo/bar bar q/foo/bar q/foo/x/bar abc/foo/x abc/y/foo x/abc/foo build/x build/keep
build/sub/x build/sub/keep src/build/x logs/a.log logs/keep.log a.log sub/a.log sub/logs/a.log node_modules/p/i.js
lib/node_modules/p .hidden .a/b a.b.c foo**bar fooXbar foo/Xbar **/z z y/z *z a** d/**x **x \a \ a[b [[:alpha:]]
[:alpha:] :a [ a: (a) {a,b} a+b a|b a$ a.b axb ~ a~ 日本 日本/語 Build/x build sp crlf w d/[ d/]
""".split()
NAMES += ["a b", "a b ", "sp ", "sp  ", "sp\\ ", "tr  ", "tab\t", "a\tb", "w\r", "x\x85y", "x\u2028y", "x\x0cy", "a\nb"]
NAMES += ["\ufeffa", "d/\udcff", "\udce9.o"]

TABLE = rb"""
[[:alpha:]] [[:digit:]]* *[[:upper:]]* [[:alnum:]_]b [^[:alpha:]] [![:digit:]] *[[:space:]] *[[:punct:]]* [[:lower:] [[:foo:]]
[[:xdigit:]]* *[[:cntrl:]]* *[[:blank:]]* [[:graph:]] [[:print:]] [[.a.]] [[=a=]] [a[:digit:]]* [[:alpha:]-z] [[:]a] [[::]a] [[:a]
[a-c] [!a] [^a] []a] []-a] [!]a] [a-] [-a]a [a a[b [] [!] [ [[] [\]]a [\a] [a\] [a\-z] [c-a] [--0]a [a/b] d[/]a d[!x]a [*] [?]
[\\]a a[*]b []-] [!-a] [a-\c] [^]] [^^] [!!] d/[[] d/[]] ** **/ /** **/a a/** d/** d/**/a foo/**/bar /foo/**/bar **/foo/bar
**/foo/** foo**bar foo**/bar foo/**bar **bar abc/** **/abc/**/foo *** a*** **/** **/**/a d/**/**/a d/* d/*/a */a */* d/**/ **/e/
d/***/a **foo/bar /**/a //a d//a a// d/ /d /d/ d/e e/f /e */ * /* / // /// f?o**/bar f[o]o**/bar foo\**bar foo\/**/bar foo/**\/bar
\a \!a !a \#a #a !!a \\a a\\b a\*b a\?b a?b a*b \ a\ \\ \[a] ! build/ build build/** foo/bar/ foo/* foo/*bar f*/bar */x/bar x/bar
/x/bar **/x/bar foo/**/ foo/**/x foo/**/y/ foo/x/** **/y/**/bar foo/x** foo/**x/bar /**/**/bar /**foo **/**foo/bar foo/*/ */*/
*/*/* *.PY AB A (a) {a,b} a+b a|b a$ a.b ^a a~ ~ .* . .. ./a d/./a d/../a ../a *.b.* ? ?? ?* *? a* *a* ?/? /? */?/* d/? d?a d*a d**a
""".split()
TABLE += [
    *(b"sp ", b"sp  ", b"sp\\ ", b"sp\\  ", b"sp\\ \\ ", b"sp \\ ", b"sp\\\\ ", b"sp\\\\\\ ", b"tr\\ ", b"tab\t", b"tab\\\t"),
    *(b" a", b"a b", b"a b ", b"a b\\ ", b"\\ ", b" ", b"\t", b" #a", b"! a", b"a /", b"d/ "),
    *(b"\xef\xbb\xbfa", b"\xef\xbb\xbf#x\na", b"a\n\xef\xbb\xbfb", b"crlf\r\nsp\r\n", b"w\r\r\n", b"w\r", b"a\rb", b"a\r\n!a\r\n"),
    *(b"build/\r\n", b"*\r\n!a\r\n", b"#c\r\nb\r\n", b"sp \r\n", b"sp\\ \r\n", b"\r\n", b"\r", b"x\x0cy", b"a\0b\nb", b"\0", b"a\nb"),
    *(text.encode() for text in ("é", "[é]", "[à-ü]", "?.txt", "??.txt", "日?", "日???", "日本/*", "x\x85y", "x\u2028y")),
    *(b"\xe9", b"\xe9*", b"[\xc3]*", b"\xc3*", b"*\xa9", b"d/\xff", b"[\xe0-\xff].o"),
    *(b"build/\n!build/keep", b"build/*\n!build/keep", b"build/**\n!build/keep", b"build\n!build/keep"),
    *(b"build/**\n!build/**/keep", b"build/**\n!build/sub\n!build/sub/keep", b"build/*\n!build/sub/", b"*\n!*/\n!keep"),
    *(b"/*\n!/build", b"*\n!build/\n!build/**", b"build/\n!build/", b"*.log\n!keep.log", b"logs/*\n!logs/keep.log"),
    *(b"!keep.log\n*.log", b"*\n!/logs/\n!/logs/keep.log", b"node_modules\n!lib/node_modules", b"**/logs/\n!logs/", b"*\n!a"),
    *(b"foo/\n!foo", b"foo\n!foo/", b"foo/*\n!foo/x/\nfoo/x/*\n!foo/x/bar", b"!\n*", b"*\n!", b"*\n!!a", b"*\n!\\#a", b"*\n!#a"),
]  # fmt: skip


def differences(contents: list[bytes], names: list[str]) -> list[tuple[bytes, set[str]]]:
    """The contents of a `.gitignore` of which we and git think differently, and about which names."""
    with tempfile.TemporaryDirectory() as made:
        top = Path(made).resolve()
        subprocess.run(["git", "init", "-q", str(top)], check=True)
        for number, content in enumerate(contents):
            (top / f"p{number}").mkdir()
            (top / f"p{number}/.gitignore").write_bytes(content)
        asked = [f"./p{number}/{name}" for number in range(len(contents)) for name in names]
        answer = subprocess.run(
            ["git", "-C", str(top), "check-ignore", "--no-index", "-z", "--stdin"],
            input=b"\0".join(map(os.fsencode, asked)), capture_output=True, check=False,
        )  # fmt: skip
        assert not answer.stderr
        rules = IgnoreRules(str(top))
        wrong = set(os.fsdecode(answer.stdout).split("\0")[:-1]) ^ {
            path for path in asked if rules.file_ignored(f"{top}/{path[2:]}")
        }
    numbers = sorted({int(path.split("/")[1][1:]) for path in wrong})
    return [(contents[n], {path for path in wrong if path.startswith(f"./p{n}/")}) for n in numbers]


def test_every_line_of_the_table_means_what_git_says() -> None:
    assert differences(TABLE, NAMES) == []


PIECES = st.sampled_from(
    ["a", "b", "d", "foo", "bar", "x", "*", "**", "/", "/", "/**/", "?", "\\", "[", "]", "!", "^", "-", "[:alpha:]", "[a-c]", " "]
)  # fmt: skip
LINES = st.lists(PIECES, max_size=7).map("".join)


@settings(max_examples=15)
@given(st.lists(st.lists(LINES, min_size=1, max_size=3).map("\n".join).map(str.encode), min_size=20, max_size=60))
def test_any_lines_mean_what_git_says(contents: list[bytes]) -> None:
    assert differences(contents, NAMES) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/", "it names nothing"),
        ("a\\", "has nothing to escape"),
        ("[a\\", "has nothing to escape"),
        ("[a", "a [ is not closed"),
        ("[[:alpha", "a [: is not closed"),
        ("[[:foo:]]", "[:foo:] is no class"),
        ("[/]", "holds nothing"),
    ],
)
def test_what_can_match_nothing_is_said(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        translated(line)
    assert why in str(caught.value)


def test_what_is_no_plain_file_is_none(tmp_path: Path) -> None:
    """Git follows no link there, and a FIFO must hold nobody up."""
    (tmp_path / "lines").write_text("a\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.gitignore").symlink_to(tmp_path / "lines")
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c/.gitignore")
    rules = IgnoreRules(str(tmp_path))
    assert not rules.file_ignored(f"{tmp_path}/b/a")
    assert not rules.file_ignored(f"{tmp_path}/c/a")
