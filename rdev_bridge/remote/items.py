"""What the room gives to its neighbours: the items of a stream, and what it takes to find a command again."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.errors import RdevError
from rdev_bridge.model import Connection, ConnectionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdev_bridge.core.resume import Wait
    from rdev_bridge.model import Chunk

Position = str
"""The id of the last event whose content was delivered; what a later `follow` goes on from."""


class OutputArrived(msgspec.Struct, frozen=True):
    """Output in the order the server sent it. `position` is where to resume once it was dealt with.

    `position` is None on a server that numbers nothing: there a broken stream cannot be resumed.
    """

    chunks: list[Chunk]
    position: Position | None


class LinesMissing(msgspec.Struct, frozen=True):
    """The server can no longer send `missing` lines at this place (None: it does not know how many)."""

    missing: int | None


class ConnectionChanged(msgspec.Struct, frozen=True):
    """How the stream is doing, for a person."""

    connection: Connection


class Completed(msgspec.Struct, frozen=True):
    """The command ended. `exit_code` is the server's word, `duration_ms` too where it said one."""

    exit_code: int
    duration_ms: int | None


class StreamFailed(msgspec.Struct, frozen=True):
    """The server says that the command never ran."""

    message: str


class StreamLost(msgspec.Struct, frozen=True):
    """The end of the command cannot be learnt; it may still be running."""

    message: str


StreamItem = OutputArrived | LinesMissing | ConnectionChanged | Completed | StreamFailed | StreamLost


class CommandSpec(msgspec.Struct, frozen=True):
    """What the shell should do: `command` is shell text, `cwd` a folder on the server (relative to the project's)."""

    command: str
    cwd: str | None = None
    env: Mapping[str, str] = msgspec.field(default_factory=dict)


class CancelWay(StrEnum):
    """How a command is ended: the server's own call, or a script through `/shell`."""

    DELETE = "delete"
    SCRIPT = "script"


class Binding(msgspec.Struct, frozen=True):
    """What must be kept to find a command again. `token` marks its processes; it opens nothing."""

    stream_id: str
    token: str
    cancel_way: CancelWay

    def to_wire(self) -> dict[str, Any]:
        """Plain JSON, for the disk."""
        return {"streamId": self.stream_id, "token": self.token, "cancel": self.cancel_way.value}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Binding:
        """The inverse of `to_wire`; raises RdevError where the file holds something else."""
        try:
            return cls(str(wire["streamId"]), str(wire["token"]), CancelWay(wire["cancel"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RdevError(f"the run's record does not say how to find it: {error}", reason="badRecord") from None


class CancelResult(msgspec.Struct, frozen=True):
    """`dead` says that no process of the command is left. Where that could not be learnt, `message` says why."""

    dead: bool
    message: str | None = None


class ShellAnswer(msgspec.Struct, frozen=True):
    """The end of a helper script: its output as text, and its exit code."""

    stdout: str
    stderr: str
    exit_code: int


def waiting_for(server: str, wait: Wait, *, is_start: bool = False) -> Connection:
    """What people are told while the next try is waited for."""
    state = ConnectionState.RECONNECTING if wait.reached else ConnectionState.OFFLINE
    return Connection(server, state, wait.attempt, round(wait.delay_s * 1000), wait.why, is_start)
