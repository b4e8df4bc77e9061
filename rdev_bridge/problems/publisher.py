"""Publishes files that changed: each at most once in an interval, at once where somebody waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rdev_bridge.problems.locate import read_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from rdev_bridge.problems.standing import PlacedProblem

_log = logging.getLogger(__name__)
_FIRST_S = 0.05  # what comes together is published together
_SLICE_FILES = 50


class Publisher:
    """`shown_on` gives what stands on a file; `settle` is awaited before each round, and True asks for one more round.

    All in one event loop.
    """

    def __init__(
        self,
        publish: Callable[[Path, Sequence[PlacedProblem]], None],
        shown_on: Callable[[Path], list[PlacedProblem]],
        settle: Callable[[], Awaitable[bool]],
        interval_s: float,
    ) -> None:
        self._publish, self._shown_on, self._settle = publish, shown_on, settle
        self._interval_s = interval_s
        self._dirty: set[Path] = set()
        self._standing: set[Path] = set()  # files on which something was published
        self._published_s: dict[Path, float] = {}
        self._woken = False
        self._pacing: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    def changed(self, paths: Iterable[Path]) -> None:
        """What stands on these files is not what was published."""
        before = len(self._dirty)
        self._dirty.update(paths)
        if len(self._dirty) > before:
            self.wake()

    def wake(self) -> None:
        """There was output: a round is due, if only to settle."""
        self._woken = True
        if self._pacing is None or self._pacing.done():
            self._pacing = asyncio.create_task(self._pace())

    async def flush(self, paths: Iterable[Path]) -> None:
        """Publish those of these files that changed, now."""
        await self._round(set(paths))

    async def aclose(self) -> None:
        """Publish nothing more."""
        if self._pacing is not None:
            self._pacing.cancel()
            await asyncio.gather(self._pacing, return_exceptions=True)

    async def _pace(self) -> None:
        await asyncio.sleep(min(_FIRST_S, self._interval_s))
        while self._woken or self._dirty:
            self._woken = False
            self._woken |= await self._settle()
            now = time.monotonic()
            waiting = {path: at for path, at in self._published_s.items() if at + self._interval_s > now}
            self._published_s = waiting
            await self._round({path for path in self._dirty if path not in waiting})
            await asyncio.sleep(self._interval_s)

    async def _round(self, due: set[Path]) -> None:
        async with self._one_at_a_time:
            files = sorted(due & self._dirty)
            self._dirty -= due
            for start in range(0, len(files), _SLICE_FILES):
                shown = [(path, self._shown_on(path)) for path in files[start : start + _SLICE_FILES]]
                shown = [(path, placed) for path, placed in shown if placed or path in self._standing]
                if any(placed for _, placed in shown):
                    shown = await asyncio.to_thread(_with_texts, shown)
                for path, placed in shown:
                    self._hand_over(path, placed)
                await asyncio.sleep(0)

    def _hand_over(self, path: Path, placed: list[PlacedProblem]) -> None:
        self._published_s[path] = time.monotonic()
        (self._standing.add if placed else self._standing.discard)(path)
        try:
            self._publish(path, placed)
        except Exception:
            _log.exception("publishing the problems of %s failed", path)


def _with_texts(shown: list[tuple[Path, list[PlacedProblem]]]) -> list[tuple[Path, list[PlacedProblem]]]:
    """The same with the lines that columns are counted on, each file read once."""
    wanted: dict[Path, set[int]] = {}
    for path, placed in shown:
        for one in placed:
            wanted.setdefault(path, set()).update((one.problem.line, one.problem.end_line or one.problem.line))
            for related in one.related:
                wanted.setdefault(related.path, set()).add(related.line)
    texts = {path: read_lines(path, lines) for path, lines in wanted.items()}
    return [(path, [_with_text(one, texts) for one in placed]) for path, placed in shown]


def _with_text(placed: PlacedProblem, texts: dict[Path, dict[int, str]]) -> PlacedProblem:
    lines = texts[placed.path]
    return replace(
        placed,
        line_text=lines.get(placed.problem.line),
        end_text=lines.get(placed.problem.end_line or placed.problem.line),
        related=tuple(replace(one, text=texts[one.path].get(one.line)) for one in placed.related),
    )
