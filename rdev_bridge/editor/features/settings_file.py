"""When an `rdev.toml`, the `config.toml` or a folder's trust is no longer what it was: told by the editor, else seen by
looking.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rdev_bridge.errors import RdevError
from rdev_bridge.places import config_file
from rdev_bridge.trust import grant_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LOOK_EVERY_S = 2.0
_log = logging.getLogger(__name__)


class SettingsWatch:
    """Calls `changed` when the file of one of `folders`, or the user's own, came, went or was written; also when a
    folder's trust was granted or taken back, in a terminal say.
    """

    def __init__(self, folders: Sequence[Path], changed: Callable[[], None]) -> None:
        self._changed = changed
        self.set_folders(folders)

    def set_folders(self, folders: Sequence[Path]) -> None:
        """Look at these from now on; what they hold now is no change."""
        self._folders = folders
        self._stamps = self._look()

    def check(self) -> None:
        """Look now."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            self._changed()

    async def poll(self) -> None:
        """Look every now and then: no client watches the user's own files for us, and some watch none."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                self.check()
            except RdevError as error:  # the state folder cannot be used now, where trust is kept: it may be back soon
                _log.warning("cannot look for changed settings: %s", error)

    def _look(self) -> dict[Path, tuple[int, int, int] | None]:
        files = [config_file()]
        for folder in self._folders:
            files += [folder / "rdev.toml", grant_file(folder)]
        return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
