"""The clock of the file system and the clock of the event loop, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCK_LOOKS, _SAME_MOMENT_S = 5, 0.0005


def both_clocks(clock: Callable[[], float], wall: Callable[[], float]) -> tuple[float, float]:
    """What the two show at the same moment. Where a busy machine takes its time between two looks, it is looked again.

    Else a file that a run wrote could seem to be older than the run, and start it for ever.
    """
    for _ in range(_CLOCK_LOOKS):
        before_s, wall_s, after_s = clock(), wall(), clock()
        if after_s - before_s < _SAME_MOMENT_S:
            break
    return after_s, wall_s
