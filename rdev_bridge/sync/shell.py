"""What push needs of a connection: to run a small script on the server and read its answer."""

from __future__ import annotations

from typing import Protocol


class Answer(Protocol):
    """The end of a script: its output as text, and its exit code."""

    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def exit_code(self) -> int: ...


class Shell(Protocol):
    """A `remote.Connector`, as far as push is concerned.

    `ask` runs `script` on the server by `sh -c` and returns when it has ended. It raises RdevError where the answer
    could not be had; the script may have run all the same, and goes on where it is not `cancellable`.
    """

    async def begin(self, script: str) -> None:
        """Start `script` and wait for nothing. Raises RdevError where it may not have been started."""

    async def ask(self, script: str, *, timeout_s: float, cancellable: bool = True) -> Answer: ...
