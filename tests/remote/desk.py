"""What the tests of a stream share: a target, a quick policy, and a place to gather what was followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdev_bridge.core.resume import Policy
from rdev_bridge.model import Connection, RemoteServer, Secret, Target
from rdev_bridge.remote.connect import Connector, open_server
from rdev_bridge.remote.items import (
    Binding,
    CancelWay,
    Completed,
    ConnectionChanged,
    LinesMissing,
    OutputArrived,
    StreamFailed,
    StreamItem,
    StreamLost,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.foreign_server import ForeignServer

QUICK = Policy(first_delay_s=0.001, longest_delay_s=0.01, silence_s=20.0)


@dataclass
class Followed:
    """A stream as it was followed: lines as (stream, text), what was told, and the end."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    missing: list[int | None] = field(default_factory=list)
    told: list[Connection] = field(default_factory=list)
    positions: list[str | None] = field(default_factory=list)
    ends: list[StreamItem] = field(default_factory=list)

    @property
    def end(self) -> StreamItem:
        assert len(self.ends) == 1, f"a stream ends once, not {self.ends}"
        return self.ends[0]

    def note(self, item: StreamItem) -> None:
        match item:
            case OutputArrived(chunks, position):
                self.lines += [(chunk.stream.value, line) for chunk in chunks for line in chunk.lines]
                self.positions.append(position)
            case LinesMissing(missing):
                self.missing.append(missing)
            case ConnectionChanged(connection):
                self.told.append(connection)
            case Completed() | StreamFailed() | StreamLost():
                self.ends.append(item)


async def gather(items: AsyncIterator[StreamItem]) -> Followed:
    followed = Followed()
    async for item in items:
        followed.note(item)
    return followed


def connect(server: ForeignServer, url: str | None = None, policy: Policy = QUICK) -> Connector:
    """A connector to `server`, by way of `url` where a proxy stands in front of it."""
    target = Target(RemoteServer("work", url or server.url), server.project)
    return open_server(target, key=Secret(server.key), policy=policy, jitter=lambda: 0.5)


def bound(stream_id: str) -> Binding:
    return Binding(stream_id, "0" * 32, CancelWay.SCRIPT)
