"""Coming back to a run: one that has ended, one that another bridge works on, or one that was left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import Outcome, Run, RunState, Trigger, TriggerKind
from rdev_bridge.remote.items import Binding
from rdev_bridge.runs.flow import follow
from rdev_bridge.runs.live import Ending, LiveRun
from rdev_bridge.runs.log import LogReader, LogWriter
from rdev_bridge.runs.relay import Audience, Relay
from rdev_bridge.runs.replay import Replay
from rdev_bridge.runs.store import find_run

if TYPE_CHECKING:
    from rdev_bridge.runs.runner import Runner
    from rdev_bridge.runs.store import RunFolder
    from rdev_bridge.runs.stored import StoredRun

_OWNER_PATIENCE_S = 10.0
_LOOK_S = 0.05
_CLAIM_TRIES = 5


class AttachedRun(msgspec.Struct, frozen=True):
    """`seq` is the number of the first line that the observers get.

    Of a run that they are told of already, it is the number of the lines so far, the last of which may still be on
    their way.
    """

    run: Run
    seq: int


async def attach(
    runner: Runner, run_id: str, seq: int | None, audience: Audience, *, finishes_text: bool = False
) -> AttachedRun:
    """See `Runner.attach`."""
    folder, stored = find_run(run_id, runner.around.stores())
    owned = await _claimed(folder)
    if (present := runner.live.get(folder.run_id)) is not None:  # asked for twice at once: it is told once
        folder.release()
        return AttachedRun(present.run, present.run.lines)
    stored = folder.load() or stored
    finished = stored.state is RunState.FINISHED
    if not finished and stored.binding is None and not owned:
        raise RdevError(f"{folder.run_id} has not started its command yet; try again", reason="notStarted")
    reader = LogReader(folder.path)
    reader.refresh()
    mark = folder.mark()
    offset = mark.settle() if owned else mark.offset
    if owned and seq is None and not finishes_text:
        seq = mark.text.next_seq()
    target = runner.around.stored_target(stored.target, Path(stored.folder))
    run = stored.to_run(folder.log_path)
    live = LiveRun(
        run=run if finished else replace(run, lines=reader.last.seq_end),
        folder=folder,
        trigger=Trigger(TriggerKind.ATTACH),
        target=target,
        stored_target=stored.target,
        audience=audience,
        on_client_exit=stored.on_client_exit,
        timeout_s=stored.timeout_s,
        command_started_at=stored.command_started_at,
        binding=None if stored.binding is None else Binding.from_wire(stored.binding),
        mark=mark if owned else None,
    )
    if not owned:
        mark.close()
    replay = Replay(reader, offset=offset) if seq is None else Replay(reader, seq=seq)
    attached = AttachedRun(live.run, replay.seq)
    runner.adopt(live, _live(runner, live, reader, replay))
    return attached


async def _claimed(folder: RunFolder) -> bool:
    """Whether the run is ours now. Somebody who only looks whether it has an owner holds its lock for a moment, too."""
    for _ in range(_CLAIM_TRIES):
        if folder.claim():
            return True
        await asyncio.sleep(_LOOK_S / _CLAIM_TRIES)
    return False


async def _live(runner: Runner, live: LiveRun, reader: LogReader, replay: Replay) -> None:
    try:
        await live.audience.run_started(live.run, live.trigger)
        relay = Relay(live.audience, live.counted, replay.assembler, replay.offset)
        await replay.into(relay)
        if live.run.state is RunState.FINISHED:
            await relay.ended()
            await runner.retell(live)
            return
        ending = await _go_on(runner, live, reader, relay)
    except asyncio.CancelledError:
        live.let_go()
        raise
    await runner.finish(live, ending)


async def _go_on(runner: Runner, live: LiveRun, reader: LogReader, relay: Relay) -> Ending:
    if live.binding is None:
        return Ending(Outcome.LOST, message="its bridge was killed before the server had said that it started")
    try:
        if live.folder.is_mine:
            relay.writer = LogWriter(live.folder.path, reader)
        connector = await runner.around.connector(live.target)
        return await follow(live, connector.adopt(live.binding, reader.position), relay, reader.position)
    except (RdevError, UsageError) as error:
        return Ending(Outcome.LOST, message=str(error))
    finally:
        relay.close()


async def end_elsewhere(runner: Runner, run_id: str) -> Run:
    """End a run that does not belong to this bridge; returns once it is known dead. Raises RdevError, UsageError."""
    folder, stored = find_run(run_id, runner.around.stores())
    if stored.state is RunState.FINISHED:
        return stored.to_run(folder.log_path)
    if not folder.is_owned():
        return await _take_to_the_end(runner, folder.run_id)
    if stored.binding is None:
        raise RdevError(
            f"{folder.run_id} has not started yet, and waits in another bridge; cancel it there", reason="notStarted"
        )
    folder.note_end(Outcome.CANCELLED)
    try:
        target = runner.around.stored_target(stored.target, Path(stored.folder))
        connector = await runner.around.connector(target)
        reader = LogReader(folder.path)
        reader.refresh()
        result = await connector.adopt(Binding.from_wire(stored.binding), reader.position).cancel()
        if not result.dead:
            raise RdevError(f"{folder.run_id} may still be running: {result.message}", reason="notDead")
    except BaseException:
        folder.take_back_end()
        raise
    return await _told_by_owner(runner, folder, stored)


async def _told_by_owner(runner: Runner, folder: RunFolder, stored: StoredRun) -> Run:
    """The last word of the run's owner; where the owner is gone by now, ours."""
    for _ in range(int(_OWNER_PATIENCE_S / _LOOK_S)):
        stored = folder.load() or stored
        if stored.state is RunState.FINISHED:
            break
        if not folder.is_owned():
            return await _take_to_the_end(runner, folder.run_id)
        await asyncio.sleep(_LOOK_S)
    return stored.to_run(folder.log_path)


async def _take_to_the_end(runner: Runner, run_id: str) -> Run:
    """Take over a run that was left behind, and end it; nobody listens to what it still says."""
    await attach(runner, run_id, None, Audience())
    live = runner.live[run_id]
    live.end(Outcome.CANCELLED)
    return await live.wait()
