"""What a reader has, after its process was killed at any moment."""

from __future__ import annotations

import os
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


def test_a_write_to_a_pipe_with_room_is_taken_for_done(tmp_path: Path) -> None:
    mark = DeliveredMark(tmp_path / "delivered")
    mark.intend(5)
    assert mark.settle() == 5
    mark.advance(9)
    assert mark.settle() == 9
