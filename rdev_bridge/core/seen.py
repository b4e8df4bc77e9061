"""Which events of a stream were seen before, and which are missing, told from their ids alone."""

from __future__ import annotations

from collections import deque
from operator import lt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_DIGITS = 18


class Verdict(msgspec.Struct):
    """`keep` is None where all of a batch is new, else one flag an event; `missing` were lost before it."""

    keep: list[bool] | None = None
    missing: int = 0


class Seen:
    """Which event ids were seen. Ids that grow as numbers need no memory; others are remembered, the newest ones.

    On a server that answers a resume from the very beginning, the first ids tell so: then everything up to the newest
    known id is old.
    """

    _FIRST = 256

    def __init__(self, after: str | None, remembered: int) -> None:
        self.ambiguous = False
        """An id came twice in one connection: ids of this server are no positions."""
        self._number = _number(after)
        self._growing = after is None or self._number is not None
        self._counting = after is None
        self._counted = 0
        self._first: set[str] = set()
        self._recent: deque[str] = deque([after] if after else [], maxlen=remembered)
        self._old: set[str] = set()
        self._resuming = False
        self._replaying = False
        self._checked = False

    def reconnected(self) -> None:
        """A new connection goes on: what it brings may be known already."""
        self._old = set() if self._growing else set(self._recent)
        self._resuming, self._replaying, self._checked = True, False, False

    def passed(self, event_id: str) -> None:
        """An id that was not content: it belongs to the count."""
        number = _number(event_id)
        if self._counting and number is not None and self._counted and number == (self._number or 0) + 1:
            self._number = number

    def admit(self, ids: Sequence[str]) -> Verdict:
        """Judge a batch by its own ids, "" for an event that carries none."""
        if not any(ids):
            return Verdict()
        if self._growing and self._plainly_grew(ids):
            return Verdict()
        if self._growing:
            verdict = self._admit_numbers(ids)
            if verdict is not None:
                return verdict
            self._growing = self._counting = False
            if self._resuming:
                self._old = set(self._recent)
        return self._admit_names(ids)

    def _plainly_grew(self, ids: Sequence[str]) -> bool:
        """The way of nearly every batch: numbers, each larger than the one before, and no gap is in question."""
        if self._resuming and not self._checked:
            return False
        numbers = _growing_numbers(ids)
        before = -1 if self._number is None else self._number
        if numbers is None or numbers[0] <= before:
            return False
        expected = numbers[0] - 1 if self._number is None else self._number
        self._counting = self._counting and numbers[-1] - expected == len(numbers)
        self._number, self._counted, self._checked = numbers[-1], self._counted + len(numbers), True
        self._recent.extend(ids)
        return True

    def _admit_numbers(self, ids: Sequence[str]) -> Verdict | None:
        """None where the ids turn out not to be growing numbers."""
        number, missing, keep = self._number, 0, []
        counting, counted, checked = self._counting, self._counted, self._checked
        for one in ids:
            if not one:
                keep.append(True)
                continue
            value = _number(one)
            if value is None:
                return None
            if number is not None and value <= number:
                if not self._resuming:
                    return None
                keep.append(False)
                continue
            if number is not None and value != number + 1 and counting:
                if self._resuming and not checked and counted > 1:
                    missing += value - number - 1
                else:
                    counting = False
            number, counted, checked = value, counted + 1, True
            keep.append(True)
        self._number, self._counting, self._counted, self._checked = number, counting, counted, checked
        self._remember(ids, keep)
        return Verdict(None if all(keep) else keep, missing)

    def _admit_names(self, ids: Sequence[str]) -> Verdict:
        keep = []
        for one in ids:
            if not one:
                keep.append(not self._replaying)
            elif one in self._old:
                self._replaying = False
                keep.append(False)
            elif self._replaying or (self._resuming and not self._checked and one in self._first):
                self._replaying = True
                keep.append(False)
            else:
                self._checked = True
                keep.append(True)
        fresh = [one for one, kept in zip(ids, keep, strict=True) if one and kept]
        self.ambiguous = (
            self.ambiguous or len(set(fresh)) != len(fresh) or bool(self._last and fresh[:1] == [self._last])
        )
        self._remember(ids, keep)
        return Verdict(None if all(keep) else keep)

    @property
    def _last(self) -> str | None:
        return self._recent[-1] if self._recent else None

    def _remember(self, ids: Sequence[str], keep: Sequence[bool]) -> None:
        fresh = [one for one, kept in zip(ids, keep, strict=True) if one and kept]
        if len(self._first) < self._FIRST:
            self._first.update(fresh[: self._FIRST])
        self._recent.extend(fresh)


def _growing_numbers(ids: Sequence[str]) -> Sequence[int] | None:
    """`ids` as numbers, each larger than the one before; None where they are anything else."""
    first = _number(ids[0])
    if first is not None:
        counted = range(first, first + len(ids))
        # What most servers do. JSON's writer spells out a million numbers in 25 ms, where str() and int() need 100; no
        # id can hold a comma, or there would be more of them.
        if ",".join(ids) == msgspec.json.encode([*counted])[1:-1].decode():
            return counted
    text = "".join(ids)
    if not (text.isascii() and text.isdigit() and all(ids) and max(map(len, ids)) <= _MOST_DIGITS):
        return None
    numbers = list(map(int, ids))
    return numbers if all(map(lt, numbers, numbers[1:])) else None


def _number(text: str | None) -> int | None:
    """`text` as a count, if that is all it is; "007" and "+7" are names."""
    if (
        not text
        or len(text) > _MOST_DIGITS
        or not (text.isascii() and text.isdigit())
        or (text[0] == "0" and text != "0")
    ):
        return None
    return int(text)
