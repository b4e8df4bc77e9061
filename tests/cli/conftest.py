"""What the tests of the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.bridge import Bridge

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    """In an empty folder with a space in its name, nothing configured."""
    folder = tmp_path / "work space"
    folder.mkdir()
    return Bridge(folder)
