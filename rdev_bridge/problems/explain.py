"""Why a line did not match: which pattern came how far in it, and what did not fit there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rdev_bridge.problems.block import Block
from rdev_bridge.problems.regex import compile_js, compile_re2

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rdev_bridge.problems.definition import Definition, Pattern
    from rdev_bridge.problems.regex import Regex

_LOOKS_LIKE_A_PROBLEM = r"[^\s:(|]*[./\\][^\s:(|]*[:(|]\d+|, line \d+|^\s*(?:fatal )?(?:error|warning)\b"


@dataclass(frozen=True, slots=True)
class Miss:
    """One line (its number counts from 1) that came to nothing, and why."""

    line: int
    text: str
    reason: str


class Explainer:
    """One output in any portions: the lines that look like a problem, or that a pattern of several took, in vain."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._patterned = [one for one in definitions if one.patterns and one.parser is None]
        self._firsts = [one.patterns[0].regex for one in definitions if one.patterns]
        self._readers: list[Any] = [one.parser() for one in definitions if one.parser is not None]
        self._keep = max((len(one.patterns) for one in self._patterned), default=1) - 1
        self._lines: list[str] = []  # those that may still begin a problem
        self._taken: set[int] = set()
        self._next = 1

    def feed(self, lines: Sequence[str], ends: Collection[int], *, last: bool) -> Iterator[Miss]:
        """`ends` are the numbers (from 1) of the lines that completed the problems found in these lines."""
        self._taken.update(end - back for end in ends for back in range(self._keep + 1))
        self._taken.update(number for number, line in enumerate(lines, self._next) if self._is_read(line))
        self._next += len(lines)
        self._lines += lines
        first = self._next - len(self._lines)
        settled = len(self._lines) if last else max(0, len(self._lines) - self._keep)
        for index in range(settled):
            if first + index not in self._taken and (reason := self._reason(index, first)):
                yield Miss(first + index, self._lines[index], reason)
        del self._lines[:settled]
        self._taken = {number for number in self._taken if number >= first + settled}

    def _is_read(self, line: str) -> bool:
        """Whether a reader goes on after the line: it made something of it."""
        for reader in self._readers:
            for _ in reader.feed(Block([line])):
                pass
        return any(reader.awake for reader in self._readers)

    def _reason(self, index: int, first: int) -> str | None:
        text = self._lines[index]
        stopped = [reason for one in self._patterned if (reason := _stopped(one.patterns, self._lines, index, first))]
        if stopped:
            return "; ".join(stopped)
        if compile_js(_LOOKS_LIKE_A_PROBLEM).match(text) is None:
            return None
        reasons = [_reason(regex, text) for regex in self._firsts]
        return max(reasons, default=(0, self._asleep()))[1]

    def _asleep(self) -> str:
        wakes = "` or `".join(reader.wake for reader in self._readers)
        return f"it stands outside of what the matcher reads, which begins with `{wakes}`"


def _stopped(patterns: Sequence[Pattern], lines: Sequence[str], index: int, first: int) -> str | None:
    """Where a matcher of several lines that began on this line stopped."""
    if len(patterns) == 1 or patterns[0].regex.match(lines[index]) is None:
        return None
    for offset, pattern in enumerate(patterns[1:], 1):
        text = lines[index + offset] if index + offset < len(lines) else None
        if text is None:
            return f"pattern 1 of {len(patterns)} matches, and the output ends before pattern {offset + 1}"
        if pattern.regex.match(text) is None:
            where = f"pattern 1 of {len(patterns)} matches; line {first + index + offset} stops pattern {offset + 1}"
            return f"{where}: {_reason(pattern.regex, text)[1]}"
    return "all patterns match, but file, line or message is empty"


def _reason(regex: Regex, text: str) -> tuple[int, str]:
    """How many pieces of `regex` fit the line, and what comes after them, in words."""
    fitting, end = 0, 0
    for count in range(1, len(regex.pieces) + 1):
        found = _beginning(regex, count).search(text)
        if found is None:
            break
        fitting, end = count, found.end()
    if fitting == len(regex.pieces):
        return fitting, "it matches, but file, line or message is empty"
    done, next_piece = "".join(js for js, _ in regex.pieces[:fitting]), regex.pieces[fitting][0]
    rest = text[end : end + 60]
    place = f"at {rest!r}" if rest else "at the end of the line"
    return fitting, f"`{next_piece}` does not fit {place}" + (f" (`{done}` does)" if done not in ("", "^") else "")


@lru_cache(maxsize=1024)
def _beginning(regex: Regex, count: int) -> Any:
    return compile_re2("".join(piece for _, piece in regex.pieces[:count]), regex.source)
