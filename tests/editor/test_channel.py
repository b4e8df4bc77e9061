"""The two lanes to the editor, over a real pipe that is read when the test says so."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.editor.channel import OUTPUT_ROOM, Reader, Writer
from rdev_bridge.editor.frames import FrameDecoder
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pipe:
    """A writer and the far end of its pipe."""

    def __init__(self) -> None:
        self.far, self.near = os.pipe()
        self.broken = asyncio.Event()
        self.writer = Writer(self.near, self.broken.set)
        self.writer.start()
        self._decoder = FrameDecoder()

    async def read(self, count: int) -> list[bytes]:
        got: list[bytes] = []
        while len(got) < count:
            data = await asyncio.to_thread(os.read, self.far, 1 << 20)
            got += [body for body in self._decoder.feed(data) if isinstance(body, bytes)]
        return got


@pytest.fixture
def pipes() -> Iterator[list[Pipe]]:
    made: list[Pipe] = []
    yield made
    for pipe in made:
        os.close(pipe.far)


def opened(pipes: list[Pipe]) -> Pipe:
    pipes.append(Pipe())
    return pipes[-1]


async def test_output_waits_for_room_and_control_does_not(pipes: list[Pipe]) -> None:
    pipe = opened(pipes)
    delivered: list[int] = []
    body = b"o" * 50_000

    async def flood() -> None:
        for number in range(40):
            await pipe.writer.send_output(body, lambda number=number: delivered.append(number))  # type: ignore[misc]

    task = asyncio.create_task(flood())
    await eventually_async(lambda: pipe.writer._output_bytes >= OUTPUT_ROOM)
    assert not task.done()
    assert pipe.writer._output_bytes < OUTPUT_ROOM + 2 * len(body)
    pipe.writer.send(b"control")
    got = await pipe.read(41)
    await task
    assert got.index(b"control") < 4, "it went ahead of all output but what was being written"
    assert got.count(body) == 40
    await eventually_async(lambda: len(delivered) == 40)
    assert delivered == list(range(40))


async def test_messages_of_each_lane_keep_their_order(pipes: list[Pipe]) -> None:
    pipe = opened(pipes)
    for number in range(100):
        pipe.writer.send(b"c%d" % number)
        await pipe.writer.send_output(b"o%d" % number)
    got = await pipe.read(200)
    assert [body for body in got if body.startswith(b"c")] == [b"c%d" % number for number in range(100)]
    assert [body for body in got if body.startswith(b"o")] == [b"o%d" % number for number in range(100)]


async def test_nobody_waits_once_the_editor_is_leaving(pipes: list[Pipe]) -> None:
    pipe = opened(pipes)
    delivered: list[int] = []
    tasks = [
        asyncio.create_task(pipe.writer.send_output(b"x" * OUTPUT_ROOM, lambda: delivered.append(1))) for _ in range(5)
    ]
    await eventually_async(lambda: tasks[0].done())
    assert not tasks[4].done()
    pipe.writer.abandon()
    await asyncio.gather(*tasks)
    assert delivered == []


async def test_a_closed_pipe_is_told_of_once_written_to() -> None:
    pipe = Pipe()
    os.close(pipe.far)
    pipe.writer.send(b"x")
    await pipe.broken.wait()
    pipe.writer.drain(10)


async def test_a_non_blocking_pipe_loses_nothing(pipes: list[Pipe]) -> None:
    pipe = opened(pipes)
    os.set_blocking(pipe.near, False)
    body = b"y" * 1_000_000
    pipe.writer.send(body)
    assert await pipe.read(1) == [body]


async def test_the_reader_hands_over_bytes_and_the_end() -> None:
    near, far = os.pipe()
    got: list[bytes] = []
    ended = asyncio.Event()
    Reader(near, got.append, ended.set).start()
    os.write(far, b"one")
    await eventually_async(lambda: got == [b"one"])
    os.close(far)
    await ended.wait()
    os.close(near)
