"""The workspace's `rdev.toml`: found, read, checked."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.core.graph import find_cycle, show_path
from rdev_bridge.core.paths import PathPair
from rdev_bridge.errors import SettingsError
from rdev_bridge.model import Task
from rdev_bridge.settings import values
from rdev_bridge.settings.schema import PATHS, TASK, WORKSPACE, check
from rdev_bridge.settings.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdev_bridge.settings.locate import KeyPath

FILE_NAME = "rdev.toml"
_ROOT = 0


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A folder and what its `rdev.toml` says; `config_file` is None where there is none.

    `digest` is the SHA-256 of that file's content in hex: trust is bound to it.
    """

    folder: Path
    project: str
    server: str | None = None
    remote_root: str | None = None
    paths: tuple[PathPair, ...] = ()
    tasks: Mapping[str, Task] = msgspec.field(default_factory=dict)
    source: Source

    @property
    def config_file(self) -> Path | None:
        """The file that was read."""
        return self.source.path if self.source.data or self.source.content else None

    @property
    def digest(self) -> str:
        """What trust is bound to."""
        return self.source.digest

    def error(self, keys: KeyPath, problem: str) -> SettingsError:
        """`problem` at the place of `keys`."""
        return self.source.error(keys, problem)


def find_root(start: Path) -> Path:
    """The nearest folder from `start` upward that holds an `rdev.toml`; `start` itself where none does.

    A file that a stranger left in a folder open to all (`/tmp/rdev.toml`) does not count from below it.
    """
    start = Path(os.path.abspath(start))  # noqa: PTH100 - takes `..` out, and keeps symbolic links as editors do
    return next((folder for folder in (start, *start.parents) if _holds_settings(folder, start)), start)


def _holds_settings(folder: Path, start: Path) -> bool:
    try:
        info = (folder / FILE_NAME).stat()
        if not stat.S_ISREG(info.st_mode):
            return False
        is_open = folder.stat().st_mode & stat.S_IWOTH
        return folder == start or not is_open or info.st_uid in {os.getuid(), _ROOT}
    except OSError:
        return False


def load_workspace(folder: Path) -> Workspace:
    """Read `folder`'s `rdev.toml`. Raises SettingsError."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - see find_root
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise SettingsError("the path of this folder is no UTF-8; give the folder another name", path=folder) from None
    return workspace_from(folder, Source.read(folder / FILE_NAME))


def workspace_from(folder: Path, source: Source) -> Workspace:
    """The same from a file that was read. Raises SettingsError."""
    found = check(source, (), source.data, WORKSPACE)
    tasks = {name: _task(source, folder, name, table) for name, table in found.get("tasks", {}).items()}
    _check_dependencies(source, tasks)
    return Workspace(
        folder=folder,
        project=found.get("project") or values.project_of(folder.name),
        server=found.get("server"),
        remote_root=found.get("remote_root"),
        paths=tuple(_pair(source, n, folder, table) for n, table in enumerate(found.get("paths", ()))),
        tasks=tasks,
        source=source,
    )


def _pair(source: Source, number: int, folder: Path, table: Any) -> PathPair:
    keys: KeyPath = ("paths", number)
    found = check(source, keys, table, PATHS)
    if not Path(os.path.normpath(folder / found["local"])).is_relative_to(folder):
        raise source.error((*keys, "local"), "must be inside the workspace: nothing outside of it is ever opened")
    return PathPair(found["remote"], found["local"])


def _task(source: Source, folder: Path, name: str, table: Any) -> Task:
    keys: KeyPath = ("tasks", name)
    if not name.strip() or name.startswith("-") or not name.isprintable() or len(name) > 100:
        raise source.error(keys, 'a task\'s name is up to 100 printable characters and begins with no "-"')
    found = check(source, keys, table, TASK)
    if "timeout" in found:
        found["timeout_s"] = found.pop("timeout")
    return Task(name=name, folder=folder, location=source.location(keys), **found)


def _check_dependencies(source: Source, tasks: Mapping[str, Task]) -> None:
    for task in tasks.values():
        for number, name in enumerate(task.depends_on):
            if name not in tasks:
                problem = f'there is no task "{name}"{values.nearest(name, tasks)}'
                raise source.error(("tasks", task.name, "depends_on", number), problem)
    cycle = find_cycle({task.name: task.depends_on for task in tasks.values()})
    if cycle:
        keys = ("tasks", cycle[0], "depends_on")
        raise source.error(keys, f"the tasks wait for each other: {show_path(cycle)}")
