"""The two errors a user can meet; every message says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class RdevError(Exception):
    """Something outside went wrong (server, network, disk). The terminal exits 125, JSON-RPC answers -32803.

    `reason` is a stable word for programs, the message (`problem`, then `advice`, if any) is for people.
    """

    def __init__(self, problem: str, *, reason: str = "failed", advice: str | None = None) -> None:
        super().__init__(f"{problem}; {advice}" if advice else problem)
        self.problem, self.reason, self.advice = problem, reason, advice


class UsageError(Exception):
    """The user's input is wrong. The terminal exits 2, JSON-RPC answers -32602."""


class SettingsError(UsageError):
    """A configuration file is wrong. `line` and `column` count from 1, `key` is dotted (`tasks.test.timeout`)."""

    def __init__(
        self,
        problem: str,
        *,
        path: Path | None = None,
        line: int | None = None,
        column: int | None = None,
        key: str | None = None,
    ) -> None:
        self.problem, self.path, self.line, self.column, self.key = problem, path, line, column, key
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(": ".join(part for part in (place, key, problem) if part))
