"""What an `rdev.toml` may say, and how it is told what is wrong with it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rdev_bridge.core.paths import PathPair
from rdev_bridge.errors import SettingsError
from rdev_bridge.model import BusyPolicy, Location, OnClientExit, SyncCommand, SyncPush
from rdev_bridge.settings import Source, find_root, load_workspace, workspace_from

FOLDER = Path("/home/me/w")
FILE = FOLDER / "rdev.toml"

WHOLE = """\
project = "my-project"
server = "work"
remote_root = "/workspace"

[[paths]]
local = "vendor"
remote = "/opt/vendor"

[tasks.build]
command = "make"
sync = "push"

[tasks.test] # 😀
command = "pytest -q"
description = "unit tests"
group = "test"
cwd = "backend"
env = { CI = "1" }
depends_on = ["build"]
watch = ["src/**/*.py"]
on_busy = "restart"
timeout = "1h30m"
server = "gpu"
project = "other"
remote_root = "/gpu"
problem_matcher = ["pytest", { pattern = { regexp = "x" } }]
on_client_exit = "detach"
sync = { command = "rsync -a . gpu:", timeout = 90 }
"""


def check_line(content: bytes) -> None:
    """`content` is fine, or what is wrong is told with a line that it has."""
    error = None
    try:
        read(content)
    except SettingsError as raised:
        error = raised
    assert error is None or 1 <= (error.line or 0) <= content.count(b"\n") + 1


def read(text: str | bytes) -> object:
    return workspace_from(FOLDER, Source.parse(FILE, text.encode() if isinstance(text, str) else text))


def test_every_key_arrives() -> None:
    workspace = workspace_from(FOLDER, Source.parse(FILE, WHOLE.encode()))
    assert (workspace.project, workspace.server, workspace.remote_root) == ("my-project", "work", "/workspace")
    assert workspace.paths == (PathPair("/opt/vendor", "vendor"),)
    assert workspace.tasks["build"].sync == SyncPush()
    task = workspace.tasks["test"]
    assert (task.command, task.description, task.group, task.cwd) == ("pytest -q", "unit tests", "test", "backend")
    assert (task.env, task.depends_on, task.watch) == ({"CI": "1"}, ("build",), ("src/**/*.py",))
    assert (task.on_busy, task.timeout_s) == (BusyPolicy.RESTART, 5400)
    assert (task.server, task.project, task.remote_root) == ("gpu", "other", "/gpu")
    assert task.problem_matcher == ("pytest", {"pattern": {"regexp": "x"}})
    assert (task.on_client_exit, task.sync) == (OnClientExit.DETACH, SyncCommand("rsync -a . gpu:", 90))
    assert task.location == Location(FILE, 12, 0, 12)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = ", 1, "not valid TOML"),
        ("a = 1\n\n[tasks", 3, "not valid TOML"),
        ("\n[tasks.a]\ncommand = '''x", 3, "not valid TOML"),
        ("\n[tasks.a]\ncommand = '''x\u2028\x85", 3, "not valid TOML"),
        (b"# \xff", 1, "is not UTF-8"),
        (b"#\n#\xff", 2, "is not UTF-8 but another encoding"),
        ("x = " + "[" * 5000, 1, "nested too deeply"),
        ("\nx = " + "1" * 5000, 2, "a number is too long"),
        ("task = 1", 1, 'task: unknown key; did you mean "tasks"?'),
        ("zzz = 1", 1, "zzz: unknown key"),
        ("tasks = 3", 1, "tasks: must be a table, not a number"),
        ("[tasks]\ntest = 'x'", 2, 'tasks.test: must be a table, not a text: { command = "x" }'),
        ("[[tasks]]\ncommand = 'x'", 1, "each task is a table with a name: [tasks.NAME], not [[tasks]]"),
        ("[tasks.a]\ncommand='x'\n[tasks.a]\ncommand='y'", 3, "this table stands here a second time"),
        ("[tasks.a]\ncommand='x'\ncommand='y'", 3, "this key stands here a second time"),
        ("[tasks.a]\ncommand = ['ls', 'a b']", 2, """which the server's shell reads: "ls 'a b'\""""),
        ("[tasks.a]\ncommand='x'\ncwd = '~/x'", 3, "must not begin with ~, which no shell reads here; write"),
        (b"\xff\xfe[\0", 1, "is not UTF-8 but UTF-16; save it as UTF-8"),
        ("[tasks.a]", 1, "tasks.a: lacks the key command"),
        ("[tasks.a]\ncommand = 3", 2, 'tasks.a.command: must be a text, not a number: write "3"'),
        ("[tasks.a]\ncommand = ' '", 2, "must not be empty"),
        ('[tasks.a]\ncommand = "a\\u0000b"', 2, "NUL"),
        ("[tasks.a]\ncommand='x'\n\ntimeot = 3", 4, 'tasks.a.timeot: unknown key; did you mean "timeout"?'),
        ("[tasks.a]\ncommand='x'\ntimeout = '10 minutes'", 3, "is no duration"),
        ("[tasks.a]\ncommand='x'\ntimeout = -1", 3, "more than nothing"),
        ("[tasks.a]\ncommand='x'\ntimeout = nan", 3, "more than nothing"),
        ("[tasks.a]\ncommand='x'\ntimeout = inf", 3, "a year"),
        ("[tasks.a]\ncommand='x'\ntimeout = true", 3, "not a boolean"),
        ("[tasks.a]\ncommand='x'\ngroup = 'tests'", 3, 'must be "build", "test" or "run", not "tests"; did you mean'),
        ("[tasks.a]\ncommand='x'\non_busy = 'wait'", 3, '"queue", "restart", "ignore" or "parallel"'),
        ("[tasks.a]\ncommand='x'\nwatch = [1]", 3, "must be a list of texts, not of a number"),
        ("[tasks.a]\ncommand='x'\nwatch = ['a.py', '../*.py']", 3, "tasks.a.watch: '../*.py' leaves the workspace"),
        ("[tasks.a]\ncommand='x'\nwatch = '[z'", 3, "is no pattern that can be watched"),
        ("[tasks.a]\ncommand='x'\nenv = {CI = 1}", 3, 'CI must be a text, not a number: write "1"'),
        ("[tasks.a]\ncommand='x'\nenv = {'A-B' = '1'}", 3, "no name of an environment variable"),
        ("[tasks.a]\ncommand='x'\nsync = 'pull'", 3, 'must be "none", "push"'),
        ("[tasks.a]\ncommand='x'\nsync = {comand = 'x'}", 3, 'has no key "comand"; did you mean "command"?'),
        ("[tasks.a]\ncommand='x'\nremote_root = 'x'", 3, "must be an absolute path"),
        ("[tasks.-a]\ncommand='x'", 1, "begins with no"),
        ('[tasks."a\\nb"]\ncommand="x"', 1, "printable"),
        ("[tasks.a]\ncommand='x'\ndepends_on = [\n'a1',\n]\n[tasks.a2]\ncommand='x'", 4, 'there is no task "a1"; did'),
        (
            "[tasks.a]\ncommand='x'\ndepends_on='b'\n[tasks.b]\ncommand='x'\ndepends_on='a'",
            3,
            "wait for each other: a → b → a",
        ),
        ("project = '../x'", 1, "is no id of a project"),
        ("project = '..'", 1, "is no id of a project"),
        ("[[paths]]\nlocal='../x'\nremote='/x'", 2, "paths[0].local: must be inside the workspace"),
        ("[[paths]]\nlocal='a'\nremote='/x'\n[[paths]]\nlocal='b'", 4, "paths[1]: lacks the key remote"),
        ("url = 'https://evil.example'", 1, "can neither hold a key nor say where one goes"),
        ("api_key = 'x'", 1, "can neither hold a key"),
        ("[tasks.a]\ncommand='x'\napi_key_command = ['x']", 3, "can neither hold a key"),
        ("[servers.work]\nurl='https://evil.example'", 1, "can neither hold a key"),
        ("default_server = 'x'", 1, "can neither hold a key"),
        ("allow_http = true", 1, "can neither hold a key"),
    ],
)
def test_one_message_with_file_line_and_key(text: str | bytes, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(text)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{FILE}:{line}:")


@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example(b"\xef\xbb\xbf")
@example(b"a=1e999\n")
@example(b"a = 2000-13-13")
@example(b"a = 99:99:99")
@settings(max_examples=400)
def test_any_bytes_are_a_workspace_or_an_error_with_a_line(content: bytes) -> None:
    check_line(content)


lines = WHOLE.split("\n")
odd = [
    *lines,
    "[",
    "]",
    '"""',
    "'''",
    "=",
    "[tasks]",
    "[[tasks]]",
    "x = [",
    "{",
    "}",
    "\\",
    "[tasks.test.env]",
    "1",
    "a.b.c=1",
]


@given(st.lists(st.sampled_from(odd), max_size=12), st.integers(0, len(WHOLE)), st.text(max_size=3))
@settings(max_examples=400)
def test_a_file_in_the_middle_of_an_edit(pieces: list[str], at: int, typed: str) -> None:
    for text in ("\n".join(pieces), WHOLE[:at] + typed + WHOLE[at:], WHOLE[:at]):
        check_line(text.encode("utf-8", "replace"))


def test_a_folder_without_a_file_has_no_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "my project!"
    folder.mkdir()
    workspace = load_workspace(folder)
    assert (workspace.project, workspace.tasks, workspace.config_file) == ("my-project-", {}, None)


@pytest.mark.parametrize(
    ("name", "project"), [("a.b", "a.b"), ("..", "workspace"), ("", "workspace"), ("é" * 9, "workspace")]
)
def test_a_folders_name_becomes_a_valid_id(name: str, project: str) -> None:
    from rdev_bridge.settings.values import project_of

    assert project_of(name) == project
    assert len(project_of("x" * 200)) == 64


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "rdev.toml").mkdir()
    with pytest.raises(SettingsError, match="is no file"):
        load_workspace(tmp_path)
    (tmp_path / "rdev.toml").rmdir()
    (tmp_path / "rdev.toml").write_bytes(b"#" * 1024 * 1024 + b"#")
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        load_workspace(tmp_path)


def test_a_folder_whose_path_is_no_utf8_is_told() -> None:
    with pytest.raises(SettingsError, match="another name"):
        load_workspace(Path(os.fsdecode(b"/nowhere/\xff")))


def test_the_root_is_the_nearest_folder_upward(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    with contextlib.chdir(deep):
        assert find_root(Path()) == deep
        (tmp_path / "rdev.toml").write_text("")
        assert find_root(Path()) == tmp_path
        assert find_root(deep / ".." / "..") == tmp_path


def test_a_strangers_file_in_an_open_folder_is_not_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "mine"
    below.mkdir()
    (tmp_path / "rdev.toml").write_text("")
    tmp_path.chmod(0o1777)
    assert find_root(below) == tmp_path  # our own file
    owner = (tmp_path / "rdev.toml").stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: owner + 1)
    monkeypatch.setattr("rdev_bridge.settings.workspace._ROOT", owner + 2)
    assert find_root(below) == below
    assert find_root(tmp_path) == tmp_path
