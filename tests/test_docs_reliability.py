"""`docs/reliability.md` names the tests that show what it says; they must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs/reliability.md").read_text()
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", page)
    assert len(named) > 40
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]
    assert missing == []


def test_every_row_names_a_test() -> None:
    rows = (ROOT / "docs/reliability.md").read_text().partition("### Row by row")[2].strip().splitlines()[2:]
    assert [row for row in rows if "::test_" not in row] == []
