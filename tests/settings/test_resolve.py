"""Which of the five places wins, and where a key may go because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdev_bridge.core.origin import check_url, is_this_machine, origin
from rdev_bridge.core.paths import PathPair
from rdev_bridge.errors import SettingsError, UsageError
from rdev_bridge.model import EmbeddedServer, RemoteServer
from rdev_bridge.settings import Flags, Source, UserConfig, load_user, path_map, resolve, workspace_from
from rdev_bridge.settings.user import user_from

FOLDER = Path("/home/me/w")
USER = """\
default_server = "work"
[servers.work]
url = "https://work.example/rdev/"
api_key_command = ["pass", "show", "work"]
[servers.gpu]
url = "https://gpu.example:8443"
[servers.old]
url = "http://old.example"
allow_http = true
"""
NO_FLAGS = Flags()


def user_of(text: str) -> UserConfig:
    return user_from(Source.parse(Path("/c/config.toml"), text.encode()))


def target(workspace: str = "", user: str = USER, *, task: str | None = None, flags: Flags = NO_FLAGS, **environ: str):
    read = workspace_from(FOLDER, Source.parse(FOLDER / "rdev.toml", workspace.encode()))
    return resolve(read, user_of(user), task=read.tasks[task] if task else None, flags=flags, environ=environ)


TASK = "project='mine'\nserver='gpu'\nremote_root='/r'\n[tasks.t]\ncommand='x'\n"


@pytest.mark.parametrize(
    ("case", "server", "project"),
    [
        ({"user": ""}, "embedded", "w"),
        ({}, "work", "w"),
        ({"workspace": TASK}, "gpu", "mine"),
        ({"workspace": TASK + "server='old'\nproject='p'", "task": "t"}, "old", "p"),
        ({"workspace": TASK, "RDEV_URL": "http://localhost:1", "RDEV_PROJECT": "e"}, "localhost:1", "e"),
        ({"workspace": TASK + "server='old'", "task": "t", "RDEV_URL": "http://localhost:1"}, "localhost:1", "mine"),
        ({"workspace": TASK, "RDEV_URL": "http://[::1]:1", "flags": Flags(server="work")}, "work", "mine"),
        ({"flags": Flags(server="embedded", project="f"), "RDEV_PROJECT": "e"}, "embedded", "f"),
        ({"flags": Flags(url="http://127.0.0.1:9/x/")}, "127.0.0.1:9", "w"),
        ({"workspace": "server='embedded'"}, "embedded", "w"),
        ({"user": "default_server='embedded'"}, "embedded", "w"),
        ({"RDEV_URL": "", "RDEV_PROJECT": ""}, "work", "w"),
    ],
)
def test_precedence(case: dict, server: str, project: str) -> None:
    found = target(**case)
    assert (found.server.name, found.project) == (server, project)


@pytest.mark.parametrize(
    ("case", "allowed"),
    [
        ({}, True),
        ({"RDEV_URL": "http://localhost:1"}, True),
        ({"RDEV_URL": "https://gpu.example:8443/x"}, True),
        ({"flags": Flags(url="http://localhost:1")}, False),
        ({"flags": Flags(url="https://gpu.example:8443")}, True),
        ({"flags": Flags(url="https://gpu.example")}, False),
        ({"RDEV_URL": "http://localhost:1", "flags": Flags(server="gpu")}, False),
        ({"RDEV_URL": "http://localhost:1", "flags": Flags(url="http://localhost:2")}, False),
        ({"RDEV_URL": "http://localhost:1", "flags": Flags(url="http://LOCALHOST:1/y")}, True),
    ],
)
def test_where_the_key_of_the_environment_may_go(case: dict, allowed: bool) -> None:
    assert target(**case).server.key_from_environment is allowed


def test_a_url_of_a_known_place_has_that_servers_key_and_its_own_path() -> None:
    server = target(RDEV_URL="https://WORK.example:443/other").server
    assert server == RemoteServer(
        "work", "https://WORK.example:443/other", ("pass", "show", "work"), True, setting="RDEV_URL"
    )


def test_another_port_or_scheme_of_a_known_host_has_none_of_its_keys() -> None:
    assert target(RDEV_URL="https://work.example:444").server.api_key_command is None
    with pytest.raises(UsageError, match="plain http"):
        target(RDEV_URL="http://work.example")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"flags": Flags(server="wrok")}, '--server: .*no \\[servers.wrok\\]; did you mean "work"'),
        ({"flags": Flags(server="work", url="x")}, "give one of them"),
        ({"flags": Flags(project="a/b")}, "--project: .*no id of a project"),
        ({"RDEV_PROJECT": ".."}, "RDEV_PROJECT: .*no id of a project"),
        ({"RDEV_URL": "ftp://x"}, "RDEV_URL: .*begins with"),
        ({"workspace": "server='x'"}, "rdev.toml:1: server: your /c/config.toml has no"),
        ({"workspace": TASK + "\nserver='guu'", "task": "t"}, 'rdev.toml:7: tasks.t.server: .*did you mean "gpu"'),
    ],
)
def test_what_cannot_be_resolved(case: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        target(**case)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("default_server = 'x'", 1, "there is no [servers.x]"),
        ("[servers.embedded]\nurl='http://localhost'", 1, "choose another name"),
        ("[servers.a]", 1, "lacks the key url"),
        ("[servers.a]\nurl='http://far.example'", 2, "allow_http"),
        ("[servers.a]\nurl='https://k:secret@x.example'", 2, "no user name and no key"),
        ("[servers.a]\nurl='https://x.example'\napi_key='secret'", 3, "no key is kept in this file"),
        ("[servers.a]\nurl='https://x.example'\napi_key_command='pass show x'", 3, '["pass", "show", "x"]'),
        ("[servers.a]\nurl='https://x.example'\nulr='x'", 3, 'did you mean "url"'),
        ("[server.a]\nurl='https://x.example'", 1, 'did you mean "servers"'),
    ],
)
def test_what_is_wrong_with_the_users_file(text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        user_of(text)
    assert str(error.value).startswith(f"/c/config.toml:{line}:")
    assert message in str(error.value)
    assert "secret" not in str(error.value)


def test_a_machine_without_a_config_file() -> None:
    assert load_user().servers == {}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "work",
        "//work",
        "file:///etc/passwd",
        "https://",
        "https://a b",
        "https://user@host",
        "https://a\\@b",
        "https://a/?q",
        "https://a/#f",
        "https://a:0",
        "https://a:99999",
        "https://a:x",
        "https://a%2eb",
        "https://ex\N{CYRILLIC SMALL LETTER A}mple.com",
        "https://a\n.b",
        "https://a/\x00",
        "https://[::1",
    ],
)
def test_no_url_of_a_server(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for people
        check_url(url)


@pytest.mark.parametrize(
    ("url", "place", "near"),
    [
        ("https://A.example/x/", "https://a.example:443", False),
        ("HTTP://localhost", "http://localhost:80", True),
        ("http://127.1.2.3:08080", "http://127.1.2.3:8080", True),
        ("http://[::1]", "http://[::1]:80", True),
        ("http://x.localhost:1", "http://x.localhost:1", True),
        ("http://localhost.evil.example", "http://localhost.evil.example:80", False),
        ("http://127.0.0.1.nip.io", "http://127.0.0.1.nip.io:80", False),
        ("https://a.example.", "https://a.example:443", False),
    ],
)
def test_what_a_key_is_bound_to(url: str, place: str, near: bool) -> None:
    checked = check_url(url)
    assert (origin(checked), is_this_machine(checked)) == (place, near)


def test_the_embedded_server_sees_the_folder_where_it_is_too() -> None:
    text = "remote_root = '/workspace'\n[[paths]]\nlocal='v'\nremote='/opt/v'"
    workspace = workspace_from(FOLDER, Source.parse(FOLDER / "rdev.toml", text.encode()))
    paths = path_map(workspace, resolve(workspace, user_of(""), environ={}))
    assert isinstance(resolve(workspace, user_of(""), environ={}).server, EmbeddedServer)
    assert paths.pairs == (PathPair("/opt/v", "v"), PathPair(str(FOLDER), "."))
    assert paths.to_local("/workspace/a") == paths.to_local(f"{FOLDER}/a") == FOLDER / "a"
    assert paths.to_remote(FOLDER / "a") == "/workspace/a"
