"""docs/security.md names tests that exist, and every row has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part)
def test_it_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_every_attack_has_a_test() -> None:
    attacks = [row for row in ROWS if row[0] not in {"attack", "---", "target"} and "---" not in row[0]]
    without = [attack for attack, _, tests in attacks if "::" not in tests and not re.fullmatch(r"[\d ,]+", tests)]
    assert len(attacks) > 50
    assert without == []
