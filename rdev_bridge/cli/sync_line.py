"""How far a sync is, on stderr: one line that is written over on a terminal, and a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from rdev_bridge.cli.width import fitted
from rdev_bridge.core.progress import PATIENCE_S, in_words

if TYPE_CHECKING:
    from rdev_bridge.model import SyncProgress

_EVERY_S = 0.1
_PLAIN_EVERY_S = 5.0


class SyncLine:
    """A quick sync shows nothing at all."""

    def __init__(self) -> None:
        self._next_s: float | None = None
        self._shown = False

    def progressed(self, progress: SyncProgress) -> None:
        """It went on; "done" ends it."""
        if progress.phase == "done":
            self.end()
            return
        now_s, on_terminal = time.monotonic(), sys.stderr.isatty()
        if self._next_s is None:
            self._next_s = now_s + (PATIENCE_S if on_terminal else _PLAIN_EVERY_S)
        if now_s < self._next_s:
            return
        self._next_s = now_s + (_EVERY_S if on_terminal else _PLAIN_EVERY_S)
        line = f"rdev-bridge: {in_words(progress)}"
        if on_terminal:
            self._shown = True
            sys.stderr.write(f"\r\x1b[K{fitted(line)}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave no trace on a terminal."""
        self._next_s = None
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
