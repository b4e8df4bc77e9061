"""Whether git is in the middle of changing files: it holds its index lock then."""

from __future__ import annotations

import os

_PATIENCE_S = 30.0


class GitLock:
    """The lock of one repository; None where there is none. Times are seconds of one monotonic clock."""

    def __init__(self, git_dir: str | None) -> None:
        self._path = f"{git_dir}/index.lock" if git_dir else None
        self._since_s: float | None = None

    @property
    def was_held(self) -> bool:
        """What the last look saw."""
        return self._since_s is not None

    def is_held(self, now_s: float) -> bool:
        """Look; one that stays for long is taken for a lock that was left behind."""
        if self._path is None or not os.path.exists(self._path):  # noqa: PTH110
            self._since_s = None
            return False
        self._since_s = now_s if self._since_s is None else self._since_s
        return now_s - self._since_s < _PATIENCE_S
