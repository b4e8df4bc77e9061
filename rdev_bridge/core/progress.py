"""How far a sync is, in words and in percent: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdev_bridge.model import SyncProgress

PATIENCE_S = 0.4
"""A sync that takes no longer is not worth a word."""

_MB = 1_000_000


def in_words(progress: SyncProgress) -> str:
    """`bringing 5,000 files, 12.5 of 200.0 MB`."""
    match progress.phase:
        case "scan":
            return f"reading files, {progress.done_bytes / _MB:.1f} MB" if progress.done_bytes else "reading files"
        case "upload":
            done, total = progress.done_bytes / _MB, progress.total_bytes / _MB
            return f"bringing {_files(progress.files)}, {done:.1f} of {total:.1f} MB"
        case "apply":
            return f"putting {_files(progress.files)} in place" if progress.files else "putting files in place"
        case "command":
            return "sync command runs"
        case _:
            return ""


def percent(progress: SyncProgress) -> int:
    """Of the whole, 0 to 100; only the upload moves it."""
    if progress.phase != "upload" or not progress.total_bytes:
        return 0 if progress.phase in ("scan", "upload", "command") else 100
    return min(100, progress.done_bytes * 100 // progress.total_bytes)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
