"""One run from its beginning to its end: its output to the relay, its end to an `Ending`."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import Outcome
from rdev_bridge.remote.client import AnswerLostError
from rdev_bridge.remote.items import (
    CancelWay,
    Completed,
    ConnectionChanged,
    LinesMissing,
    OutputArrived,
    StreamFailed,
    StreamLost,
    waiting_for,
)
from rdev_bridge.remote.shell import ToldShell
from rdev_bridge.runs.assemble import Assembler
from rdev_bridge.runs.dependencies import run_dependencies
from rdev_bridge.runs.live import EndedEarlyError, Ending
from rdev_bridge.runs.log import LogWriter
from rdev_bridge.runs.relay import Relay

if TYPE_CHECKING:
    from rdev_bridge.core.resume import Wait
    from rdev_bridge.remote.connect import Connector
    from rdev_bridge.remote.items import CancelResult, CommandSpec
    from rdev_bridge.remote.running import RemoteCommand
    from rdev_bridge.runs.live import LiveRun
    from rdev_bridge.runs.relay import Audience
    from rdev_bridge.runs.runner import Runner

Final = Completed | StreamFailed | StreamLost

_log = logging.getLogger(__name__)
_START_PATIENCE_S = 0.5
"""Well below the time that a bridge has for its own end, so that what was started can still be ended then."""
_TAIL_S, _UNHEARD_S = 10.0, 1.0
"""Of a dead command's stream on which nothing comes, and of one that is not open: then its end is not waited for."""


async def carry_out(runner: Runner, live: LiveRun) -> Ending:
    """All that a run is: dependencies, sync, the command. Raises nothing but the bridge's own end."""
    relay = Relay(live.audience, live.counted, Assembler())
    sending = False
    try:
        assert live.request is not None
        assert live.spec is not None
        if live.needs is not None:
            failed = await run_dependencies(runner, live, live.needs, live.request)
            if failed is not None:
                return failed
        connector = await live.unless_ended(runner.around.connector(live.target))
        synced = await live.unless_ended(
            runner.around.synchronise(
                live.request,
                live.target,
                ToldShell(connector, lambda wait: _pause(live, wait)),
                lambda done: live.audience.sync_progressed(live.run, done),
            )
        )
        live.note(synced)
        relay.writer = LogWriter(live.folder.path)
        sending = True
        command = await start_command(live, connector, live.spec)
        return await follow(live, command, relay, None)
    except EndedEarlyError:
        return Ending(live.wanted_end or Outcome.CANCELLED, message="it was ended before its command started")
    except (RdevError, UsageError) as error:
        may_run = live.binding is not None or (sending and isinstance(error, AnswerLostError))
        outcome = Outcome.LOST if may_run else Outcome.ERROR
        return Ending(outcome, message=str(error), reason=getattr(error, "reason", None))
    except Exception as error:
        _log.exception("run %s broke", live.run_id)
        outcome = Outcome.ERROR if live.binding is None else Outcome.LOST
        return Ending(outcome, message=f"the bridge failed: {error}")
    finally:
        relay.close()


async def follow(
    live: LiveRun,
    command: RemoteCommand,
    relay: Relay,
    after: str | None,
    replaying: asyncio.Task[None] | None = None,
) -> Ending:
    """Relay the rest of a command that runs; the owner of the run minds its limit, from the command's start on.

    `replaying` is what the relay has to do first. The run's end can be asked for meanwhile, and its limit ends it.
    """
    timer = None
    left_s = live.time_left_s()
    if left_s is not None and live.folder.is_mine:
        timer = asyncio.get_running_loop().call_later(left_s, live.end, Outcome.TIMED_OUT)
    try:
        return await _follow_to_end(live, command, relay, after, replaying)
    except OSError as error:
        result = await command.cancel(live.grace_s)
        ended = "and was ended" if result.dead else "and may still be running"
        return Ending(Outcome.LOST, message=f"cannot keep its output, {ended}: {error}")
    finally:
        if timer is not None:
            timer.cancel()


async def start_command(live: LiveRun, connector: Connector, spec: CommandSpec) -> RemoteCommand:
    """Start it, and keep on disk how to find it again. Raises AnswerLostError, RdevError, EndedEarlyError.

    A start call that is under way when the run's end is asked for gets a little time to be answered; then what it may
    have started is ended without its answer.
    """
    starting = connector.start(spec, lambda wait: _pause(live, wait))
    command = await live.unless_ended(starting, patience_s=_START_PATIENCE_S)
    live.binding, live.command_started_at = command.binding, datetime.now(UTC)
    live.save()
    live.started.set()
    return command


async def _pause(live: LiveRun, wait: Wait) -> None:
    """The server cannot take a call yet: say so, and wait. Raises EndedEarlyError."""
    await live.audience.connection_changed(waiting_for(live.target.server.name, wait, is_start=True))
    await live.pause(wait.delay_s)


async def _follow_to_end(
    live: LiveRun, command: RemoteCommand, relay: Relay, after: str | None, replaying: asyncio.Task[None] | None
) -> Ending:
    """Relay the stream after `after` until the command is over, or known dead after its end was asked for."""
    pumping = _pump(command, relay, live.audience, after, replaying)
    pump = asyncio.create_task(pumping, name=f"stream of {live.run_id}")
    ender = asyncio.create_task(_end_when_wanted(live, command), name=f"end of {live.run_id}")
    try:
        await asyncio.wait({pump, ender}, return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            return await _after_stream(live, command, pump.result(), ender)
        return await _after_cancel(live, command, ender.result(), pump, relay)
    finally:
        pump.cancel()
        ender.cancel()
        await asyncio.gather(pump, ender, return_exceptions=True)  # what either raised was raised above, or is moot


async def _pump(
    command: RemoteCommand, relay: Relay, audience: Audience, after: str | None, replaying: asyncio.Task[None] | None
) -> Final:
    if replaying is not None:
        await replaying
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
    try:
        live.folder.note_end(outcome)
    except OSError as error:  # then another bridge that follows it may call the end another name
        _log.warning("the end of %s cannot be written down: %s", live.run_id, error)
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


async def _after_cancel(
    live: LiveRun, command: RemoteCommand, result: CancelResult, pump: asyncio.Task[Final], relay: Relay
) -> Ending:
    """It is dead; what it said before it died may still be on its way, and a face may take its time with it."""
    while result.dead and live.is_heard and not pump.done():
        before, was_heard = relay.offset, command.is_heard
        await asyncio.wait({pump}, timeout=_TAIL_S if was_heard else _UNHEARD_S)
        has_opened = command.is_heard and not was_heard
        if relay.offset == before and not relay.is_handing_on and not has_opened:
            break
    return _ending_of(live, result)


def _ending_of(live: LiveRun, result: CancelResult) -> Ending:
    wanted = live.wanted_end or Outcome.CANCELLED
    if result.dead:
        return Ending(wanted)
    return Ending(Outcome.LOST, message=f"cancelled, but whether it is dead is not known: {result.message}")
