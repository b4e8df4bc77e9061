"""One run in the foreground: what its end means for the exit code, and what signals do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from rdev_bridge.cli.main import EXIT_FAILED, EXIT_GONE
from rdev_bridge.cli.terminal import say
from rdev_bridge.model import Outcome
from rdev_bridge.signals import exit_code_for, heeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdev_bridge.model import Run
    from rdev_bridge.runs.runner import Runner

EXIT_TIMED_OUT = 124


class Foreground:
    """Waits for one run. The first signal cancels it, a second one leaves at once.

    When nobody reads our stdout any more the run is cancelled too, and we end as SIGPIPE would have ended us.
    `folder` is the workspace. `lets_go`: a signal leaves the run alone. `cancelling` is called as a signal cancels it.
    """

    def __init__(self, folder: Path, *, lets_go: bool = False) -> None:
        self._folder, self._lets_go = folder, lets_go
        self.cancelling: Callable[[], None] = lambda: None
        self._run_id = ""
        self._leaving: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._cancel: Callable[[], object] = lambda: None
        self._exit_code: int | None = None
        self._is_heard = True

    def broken(self, error: OSError) -> None:
        """Our stdout cannot be written to."""
        if not isinstance(error, BrokenPipeError):
            say(f"cannot write the output: {error.strerror}; the command is cancelled")
        if self._exit_code is None:
            self._exit_code = EXIT_GONE if isinstance(error, BrokenPipeError) else EXIT_FAILED
            self._is_heard = False
            self._cancel()

    async def until_over(self, runner: Runner, run_id: str) -> int:
        """The exit code of the run, or of the signal that ended it."""
        self._run_id = run_id
        self._cancel = lambda: runner.cancel(run_id, is_heard=self._is_heard)
        if self._lets_go:
            runner.detach(run_id)
        if self._exit_code is not None:
            self._cancel()
        waiting = asyncio.ensure_future(runner.wait(run_id))
        try:
            with heeded(self._signalled):
                both: set[asyncio.Future[Any]] = {waiting, self._leaving}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    return self._leaving.result()
                return self._code_of(waiting.result(), runner)
        finally:
            waiting.cancel()

    def _signalled(self, number: signal.Signals) -> None:
        code = exit_code_for(number)
        if self._lets_go:
            if not self._leaving.done():
                self._leaving.set_result(code)
        elif self._exit_code is None:
            self._exit_code = code
            say("cancelling…")
            self.cancelling()
            self._cancel()
        else:
            self._leave_to_another()
            os._exit(code)

    def _leave_to_another(self) -> None:
        """A process of its own sees to the end of the run, since we cannot wait for it."""
        argv = [sys.executable, "-P", "-m", "rdev_bridge", "cancel", "-C", str(self._folder), self._run_id]
        nothing = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)

    def _code_of(self, run: Run, runner: Runner) -> int:
        if run.outcome in (Outcome.LOST, Outcome.ERROR):
            say(run.message or "the run's end could not be learnt")
            failed = _failed_dependency(run, runner)
            return EXIT_FAILED if failed is None else exit_code_of(failed)
        if self._exit_code is not None and run.outcome is Outcome.CANCELLED:
            return self._exit_code
        if run.outcome is Outcome.TIMED_OUT:
            say("timed out, and was cancelled")
        elif run.outcome is Outcome.SUPERSEDED:
            say("replaced by a newer run of its task")
        elif run.outcome is Outcome.CANCELLED:
            say("cancelled")
        elif run.message:  # what a push could not bring over, or left as it is on the server
            say(run.message)
        return exit_code_of(run)


def _failed_dependency(run: Run, runner: Runner) -> Run | None:
    """The first run that this one waited for in vain: its exit code is then ours, as `make` has it."""
    children = [one for one in reversed(runner.runs()) if one.parent_run_id == run.run_id]
    return next((one for one in children if one.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)), None)


def exit_code_of(run: Run) -> int:
    """Contract, section 2. A code that no process can exit with comes as the nearest one that one can."""
    match run.outcome:
        case Outcome.SUCCEEDED | Outcome.FAILED if run.exit_code is not None:
            code = run.exit_code
            return code if 0 <= code <= 255 else 255 if code > 255 else min(exit_code_for(-code), 255)
        case Outcome.TIMED_OUT:
            return EXIT_TIMED_OUT
        case Outcome.CANCELLED:
            return exit_code_for(signal.SIGINT)
        case _:
            return EXIT_FAILED
