"""The terminal that editors are tested and pictured in shows what a program prints, colours included."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.editors.picture import PALETTE, Style, indexed, spans
from tests.editors.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "css"),
    [
        ("\x1b[31mx", f"color:{PALETTE[1]}"),
        ("\x1b[1;92mx", f"color:{PALETTE[10]};font-weight:bold"),
        ("\x1b[38;5;208mx", "color:#ff8700"),
        ("\x1b[38;2;1;2;3mx", "color:#010203"),
        ("\x1b[48:2::1:2:3mx", "background:#010203"),
        ("\x1b[4:3mx", "text-decoration:underline wavy"),
        ("\x1b[31m\x1b[0;2mx", "opacity:.6"),
    ],
)
def test_a_colour_becomes_a_style(line: str, css: str) -> None:
    made, _ = spans(line, Style())
    assert css in made
    assert made.count("<span") == 1


def test_text_is_never_markup() -> None:
    assert "&lt;script&gt;" in spans("<script>", Style())[0]


def test_the_greys_and_the_cube() -> None:
    assert (indexed(16), indexed(231), indexed(232), indexed(255)) == ("#000000", "#ffffff", "#080808", "#eeeeee")


def test_a_program_is_seen_typed_at_and_pictured(tmp_path: Path) -> None:
    with Terminal(
        ["sh", "-c", r"printf '\033[32mready\033[0m\n'; read x; echo got $x; read x"], columns=40, rows=10
    ) as terminal:
        terminal.wait_for("ready")
        terminal.type("hello", "Enter")
        terminal.wait_for("got hello")
        terminal.picture(tmp_path / "it.png", title="sh")
    width, height = struct.unpack(">II", (tmp_path / "it.png").read_bytes()[16:24])
    assert width > 600
    assert height > 400
