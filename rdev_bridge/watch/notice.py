"""What a person should learn about watching: `WatchNotice`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME_CHARS = 40


class NoticeKind(StrEnum):
    """What it is about."""

    LOOP = "loop"
    POLLING = "polling"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class WatchNotice:
    """A sentence for the user."""

    kind: NoticeKind
    message: str
    watch: str | None = None
    files: tuple[Path, ...] = ()


def loop_notice(watch: str, shown: str, files: tuple[Path, ...]) -> WatchNotice:
    """`files`, of which the first is called `shown`, are held to be the output of the run that they would start."""
    called = watch if len(watch) <= _NAME_CHARS else f"{watch[: _NAME_CHARS - 1]}…"
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return WatchNotice(
        NoticeKind.LOOP,
        f"{shown}{others} changed while {called} ran and looks like its own output, so it starts no new run; "
        "if you changed it, run it once more, and if it is an output, list it in .gitignore",
        watch,
        files,
    )


def gone_notice(folder: Path) -> WatchNotice:
    """The folder itself is gone."""
    return WatchNotice(NoticeKind.GONE, f"{folder} is not there any more; nothing starts by itself until it is back")
