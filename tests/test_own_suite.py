"""The project's own tests as a task through its own bridge: `rdev-bridge run test` in this repository."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.cli.bridge import ROOT, Bridge

if TYPE_CHECKING:
    from pathlib import Path


def test_the_own_tasks_are_sound() -> None:
    listed = Bridge(ROOT).call("tasks")
    assert listed.returncode == 0
    assert {line.split()[0] for line in listed.stdout.decode().splitlines()[1:]} == {"test", "types", "style", "check"}


def test_the_suite_through_its_own_bridge(tmp_path: Path) -> None:
    """A copy with the same rdev.toml, so that what runs here leaves nothing in the work tree."""
    copy = tmp_path / "rdev-bridge"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "node_modules", "dist", "__pycache__"))
    (copy / ".venv").symlink_to(ROOT / ".venv")
    passed = Bridge(copy).call("run", "test", "tests/core", "-p", "no:cacheprovider")
    assert passed.returncode == 0, passed.stdout.decode()
    assert b" passed in " in passed.stdout
    (copy / "tests/core/test_wrong.py").write_text("def test_wrong() -> None:\n    assert 1 == 2\n")
    failed = Bridge(copy).call("run", "test", "tests/core", "-p", "no:cacheprovider")
    assert failed.returncode == 1
    assert b"FAILED tests/core/test_wrong.py::test_wrong" in failed.stdout
