"""Single keys from a terminal, which is given back as it was, whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import tty
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Keys:
    """Calls `on_key` for each key typed on `fd` while it is entered; does nothing where `fd` is no terminal of ours.

    Lines and echo are off, signals stay on: Ctrl-C and Ctrl-Z work. On Ctrl-Z the terminal is given back before the
    process stops and taken again when it goes on; `on_resume` is called then.
    """

    def __init__(self, fd: int, on_key: Callable[[str], None], on_resume: Callable[[], None]) -> None:
        self._fd, self._on_key, self._on_resume = fd, on_key, on_resume
        self._before: list[Any] | None = None
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Keys:
        if os.isatty(self._fd):
            self._loop.add_signal_handler(signal.SIGTSTP, self._stop)
            self._loop.add_signal_handler(signal.SIGCONT, self._go_on)
            self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()
        if os.isatty(self._fd):
            self._loop.remove_signal_handler(signal.SIGTSTP)
            self._loop.remove_signal_handler(signal.SIGCONT)

    @property
    def heard(self) -> bool:
        """Whether somebody can type to us now."""
        return self._before is not None

    def attend(self) -> None:
        """Take the terminal where it has become ours: `fg` tells a job that was running nothing."""
        if os.isatty(self._fd):
            self._take()

    @property
    def _is_ours(self) -> bool:
        """Whether we may read and set the terminal; in the background either would stop the process."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return True  # it controls no session of ours (`setsid`), so there is no background

    def _take(self) -> None:
        """Switch to single keys, where we may."""
        if self._before is not None or not self._is_ours:
            return
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd, termios.TCSANOW)
        self._loop.add_reader(self._fd, self._read)

    def give_back(self) -> None:
        """Set the terminal as it was found; may be called at any time, also twice."""
        if self._before is None:
            return
        self._loop.remove_reader(self._fd)
        before, self._before = self._before, None
        if self._is_ours:
            termios.tcsetattr(self._fd, termios.TCSANOW, before)

    def _read(self) -> None:
        try:
            typed = os.read(self._fd, 64)
        except OSError:
            typed = b""
        if not typed:  # the terminal is gone; SIGHUP says the rest
            self._loop.remove_reader(self._fd)
        if not typed.startswith(b"\x1b"):  # arrows and the like are no letters
            for key in typed.decode("ascii", "ignore"):
                self._on_key(key.lower())

    def _stop(self) -> None:
        self.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        self._take()
        self._on_resume()
