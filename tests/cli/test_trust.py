"""`trust` in the terminal: what it shows before it asks, and what a no, a yes and nobody mean."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pexpect

from rdev_bridge import trust
from rdev_bridge.settings import load_workspace
from tests.cli.bridge import ROOT

if TYPE_CHECKING:
    from tests.cli.bridge import Bridge

TEXT = "[tasks.test]\ncommand = 'pytest'\nwatch = ['*.py']\n"


def is_trusted(bridge: Bridge) -> bool:
    return trust.is_trusted(bridge.folder, load_workspace(bridge.folder).digest)


def ask(bridge: Bridge, answer: str) -> tuple[int | None, str]:
    """`trust` on a terminal, answered with `answer`."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    argv = ["-m", "rdev_bridge", "trust"]
    shown = pexpect.spawn(sys.executable, argv, cwd=str(bridge.folder), env=environ, encoding="utf-8", timeout=30)
    shown.expect_exact("[y/N] ")
    before = shown.before or ""
    shown.sendline(answer)
    shown.expect(pexpect.EOF)
    shown.close()
    return shown.exitstatus, before


def test_it_asks_shows_changes_lists_and_revokes(bridge: Bridge) -> None:
    file = bridge.folder / "rdev.toml"
    file.write_text(TEXT)
    code, shown = ask(bridge, "")
    assert (code, is_trusted(bridge)) == (1, False)
    assert "start by themselves: test" in shown
    assert "command = 'pytest'" in shown
    assert ask(bridge, "y")[0] == 0
    assert is_trusted(bridge)
    assert b"trusted already" in bridge.call("trust").stderr

    file.write_text(TEXT.replace("pytest", "evil # \x7f\u202e").replace("\x7f", ""))
    assert not is_trusted(bridge)
    assert b"changed since" in bridge.call("trust", "--list").stdout
    code, shown = ask(bridge, "n")
    assert (code, is_trusted(bridge)) == (1, False)
    assert "-command = 'pytest'" in shown
    assert "+command = 'evil # \\u202e'" in shown
    assert "\u202e" not in shown
    assert bridge.call("trust", "--yes").returncode == 0
    assert is_trusted(bridge)
    assert str(bridge.folder).encode() in bridge.call("trust", "--list").stdout
    assert bridge.call("trust", "--revoke", str(bridge.folder)).returncode == 0
    assert not is_trusted(bridge)
    assert bridge.call("trust", "--revoke").returncode == 2


def test_without_a_terminal_nobody_said_yes(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(TEXT)
    done = bridge.call("trust")
    assert done.returncode == 2
    assert b"--yes" in done.stderr
    assert not is_trusted(bridge)


def test_a_folder_without_a_file_has_nothing_to_trust(bridge: Bridge) -> None:
    assert bridge.call("trust", "--yes").returncode == 2
