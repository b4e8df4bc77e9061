"""What the editor tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RDEV: dict[str, object] = {"experimental": {"rdev": {}}}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with a few tasks; no server configured, so that the embedded one is started."""
    folder = tmp_path / "work space"
    folder.mkdir()
    (folder / "rdev.toml").write_text(
        """\
[tasks.hello]
command = "echo out; echo err >&2"
description = "says hello"
group = "test"

[tasks.fail]
command = "echo broken; exit 3"

[tasks.wait]
command = "echo started; exec sleep 600"
"""
    )
    return folder
