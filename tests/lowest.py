"""`python -m tests.lowest`: the lowest versions that pyproject.toml allows, as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest(requirements: list[str]) -> list[str]:
    """`name==version` for each `name>=version`. Raises ValueError for one that names no lower bound."""
    found = []
    for requirement in requirements:
        bound = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9][0-9.]*)", requirement)
        if bound is None:
            raise ValueError(f"{requirement!r} has no lower bound, or one that this cannot read")
        found.append(f"{bound[1]}=={bound[2]}")
    return found


def dependencies() -> list[str]:
    """What the package needs, as pyproject.toml writes it."""
    listed: list[str] = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    return listed


if __name__ == "__main__":
    print("\n".join(lowest(dependencies())))
