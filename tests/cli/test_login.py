"""`login` and `logout` against a real server, with the key in its file; and that the key shows nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest

from rdev_bridge import places
from tests.cli.bridge import ROOT, Bridge
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "rdev_" + "k" * 43


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server that takes KEY alone, for the project `demo`; the user's config.toml calls it `work`."""
    (tmp_path / "served").mkdir()
    argv = ["serve", str(tmp_path / "served"), "--port", "0", "--project", "demo"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "RDEV_API_KEY": KEY}
    command = [sys.executable, "-m", "rdev_bridge", *argv]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        config = places.config_file()
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(f'default_server = "work"\n[servers.work]\nurl = "{url}"\n')
        yield url
        server.terminate()


def login(bridge: Bridge, *words: str, key: str = KEY) -> subprocess.CompletedProcess[bytes]:
    read, write = os.pipe()
    os.write(write, key.encode() + b"\n")
    os.close(write)
    with os.fdopen(read) as stdin:
        return bridge.call("login", "--project", "demo", *words, stdin=stdin)


def stored() -> list[Path]:
    return [path for path in (places.state_dir() / "keys").glob("*") if path.is_file()]


def test_a_right_key_is_kept_and_used_and_forgotten(bridge: Bridge, url: str) -> None:
    assert bridge.run("echo hi", "--project", "demo").returncode == 125
    done = login(bridge)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"is kept in" in done.stderr
    assert b"could not be proven" not in done.stderr
    assert KEY.encode() not in done.stderr
    assert stored()
    used = bridge.run("echo hi", "--project", "demo")
    assert (used.returncode, used.stdout) == (0, b"hi\n")
    assert b"is forgotten" in bridge.call("logout").stderr
    assert not stored()
    assert b"no key of work was kept" in bridge.call("logout", "--url", url).stderr


@pytest.mark.parametrize(("words", "key", "code"), [((), "wrong", 125), (("--no-check",), "a b", 125), ((), "", 2)])
def test_a_wrong_key_is_not_kept(bridge: Bridge, url: str, words: tuple[str, ...], key: str, code: int) -> None:
    done = login(bridge, *words, key=key)
    assert done.returncode == code
    assert not stored()


def test_a_server_that_is_not_there(bridge: Bridge) -> None:
    done = login(bridge, "--url", "http://127.0.0.1:1")
    assert done.returncode == 125
    assert b"the key was not kept" in done.stderr
    assert not stored()
    assert login(bridge, "--url", "http://127.0.0.1:1", "--no-check").returncode == 0
    assert stored()


@pytest.mark.parametrize(
    "words", [("nowhere",), ("--url", "https://user:pw@x.example"), ("work", "--url", "http://x"), ()]
)
def test_no_such_server(bridge: Bridge, words: tuple[str, ...]) -> None:
    done = login(bridge, *words)
    assert done.returncode == 2
    assert KEY.encode() not in done.stderr


def test_the_prompt_shows_nothing(bridge: Bridge, url: str) -> None:
    argv = ["-m", "rdev_bridge", "login", "--project", "demo"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = pexpect.spawn(sys.executable, argv, cwd=str(bridge.folder), env=environ, encoding="utf-8", timeout=30)
    shown.expect(r"Key for work \(http://127[^)]*\): ")
    eventually(lambda: not shown.getecho())
    shown.sendline(KEY)
    shown.expect(pexpect.EOF)
    shown.close()
    assert shown.exitstatus == 0
    assert "is kept in" in (shown.before or "")
    assert KEY not in (shown.before or "")
