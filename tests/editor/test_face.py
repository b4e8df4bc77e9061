"""What the editor's pipe took, and what counts as delivered: over a real pipe that is read when the test says so."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rdev_bridge.editor.channel import Writer
from rdev_bridge.editor.client import Client
from rdev_bridge.editor.face import EditorFace
from rdev_bridge.editor.peer import Peer
from rdev_bridge.model import Chunk, Outcome, Run, RunState, Stream, Trigger
from rdev_bridge.runs.mark import DeliveredMark
from rdev_bridge.runs.observer import OutputBatch
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from pathlib import Path

LINES = [Chunk(Stream.STDOUT, ["x" * 1000] * 150)]  # more than a pipe holds
PIECE = [Chunk(Stream.STDOUT, ["the next line's begin"], ended=False)]


def run_of(folder: Path, run_id: str) -> Run:
    return Run(run_id=run_id, command=run_id, folder=folder, project="p", server="s", state=RunState.RUNNING,
               started_at=datetime.now(UTC), log_path=folder / "output.log")  # fmt: skip


@pytest.mark.parametrize("rdev", [True, False])
@pytest.mark.parametrize("leaves", [True, False])
async def test_nothing_is_delivered_before_the_pipe_took_it(tmp_path: Path, *, rdev: bool, leaves: bool) -> None:
    """Neither by a piece of the next line, which has no message of its own, nor by an editor that leaves."""
    far, near = os.pipe()
    writer = Writer(near, lambda: None)
    writer.start()
    face = EditorFace(Peer(writer.send, lambda: None), writer, Client(rdev=rdev), lambda: None)
    mark: DeliveredMark | None = DeliveredMark(tmp_path / "delivered")
    face.mark_of = lambda _: mark

    def offset() -> int:
        other = DeliveredMark(tmp_path / "delivered")
        try:
            return other.offset
        finally:
            other.close()

    run = run_of(tmp_path, "r")
    await face.run_started(run, Trigger())
    await face.output(run, OutputBatch(0, LINES, LINES, 150_150))
    if leaves:
        writer.abandon()
    await face.output(run, OutputBatch(150, [], PIECE, 150_171))
    assert offset() == 0
    whole = [Chunk(Stream.STDOUT, ["the next line's begin and end"])]
    await face.output(run, OutputBatch(150, whole, [Chunk(Stream.STDOUT, [" and end"])], 150_180))
    mark = None  # the run has ended, and its owner lets go of it, before the editor reads on
    os.set_blocking(far, False)

    def read() -> int:
        with contextlib.suppress(BlockingIOError):
            os.read(far, 1 << 20)
        return offset()

    await eventually_async(lambda: read() == (150_150 if leaves else 150_180))
    os.close(far)


@pytest.mark.parametrize("rdev", [True, False])
async def test_a_run_that_waited_for_another_starts_behind_its_end(tmp_path: Path, *, rdev: bool) -> None:
    """With a restart, say. A run that waited for nobody is told of ahead of what others print."""
    far, near = os.pipe()
    writer = Writer(near, lambda: None)
    writer.start()
    face = EditorFace(Peer(writer.send, lambda: None), writer, Client(rdev=rdev), lambda: None)
    old, new, free = (run_of(tmp_path, f"{name} run") for name in ("old", "new", "free"))
    flood = [Chunk(Stream.STDOUT, ["x" * 100_000])]  # more than a pipe holds
    await face.run_started(old, Trigger())
    await face.output(old, OutputBatch(0, flood, flood, 100_001))
    await face.run_started(free, Trigger())
    await face.output(old, OutputBatch(1, PIECE, PIECE, 100_022))
    ended = replace(old, state=RunState.FINISHED, outcome=Outcome.SUPERSEDED)
    await face.run_finished(ended)
    await face.run_started(new, Trigger())
    seen = b""
    while seen.count(b"new run") < 1:
        seen += os.read(far, 1 << 20)
    words = [b"free run", b"the next line", b"superseded" if rdev else b"replaced", b"new run"]
    assert [seen.index(word) for word in words] == sorted(seen.index(word) for word in words)
    os.close(far)
