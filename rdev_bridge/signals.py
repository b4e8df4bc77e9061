"""The signals that end a command of ours."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_code_for(number: int) -> int:
    """What a shell says of a process that a signal ended."""
    return 128 + number


@contextmanager
def heeded(told: Callable[[signal.Signals], object]) -> Iterator[None]:
    """While it is open, SIGINT, SIGTERM and SIGHUP are handed to `told`, in the running event loop.

    A SIGHUP that was ignored before is not: that is what `nohup` asks for. It has a handler all the same, since what is
    ignored would be so for each process that we start as well, while a handler is gone in there (execve(2)).
    """
    loop = asyncio.get_running_loop()
    has_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in _ENDING:
        if number is signal.SIGHUP and has_nohup:
            loop.add_signal_handler(number, lambda: None)
        else:
            loop.add_signal_handler(number, told, number)
    try:
        yield
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)
        if has_nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
