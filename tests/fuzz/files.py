# ruff: noqa: E501 - a row of words reads best on one line
"""Targets that read a stranger's files: settings, matchers, patterns, paths, urls; and output on its way to people."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from rdev_bridge import ignore, trust
from rdev_bridge.core.origin import check_url, is_this_machine, origin
from rdev_bridge.core.paths import PathMap
from rdev_bridge.core.variables import NAMES, expand
from rdev_bridge.editor.sanitize import clean, clean_lines, plain
from rdev_bridge.errors import SettingsError, UsageError
from rdev_bridge.globs import compile_globs
from rdev_bridge.problems import builtin, matchers
from rdev_bridge.problems.ansi import Cleaner
from rdev_bridge.remote.http import checked_origin
from rdev_bridge.settings import Source, workspace_from
from rdev_bridge.settings.user import user_from
from tests.editor.test_sanitize import is_safe
from tests.fuzz.target import Target, cuts, quick, stretched

FOLDER = Path("/home/me/work")
_SHOWN_CONTROLS = {"\t", "\n"}


def settings(data: bytes) -> None:
    """Any file: a workspace, or one error that names a line of it, for the workspace's file and the user's own."""
    for name, read in (("rdev.toml", lambda source: workspace_from(FOLDER, source)), ("config.toml", user_from)):
        try:
            read(Source.parse(FOLDER / name, data))
        except SettingsError as refused:
            error = refused
        else:
            continue
        assert error.line is not None
        assert 1 <= error.line <= data.count(b"\n") + data.count(b"\r") + 1
        assert name in str(error)
    shown = "\n".join(trust.changes(b"", data))
    assert all(c.isprintable() or c in _SHOWN_CONTROLS for c in shown)


def vscode_matchers(data: bytes) -> None:
    """Any JSON as a problemMatcher: a matcher or one error, and any output through it at once."""
    spec_text, _, output = data.partition(b"\0")
    try:
        spec = json.loads(spec_text)
    except (ValueError, RecursionError):
        return
    if not isinstance(spec, str | dict | list):
        return
    lines = output.decode("utf-8", "replace").split("\n")
    try:
        matcher = matchers.resolve(spec)
    except UsageError:
        return
    with quick():
        for problem in [*matcher.feed([*lines, stretched(lines[0])]), *matcher.finish()]:
            assert problem.line is None or problem.line >= 0


def expressions(data: bytes) -> None:
    """Any JavaScript expression: compiled or refused with its place, and never slow on any line."""
    source, _, line = data.decode("utf-8", "replace").partition("\0")
    spec = {"pattern": {"regexp": source, "file": 0, "kind": "file", "message": 0}}
    try:
        matcher = matchers.resolve(spec)
    except UsageError:
        return
    with quick():
        matcher.feed([line, stretched(line, 16_000), stretched(source[:5], 16_000)])


def outputs(data: bytes) -> None:
    """Any output through every built-in matcher: never an exception, never slow, the same however it is cut."""
    lines = data.decode("utf-8", "replace").split("\n")
    with quick():
        for name in builtin.names():
            whole, cut = matchers.resolve(name), matchers.resolve(name)
            found = [*whole.feed(lines), *whole.finish()]
            in_lines = list(itertools.chain.from_iterable(cut.feed([line]) for line in lines))
            assert len(in_lines) + len(cut.finish()) == len(found), name


def control_sequences(data: bytes) -> None:
    """Any text: nothing but colours reaches an editor, nothing at all a matcher, no cut changes that, never slow."""
    text = data.decode("utf-8", "replace")
    for pieces in cuts(data):
        lines = [piece.decode("utf-8", "replace") for piece in pieces]
        cleaned = clean_lines(lines)
        assert len(cleaned) == len(lines)
        assert is_safe("".join(cleaned))
    assert clean(clean(text)) == clean(text)
    assert "\x1b" not in plain(text)
    with quick():
        assert is_safe(clean(stretched(text)))
        for line in Cleaner().feed([text, stretched(text), text]):
            assert not [c for c in line if unicodedata.category(c) == "Cc" and c != "\t"]


def paths(data: bytes) -> None:
    """Any path of a server: a file inside of the workspace or none; any local name goes there and back."""
    path, _, rest = data.decode("utf-8", "surrogateescape").partition("\n")
    cwd, _, root = rest.partition("\n")
    for paths in (
        PathMap(FOLDER),
        PathMap.of(FOLDER, f"/{root}" if "\0" not in root else "/w", [(path or "/x", path or "x")]),
        PathMap.of(FOLDER, "C:\\w", [("D:\\lib", "../lib"), ("/usr", cwd or ".")]),
    ):
        local = paths.to_local(path, cwd or None)
        if local is not None:
            assert local.is_relative_to(FOLDER)
            assert ".." not in local.parts


def urls(data: bytes) -> None:
    """Any url: refused, or read the same way by us, by Python and by the HTTP library, so that a key goes to one place."""
    text = data.decode("utf-8", "replace")
    try:
        url = check_url(text)
        base = checked_origin(url, allow_http=True)
    except (ValueError, SettingsError):
        return
    parts, sent = urlsplit(url), httpx.URL(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    assert parts.hostname is not None
    assert origin(url) in {f"{parts.scheme}://{host}:{port}" for host in (
        parts.hostname.rstrip("."), f"[{parts.hostname}]")}  # fmt: skip
    assert sent.raw_host.decode().rstrip(".") == parts.hostname.rstrip(".")
    assert (sent.port or port, sent.scheme) == (port, parts.scheme)
    assert not parts.username
    assert not sent.userinfo
    assert (origin(str(base)), is_this_machine(str(base))) == (origin(url), is_this_machine(url))
    if is_this_machine(url):
        assert re.fullmatch(r"(.*\.)?localhost\.?|127\.\d+\.\d+\.\d+|[0-9a-f:.]*", parts.hostname)


def file_patterns(data: bytes) -> None:
    """Any pattern: refused, or matched at once; in a `.gitignore`, passed over or matched at once."""
    pattern, _, name = data.decode("utf-8", "surrogateescape").partition("\0")
    name = name.strip("/") or "x"
    with quick():
        ignore.Patterns([pattern.encode("utf-8", "surrogateescape").decode("latin-1")], as_git=True).verdict(
            name, is_folder=True
        )
    try:
        matches = compile_globs([pattern])
    except UsageError:
        return
    with quick():
        matches(name)
        matches(stretched(name[:9], 4000))


def shell_texts(data: bytes) -> None:
    """Any command: refused, or every name in it stands in single quotes of its own; never slow."""
    text = data.decode("utf-8", "replace")
    name = "a'b\n$(x)`y`"
    values = dict.fromkeys(NAMES, name) | {"changedFiles": (name, name)}
    with quick():
        try:
            filled = expand(text, values)
        except UsageError:
            return
    quoted = "'a'\"'\"'b\n$(x)`y`'"
    assert name not in filled.replace(quoted, "") or name in text


TARGETS = {
    "settings": Target(
        settings,
        (b"[tasks.a]\n", b"command = ", b"'x'\n", b'"y"', b"watch = [", b"]", b"\n", b"depends_on = ['a']\n", b"timeout = '1m'\n",
         b"[servers.w]\nurl = ", b"'https://x'\n", b"problem_matcher = ", b"{", b"}", b"=", b'"""', b"'''", b"\\u0007", b"#", b"\xef\xbb\xbf",
         b"sync = ", b"env = {A = '1'}\n", b"1979-05-27", b"[[paths]]\n", b"local = '..'\n", b"remote = '/x'\n", b".", b"\r\n", b"\xff"),
    ),
    "vscode_matchers": Target(
        vscode_matchers,
        (b'{"pattern":', b'{"regexp":"^(.*):(\\\\d+)$",', b'"file":1,', b'"line":2,', b'"message":1}', b"}", b"[", b"]", b",",
         b'"loop":true', b'"severity":"x"', b'"base":"$gcc"', b'"background":{"activeOnStart":true,', b'"beginsPattern":"a"',
         b'"fileLocation":["relative","${workspaceFolder}"]', b'"$tsc"', b"\0", b"a:1\n", b"null", b'"kind":"file"', b"-1", b"1e9"),
    ),
    "expressions": Target(
        expressions,
        (b"(a+)+$", b"(?:", b"(?=", b"(?<n>", b"\\1", b"\\k<n>", b"[^", b"]", b"{1,1000}", b"\\u{1F600}", b"\\p{L}", b"|", b")",
         b"*", b"?", b"\\", b"\0", b"a" * 30, b"(.*)*", b"\\b", b"\\cA", b"\\0", b"-", b"^"),
    ),
    "outputs": Target(
        outputs,
        (b"a.c:1:2: error: x", b"\n", b"  ", b"error[E1]: y", b" --> a.rs:1:2", b"a.ts(1,2): error TS1: z", b"E   AssertionError",
         b"=== FAILURES ===", b"____ t ____", b"at f (a.js:1:2)", b"FAIL", b"--- FAIL: T (0.0s)", b'File "a.py", line 1', b"99999999999", b":"),
    ),
    "control_sequences": Target(
        control_sequences,
        (b"\x1b", b"[", b"]0;", b"\x07", b"\x1b\\", b"31m", b";", b"\xc2\x9b", b"\xc2\x9d", b"\xc2\x9c", b"\xc2\x90", b"P", b"\r", b"\b",
         b"1K", b"2K", b"9999C", b"5G", b"\xe2\x80\xae", b"x", b"\n", b"\x7f", b"\0", b" ", b"\xff", b"\xed\xa0\x80"),
    ),
    "paths": Target(
        paths, (b"/", b"..", b".", b"\n", b"file://", b"%2e", b"%2F", b"C:", b"\\", b"//h/s/", b"w", b"home/me/work", b"\xff", b"\0", b"?")
    ),
    "urls": Target(
        urls,
        (b"http", b"s", b"://", b"localhost", b"127.0.0.1", b"[::1]", b":80", b"@", b"/", b"\\", b"?", b"#", b".", b"%00", b"\t", b"evil",
         b"\xe3\x80\x82", b"0x7f.1", b"2130706433", b":", b"[::ffff:127.0.0.1]", b"HTTPS", b"xn--"),
    ),
    "file_patterns": Target(
        file_patterns, (b"*", b"**/", b"/", b"a", b"b", b"?", b"[ab]", b"[!a]", b"[", b"]", b"!", b"\\", b"#", b" ", b"{a,b}", b"\0", b".", b"\xff")
    ),
    "shell_texts": Target(
        shell_texts,
        (b"${file}", b"$${file}", b"'", b'"', b"$(", b")", b"`", b"\\", b"#", b"\n", b" ", b"<<E", b"$((", b"))", b"sh -c ", b"eval ",
         b"${x:-", b"}", b"${changedFiles}", b"case ", b";;", b"{", b"$'", b"ssh h "),
    ),
}  # fmt: skip
