"""What a target is, and what several of them need."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW_S = 10.0
"""Of the processor's time, and far beyond what any input of a target may take: what is not linear takes longer."""


@dataclass(frozen=True)
class Target:
    """`check` raises for bytes that break its promise. `words` are what such bytes are often made of."""

    check: Callable[[bytes], None]
    words: tuple[bytes, ...]

    @property
    def promise(self) -> str:
        """What holds for all bytes."""
        return (self.check.__doc__ or "").strip()


def cuts(data: bytes) -> list[list[bytes]]:
    """A few ways for the same bytes to arrive, decided by the bytes themselves."""
    at = sum(data) % (len(data) + 1)
    return [[data], [data[:at], data[at:]], [data[i : i + 1] for i in range(len(data))]]


@contextmanager
def quick() -> Iterator[None]:
    """What is done inside must not take long."""
    began_s = time.process_time()
    yield
    took_s = time.process_time() - began_s
    assert took_s < SLOW_S, f"took {took_s:.1f} s"


def stretched(text: str, chars: int = 20_000) -> str:
    """`text` over and over: what is quadratic in it shows."""
    return text * (chars // len(text) + 1) if text else ""
