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
    await _claim(folder)
    try:
        return _attached(runner, folder, folder.load() or stored, seq, audience, finishes_text=finishes_text)
    except BaseException:
        folder.release()
        raise


def _attached(
    runner: Runner, folder: RunFolder, stored: StoredRun, seq: int | None, audience: Audience, *, finishes_text: bool
) -> AttachedRun:
    """The run lives on in `runner`, which owns it where `folder` was claimed."""
    if (present := runner.live.get(folder.run_id)) is not None:  # asked for twice at once: it is told once
        folder.release()
        return AttachedRun(present.run, present.run.lines)
    owned = folder.is_mine
    finished = stored.state is RunState.FINISHED
    if not finished and stored.binding is None and not owned:
        raise RdevError(f"{folder.run_id} has not started its command yet; try again", reason="notStarted")
    target = runner.around.stored_target(stored.target, Path(stored.folder))
    binding = None if stored.binding is None else Binding.from_wire(stored.binding)
    reader = LogReader(folder.path)
    reader.refresh()
    mark = folder.mark()
    offset = mark.settle() if owned else mark.offset
    if owned and seq is None and not finishes_text:
        seq = mark.text.next_seq()
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
        binding=binding,
        mark=mark if owned else None,
    )
    if not owned:
        mark.close()
    replay = Replay(reader, offset=offset) if seq is None else Replay(reader, seq=seq)
    attached = AttachedRun(live.run, replay.seq)
    runner.adopt(live, _live(runner, live, reader, replay))
    return attached


async def _claim(folder: RunFolder) -> None:
    """Become the owner where there is none. Somebody who only looks for one holds the lock for a moment, too."""
    for _ in range(_CLAIM_TRIES):
        if folder.claim():
            return
        await asyncio.sleep(_LOOK_S / _CLAIM_TRIES)


async def _live(runner: Runner, live: LiveRun, reader: LogReader, replay: Replay) -> None:
    relay = Relay(live.audience, live.counted, replay.assembler, replay.offset)
    try:
        await live.audience.run_started(live.run, live.trigger)
        if live.run.state is RunState.FINISHED:
            await replay.into(relay)
            await relay.ended()
            await runner.retell(live)
            return
        ending = await _go_on(runner, live, reader, relay, replay)
    except asyncio.CancelledError:
        live.let_go()
        raise
    await runner.finish(live, ending)


async def _go_on(runner: Runner, live: LiveRun, reader: LogReader, relay: Relay, replay: Replay) -> Ending:
    """What the log holds, and then the stream. Observers that take their time with the former hold up no cancel."""
    replaying = asyncio.create_task(_catch_up(live, reader, relay, replay), name=f"replay of {live.run_id}")
    try:
        if live.binding is None:
            await replaying
            return Ending(Outcome.LOST, message="its bridge was killed before the server had said that it started")
        try:
            connector = await runner.around.connector(live.target)
            command = connector.adopt(live.binding, reader.position)
            return await follow(live, command, relay, reader.position, replaying)
        except (RdevError, UsageError) as error:
            await replaying
            return Ending(Outcome.LOST, message=str(error))
    finally:
        replaying.cancel()
        await asyncio.gather(replaying, return_exceptions=True)
        relay.close()


async def _catch_up(live: LiveRun, reader: LogReader, relay: Relay, replay: Replay) -> None:
    await replay.into(relay)
    if live.folder.is_mine:
        relay.writer = LogWriter(live.folder.path, reader)


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
