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
