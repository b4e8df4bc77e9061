"""`doctor` on machines that are well, and on some that are not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from rdev_bridge import places
from tests.cli.bridge import ROOT

if TYPE_CHECKING:
    import pytest

    from tests.cli.bridge import Bridge

KEY = "rdev_secret"


def report(bridge: Bridge, *words: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each line (with its advice) by its name."""
    done = bridge.call("doctor", *words)
    assert KEY.encode() not in done.stdout + done.stderr
    found: dict[str, str] = {}
    name = ""
    for line in done.stdout.decode().splitlines():
        if not line.startswith(" "):
            name = line[2:15].strip()
        found[name] = f"{found.get(name, '')}{line}\n"
    return done.returncode, found


def test_a_fresh_machine_is_well(bridge: Bridge) -> None:
    code, lines = report(bridge)
    assert code == 0
    assert list(lines)[:6] == ["version", "config.toml", "rdev.toml", "server", "stream", "latency"]
    assert "rdev-bridge init" in lines["rdev.toml"]
    assert lines["stream"].startswith("✓")
    assert str(places.state_dir()) in lines["state"]


def test_a_wrong_file_is_named_with_its_line(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text("[tasks.a]\ncommand = 1\n")
    code, lines = report(bridge)
    assert code == 1
    assert "rdev.toml:2: tasks.a.command" in lines["rdev.toml"]
    assert "stream" not in lines


def test_matchers_and_trust_are_looked_at(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text("[tasks.a]\ncommand='x'\nwatch='*'\nproblem_matcher='pytst'\n")
    code, lines = report(bridge)
    assert code == 1
    assert "rdev.toml:4" in lines["matcher"]
    assert "rdev-bridge trust" in lines["trust"]


def test_a_server_that_nobody_described(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    (bridge.folder / "rdev.toml").write_text("[tasks.a]\ncommand='x'\nserver='embeded'\n")
    done = bridge.call("doctor")
    assert done.returncode == 1
    assert "rdev.toml:3: tasks.a.server: your " in done.stdout.decode()
    assert 'has no [servers.embeded]; did you mean "embedded"?' in done.stdout.decode()
    monkeypatch.setenv("RDEV_URL", "http://127.0.0.1:1")  # then no name is looked at
    assert "embeded" not in bridge.call("doctor").stdout.decode()


def test_a_server_that_is_not_there(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDEV_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("RDEV_API_KEY", KEY)
    code, lines = report(bridge)
    assert code == 1
    assert "cannot be reached" in lines["key"]
    assert "from RDEV_API_KEY" in lines["key"]
    assert "stream" not in lines


def test_a_foreign_server_without_ids(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    (bridge.folder / "rdev.toml").write_text("project = 'demo'\nremote_root = '/no/such/folder'\n")
    command = [sys.executable, "-m", "tests.support.foreign_server", "--ids", "none"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        monkeypatch.setenv("RDEV_URL", told["url"])
        monkeypatch.setenv("RDEV_API_KEY", told["key"])
        code, lines = report(bridge)
        server.terminate()
    assert code == 0
    assert lines["stream"].startswith("!")
    assert "cannot be resumed" in lines["stream"]
    assert "no folder on the server" in lines["remote_root"]


def test_a_key_for_another_place_is_not_sent_and_said(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDEV_API_KEY", KEY)
    _, lines = report(bridge, "--url", "http://127.0.0.1:1")
    assert "belongs to another place" in lines["key"]
