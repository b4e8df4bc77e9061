"""What a reader has, after its process was killed at any moment."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.runs.mark import DeliveredMark

if TYPE_CHECKING:
    from pathlib import Path


def test_it_survives_its_process_and_never_goes_back(tmp_path: Path) -> None:
    mark = DeliveredMark(tmp_path / "delivered")
    mark.advance(100)
    mark.advance(40)
    mark.close()
    assert DeliveredMark(tmp_path / "delivered").settle() == 100


@pytest.mark.parametrize(("written", "expected"), [(b"", 10), (b"abc", 13), (b"abcdef", 16)])
def test_an_interrupted_write_to_a_file_is_measured(tmp_path: Path, written: bytes, expected: int) -> None:
    output = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    os.write(output, b"before")
    mark = DeliveredMark(tmp_path / "delivered")
    mark.advance(10)
    assert mark.name_file(output)
    mark.intend(16, file_at=6)
    os.write(output, written)
    os.close(output)
    assert DeliveredMark(tmp_path / "delivered").settle() == expected


def test_a_file_that_is_another_one_by_now_tells_nothing(tmp_path: Path) -> None:
    output = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    mark = DeliveredMark(tmp_path / "delivered")
    mark.name_file(output)
    mark.intend(16, file_at=0)
    os.close(output)
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "other").rename(tmp_path / "out")
    assert DeliveredMark(tmp_path / "delivered").settle() == 16


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no splice; there the intent decides")
def test_into_a_pipe_bytes_and_mark_move_as_one(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(range(256)) * 1024)
    log = os.open(tmp_path / "log", os.O_RDONLY)
    reader, writer = os.pipe()
    mark = DeliveredMark(tmp_path / "delivered")
    mark.advance(5)
    assert mark.splice(log, writer, 10) == 10
    assert mark.offset == 15
    assert os.read(reader, 100) == bytes(range(5, 15))
    moved = 0
    while step := mark.splice(log, writer, 200_000):
        moved += step
    assert 0 < moved < 200_000  # full, and it did not block
    assert mark.offset == 15 + moved
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        mark.splice(log, writer, 1)
    assert mark.splice(log, os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT), 1) is None
    mark.close()


def test_a_write_to_a_pipe_with_room_is_taken_for_done(tmp_path: Path) -> None:
    mark = DeliveredMark(tmp_path / "delivered")
    mark.intend(5)
    assert mark.settle() == 5
    mark.advance(9)
    assert mark.settle() == 9


# A text that stands for the log up to byte 20 was begun: how much of it came out.
CAME_OUT = [0, 1, 7, 26]


@pytest.mark.parametrize("count", CAME_OUT)
@pytest.mark.parametrize("kind", ["file", "pipe", "terminal"])
def test_a_text_that_was_begun_is_finished_to_the_byte(tmp_path: Path, kind: str, count: int) -> None:
    first, second = b'{"seq":1}\n', b'{"seq":2}\n{"seq":3,"a":0}\n'
    output = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    reader, writer = os.pipe()
    mark = DeliveredMark(tmp_path / "delivered")
    mark.advance(5)
    mark.name_file(output)
    mark.text.begin(first, 10, 0 if kind == "file" else None)
    os.write(output, first)
    mark.text.done()
    assert mark.offset == 10
    mark.text.begin(second, 20, len(first) if kind == "file" else None)
    match kind:
        case "file":
            os.write(output, second[:count])
        case "pipe":
            mark.text.at += 0 if sys.platform == "linux" else count
            assert not count or sys.platform != "linux" or mark.text.splice(writer, count) == count
        case "terminal":
            mark.text.at += count

    other = DeliveredMark(tmp_path / "delivered")
    assert other.settle() == 20
    assert other.offset == 10
    assert other.text.rest() == second[count:]
    assert other.text.next_seq() == (2 if count < 10 else 3 if count < 26 else None)
    assert other.text.go_on(None) == second[count:]
    other.text.done()
    assert (other.settle(), other.offset) == (20, 20)
    assert other.text.rest() == b""
    for one in (mark, other):
        one.close()
    for descriptor in (output, reader, writer):
        os.close(descriptor)


def test_a_text_is_stale_once_the_reader_went_on_otherwise(tmp_path: Path) -> None:
    mark = DeliveredMark(tmp_path / "delivered")
    mark.text.begin(b'{"seq":2}\n', 20, None)
    mark.advance(15)
    assert (mark.settle(), mark.text.rest(), mark.text.next_seq()) == (15, b"", None)
    mark.close()


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no splice; nothing there shares pages with a pipe")
def test_what_lies_in_a_pipe_stays_what_it_was_whatever_is_begun_after_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    mark = DeliveredMark(tmp_path / "delivered")
    for number in range(20):
        data = b"%d" % (number % 10) * 50_000
        mark.text.begin(data, number + 1, None)
        assert mark.text.splice(writer, 2000) == 2000
        mark.text.done()
        mark.text.begin(b"x" * 50_000, number + 1, None)
        assert os.read(reader, 4000) == data[:2000]
    assert mark.offset == 20
    mark.close()
    os.close(reader)
    os.close(writer)
