"""One server for the tests that leave it as it was, and a fresh one for those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.served import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with short times, for tests that only use it."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "root").mkdir()
    with serving(folder / "root", folder / "state", "--limit", "cancel_grace_s=1") as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"
