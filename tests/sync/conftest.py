"""A workspace, a root on a server that is a bare shell, and a barrier between them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.model import ConflictPolicy, RemoteServer, SyncProgress, SyncPush, SyncResult, Target, Task
from rdev_bridge.sync import Barrier
from tests.support.localshell import SHELLS, LocalShell

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def tree(root: Path) -> dict[str, str]:
    """What a folder holds, each path with its kind and content; the push's own folder and git's aside."""
    found = {}
    pending = [root]
    while pending:
        for path in pending.pop().iterdir():
            if path.name in (".rdev-push", ".git"):
                continue
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"link {path.readlink()}"
            elif path.is_dir():
                found[key] = "folder"
                pending.append(path)
            else:
                found[key] = f"{'run' if os.access(path, os.X_OK) else 'file'} {path.read_bytes()!r}"
    return found


@dataclass
class Pushed:
    """A workspace `here`, its copy `there`, and the way between them."""

    here: Path
    there: Path
    shell: LocalShell
    barrier: Barrier = field(default_factory=Barrier)
    told: list[SyncProgress] = field(default_factory=list)

    async def push(
        self, changed: Collection[Path] | None = None, conflict: ConflictPolicy = ConflictPolicy.FAIL
    ) -> SyncResult:
        task = Task(name="test", folder=self.here, command="true", sync=SyncPush())
        target = Target(RemoteServer("w", "http://127.0.0.1:1"), "p", str(self.there))
        return await self.barrier(
            task, target, self.shell, self.here, changed, self.told.append, consent=True, conflict=conflict
        )

    def another(self, here: Path) -> Pushed:
        """A second workspace that goes to the same root."""
        here.mkdir()
        return Pushed(here, self.there, LocalShell(self.shell.cwd, self.shell.shell))

    def write(self, path: str, text: str | bytes, *, executable: bool = False) -> Path:
        file = self.here / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o755 if executable else 0o644)
        return file

    def alike(self) -> None:
        assert tree(self.there) == tree(self.here)


@pytest.fixture(params=SHELLS)
def any_shell(request: pytest.FixtureRequest) -> list[str]:
    command: list[str] = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.fail(f"install {command[0]}: the scripts of a push must work in it")
    return command


@pytest.fixture
def pushed(tmp_path: Path) -> Pushed:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return Pushed(here, there, LocalShell(tmp_path))


@pytest.fixture
def pushed_by(any_shell: list[str], pushed: Pushed) -> Pushed:
    """The same, once for each shell."""
    pushed.shell.shell = any_shell
    return pushed
