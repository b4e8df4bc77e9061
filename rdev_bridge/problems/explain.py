"""Why a line did not match: which pattern came how far in it, and what did not fit there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rdev_bridge.problems.regex import compile_js, compile_re2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdev_bridge.problems.definition import Definition, Pattern
    from rdev_bridge.problems.regex import Regex

_LOOKS_LIKE_A_PLACE = r"[^\s:(]*[./\\][^\s:(]*[:(]\d+|, line \d+"


@dataclass(frozen=True, slots=True)
class Miss:
    """One line (its number counts from 1) that came to nothing, and why."""

    line: int
    text: str
    reason: str


def near_misses(definitions: Sequence[Definition], lines: Sequence[str], taken: set[int], first: int = 1) -> list[Miss]:
    """The lines that name a place, or that a pattern of several took, and that made no problem.

    `taken` are the numbers of the lines that belong to problems; the first of `lines` has the number `first`.
    """
    misses = []
    patterned = [one for one in definitions if one.patterns]
    read = _read(definitions, lines, {number - first for number in taken})
    for index, text in enumerate(lines):
        if first + index in taken or index in read or not text.strip():
            continue
        stopped = [reason for one in patterned if (reason := _stopped(one.patterns, lines, index, first))]
        if stopped:
            misses.append(Miss(first + index, text, "; ".join(stopped)))
        elif compile_js(_LOOKS_LIKE_A_PLACE).match(text):
            reasons = [_reason(one.patterns[0].regex, text) for one in patterned]
            misses.append(Miss(first + index, text, max(reasons, default=(0, _asleep(definitions)))[1]))
    return misses


def _read(definitions: Sequence[Definition], lines: Sequence[str], taken: set[int]) -> set[int]:
    """The indexes of lines that a reader took: what woke it, and from there (or from the last problem) to a problem."""
    wakes = [compile_js(wake) for one in definitions if (wake := _wake(one)) is not None]
    read, begun, before = set[int](), None, None
    for index, text in enumerate(lines) if wakes else ():
        if any(wake.match(text) is not None for wake in wakes):
            read.add(index)
            begun = index if begun is None else begun
        if index in taken:
            first = begun if begun is not None else index if before is None else before
            read.update(range(first, index + 1))
            begun, before = None, index
    return read


def _wake(definition: Definition) -> str | None:
    """What wakes a definition's reader."""
    return getattr(definition.parser(), "wake", None) if definition.parser else None


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


def _asleep(definitions: Sequence[Definition]) -> str:
    wakes = [wake for one in definitions if (wake := _wake(one))]
    return f"it stands outside of what the matcher reads, which begins with `{'` or `'.join(wakes)}`"
