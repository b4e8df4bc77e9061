"""From the start call to the end of one command: its output to the relay, its end to an `Ending`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from rdev_bridge.model import Outcome
from rdev_bridge.remote.items import (
    CancelWay,
    Completed,
    ConnectionChanged,
    LinesMissing,
    OutputArrived,
    StreamFailed,
    StreamLost,
)
from rdev_bridge.runs.live import Ending

if TYPE_CHECKING:
    from rdev_bridge.remote.connect import Connector, RemoteCommand
    from rdev_bridge.remote.items import CancelResult, CommandSpec
    from rdev_bridge.runs.live import LiveRun
    from rdev_bridge.runs.relay import Audience, Relay

Final = Completed | StreamFailed | StreamLost

_START_PATIENCE_S = 2.0
_TAIL_S = 10.0


async def start_command(live: LiveRun, connector: Connector, spec: CommandSpec) -> RemoteCommand:
    """Start it, and keep on disk how to find it again. Raises RdevError, EndedEarlyError.

    A start call that is under way when the run's end is asked for gets a little time to be answered, so that what it
    started can be ended.
    """
    command = await live.unless_ended(connector.start(spec), patience_s=_START_PATIENCE_S)
    live.binding = command.binding
    live.save()
    live.started.set()
    return command


async def follow_to_end(live: LiveRun, command: RemoteCommand, relay: Relay, after: str | None) -> Ending:
    """Relay the stream after `after` until the command is over, or known dead after its end was asked for."""
    pump = asyncio.create_task(_pump(command, relay, live.audience, after), name=f"stream of {live.run_id}")
    ender = asyncio.create_task(_end_when_wanted(live, command), name=f"end of {live.run_id}")
    try:
        await asyncio.wait({pump, ender}, return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            return await _after_stream(live, command, pump.result(), ender)
        return await _after_cancel(live, ender.result(), pump, relay)
    finally:
        for task in (pump, ender):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _pump(command: RemoteCommand, relay: Relay, audience: Audience, after: str | None) -> Final:
    position = after
    stream = command.follow(after)
    try:
        async for item in stream:
            match item:
                case OutputArrived():
                    position = item.position
                    await relay.arrived(item.chunks, item.position)
                case LinesMissing():
                    await relay.missing(item.missing, position)
                case ConnectionChanged():
                    await audience.connection_changed(item.connection)
                case Completed() | StreamFailed() | StreamLost():
                    await relay.ended()
                    return item
    finally:
        await stream.aclose()
    raise AssertionError("a stream ends with its end")


async def _end_when_wanted(live: LiveRun, command: RemoteCommand) -> CancelResult:
    outcome = await live.end_wanted()
    live.folder.note_end(outcome)
    return await command.cancel(live.grace_s)


async def _after_stream(
    live: LiveRun, command: RemoteCommand, final: Final, ender: asyncio.Task[CancelResult]
) -> Ending:
    match final:
        case StreamFailed(message):
            return Ending(Outcome.ERROR, message=message)
        case StreamLost(message) if live.wanted_end is None:
            return Ending(Outcome.LOST, message=message)
        case Completed(exit_code, duration_ms) if (live.wanted_end or live.folder.noted_end()) is None:
            outcome = Outcome.SUCCEEDED if exit_code == 0 else Outcome.FAILED
            return Ending(outcome, exit_code, duration_ms)
        case Completed():
            # The server of ours ends the stream when nothing is left; elsewhere the script says so.
            wanted = live.wanted_end or live.folder.noted_end() or Outcome.CANCELLED
            if live.wanted_end is None or command.binding.cancel_way is CancelWay.DELETE:
                return Ending(wanted)
    return _ending_of(live, await ender)


async def _after_cancel(live: LiveRun, result: CancelResult, pump: asyncio.Task[Final], relay: Relay) -> Ending:
    """It is dead; what it said before it died may still be on its way, and a face may take its time with it."""
    while result.dead and not pump.done():
        await asyncio.wait({pump}, timeout=_TAIL_S)
        if not relay.is_handing_on:
            break
    return _ending_of(live, result)


def _ending_of(live: LiveRun, result: CancelResult) -> Ending:
    wanted = live.wanted_end or Outcome.CANCELLED
    if result.dead:
        return Ending(wanted)
    return Ending(Outcome.LOST, message=f"cancelled, but whether it is dead is not known: {result.message}")


def ending_before_start(live: LiveRun) -> Ending:
    """The end of a run whose command never came to be."""
    return Ending(live.wanted_end or Outcome.CANCELLED, message="it was ended before its command started")
