"""What a person should learn about watching: `WatchNotice`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME_CHARS = 40
_MOST_OF_A_RUN = 3  # many files may be unpacked beside it


class NoticeKind(StrEnum):
    """What it is about."""

    LOOP = "loop"
    POLLING = "polling"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class WatchNotice:
    """A sentence for the user; `advice`, which goes on with it, where there is room for more."""

    kind: NoticeKind
    message: str
    watch: str | None = None
    files: tuple[Path, ...] = ()
    advice: str = ""

    @property
    def in_full(self) -> str:
        """The sentence with its advice."""
        return f"{self.message}; {self.advice}" if self.advice else self.message


class LoopNotices:
    """Tells of each file once that a run of its watch wrote it, in few words for each run."""

    def __init__(self) -> None:
        self._told: set[tuple[str, Path]] = set()
        self._of_run: dict[str, int] = {}

    def run_started(self, watch: str) -> None:
        """A run of this watch began."""
        self._of_run.pop(watch, None)

    def notice(self, watch: str, files: list[Path], shown: Callable[[Path], str]) -> WatchNotice | None:
        """`files` are held to be the output of the run that they would start; None where all of that has been told."""
        files = [file for file in files if (watch, file) not in self._told]
        count = self._of_run.get(watch, 0)
        if not files or count >= _MOST_OF_A_RUN:
            return None
        self._of_run[watch] = count + 1
        self._told.update((watch, file) for file in files)
        called = watch if len(watch) <= _NAME_CHARS else f"{watch[: _NAME_CHARS - 1]}…"
        if len(files) == 1:
            said = f"{shown(files[0])} looks like {called}'s output: it starts no run"
            advice = "if it is, list it in .gitignore"
        else:
            said = f"{shown(files[0])} and {len(files) - 1} more look like {called}'s output: they start no run"
            advice = "if they are, list them in .gitignore"
        return WatchNotice(NoticeKind.LOOP, said, watch, tuple(files), advice)


def gone_notice(folder: Path) -> WatchNotice:
    """The folder itself is gone."""
    return WatchNotice(NoticeKind.GONE, f"{folder} is not there any more; nothing starts by itself until it is back")
