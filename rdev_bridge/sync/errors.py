"""Why a sync could not be done; the run that waited for it never starts."""

from __future__ import annotations

from rdev_bridge.core.shown import named
from rdev_bridge.errors import RdevError


class SyncError(RdevError):
    """The workspace could not be brought over. The message says why and what to do."""

    def __init__(self, message: str, *, reason: str = "syncFailed") -> None:
        super().__init__(message, reason=reason)


_CHOICE = "; --sync-conflict=ours overwrites them with yours, --sync-conflict=theirs leaves them as they are there"


class SyncConflictError(SyncError):
    """Files that this push would overwrite or delete changed on the server. Nothing was written."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths
        count = "1 file" if len(paths) == 1 else f"{len(paths)} files"
        super().__init__(
            f"{count} changed on the server since the last push: {named(paths)}; nothing was pushed{_CHOICE}",
            reason="syncConflict",
        )


def without_choice(message: str) -> str:
    """What a `SyncConflictError` tells, for where the choice is offered by keys or buttons and not by options."""
    return message.removesuffix(_CHOICE)
