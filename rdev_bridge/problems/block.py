"""Lines of output joined once, so that RE2 looks for candidates in all of them at the price of one search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 16 * 1024
"""Longer lines are data and not messages: they match nothing."""


class Block:
    """`lines` must hold no line feed; `first` is the number (from 0) of the first of them in the whole output."""

    def __init__(self, lines: list[str], first: int = 0) -> None:
        self.lines = lines
        self.first = first
        text = "\n".join(lines)
        if len(text) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
            self.lines = [line if len(line) <= MAX_LINE else "" for line in lines]
            text = "\n".join(self.lines)
        self._bytes = text.encode(errors="replace")

    def hits(self, line_filter: Any, start: int = 0) -> Iterator[int]:
        """The numbers of the lines from `start` on that `line_filter` (see `regex.line_filter`) finds."""
        data, number, at = self._bytes, 0, 0
        for _ in range(start):
            at = data.find(b"\n", at) + 1
            number += 1
            if at == 0:
                return
        while (found := line_filter.search(data, at)) is not None:
            where = found.start()
            number += data.count(b"\n", at, where)
            if number >= len(self.lines):
                return
            yield number
            at = data.find(b"\n", where) + 1
            if at == 0:
                return
            number += 1
