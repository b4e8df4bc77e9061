"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0
"""On a machine that does much else at once the smallest thing can take many seconds. What hangs, hangs for ever."""


def eventually(predicate: Callable[[], object], timeout_s: float = PATIENCE_S, what: str = "the condition") -> None:
    """Return once `predicate()` is true; fail the test after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
        time.sleep(0.01)


async def eventually_async(
    predicate: Callable[[], object], timeout_s: float = PATIENCE_S, what: str = "the condition"
) -> None:
    """The same for a test that shares its event loop with what it waits for."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
        await asyncio.sleep(0.01)
