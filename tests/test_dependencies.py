"""Few dependencies, each with its reason, a lower bound that is true, and a place in the lock."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.lowest import PYPROJECT, dependencies, lowest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dependencies.md").read_text()
LOCK = (ROOT / "requirements-dev.lock").read_text()
OTHER_NAMES = {"re2": "google-re2", "httpx_sse": "httpx-sse"}


def development() -> list[str]:
    import tomllib

    listed: list[str] = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]["dev"]
    return [re.split(r"[>=<]", one)[0] for one in listed]


def runtime() -> set[str]:
    return {re.split(r"[>=<]", one)[0] for one in dependencies()}


def test_the_page_gives_one_reason_for_each() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE))
    named = {name for cell in rows for name in cell.split(", ")} - {"package", "---"}
    assert named == runtime()
    assert all(len(reason) > 20 for cell, reason in rows.items() if set(cell.split(", ")) & runtime())


def test_the_page_names_all_tools_of_development() -> None:
    """`pytest-asyncio` may stand there as a plugin called `asyncio`."""
    words = set(re.findall(r"[\w.-]+", PAGE.partition("For development")[2].replace("\n", " ")))
    words |= {word.rstrip(".") for word in words}
    assert [name for name in development() if not {name, name.removeprefix("pytest-")} & words] == []


def test_what_is_imported_is_what_is_declared() -> None:
    imported = set()
    for path in (ROOT / "rdev_bridge").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.partition(".")[0])
    imported = {OTHER_NAMES.get(name, name) for name in imported - sys.stdlib_module_names - {"rdev_bridge"}}
    assert imported <= runtime()
    assert runtime() - imported == {"h11", "sniffio"}, "the page says why they stand here"


def test_the_lock_holds_all_of_them_with_hashes_and_no_place() -> None:
    entries = re.findall(
        r"^([a-z0-9._-]+)==\S+.*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", LOCK, re.MULTILINE
    )
    locked = {name for name, _ in entries}
    assert len(locked) == len(re.findall(r"^[a-z0-9._-]+==", LOCK, re.MULTILINE)), "every entry has its hashes"
    assert runtime() | set(development()) <= locked
    assert "://" not in LOCK


def test_lower_bounds_are_read() -> None:
    assert lowest(["a>=1.2", "b-c>=3"]) == ["a==1.2", "b-c==3"]
    with pytest.raises(ValueError, match="no lower bound"):
        lowest(["a"])
