"""What stays of a line on a screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.problems.ansi import MAX_STRING_LINES, Cleaner


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("plain ünïcode 😀", "plain ünïcode 😀"),
        ("\x1b[1;31merror\x1b[0m: x", "error: x"),
        ("10%\r20%\rdone", "done"),
        ("abcdef\rxy", "xycdef"),
        ("a long text\r\x1b[Kdone", "done"),
        ("a long text\x1b[2K\rdone", "done"),
        ("a long text\x1b[1G\x1b[0Kdone", "done"),
        ("a long text\x1b[4D\x1b[1Kx", "       xext"),
        ("abc\x1b[1K\rx\x1b[C\x1b[1Ky", "  y"),
        ("abc\x1b[1K", ""),
        ("abc \x1b[2K\x1b[2Cd", "      d"),
        ("windows\r", "windows"),
        ("|\b/\b-\b done", " done"),
        ("ab\x1b[2Cc", "ab  c"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\!", "link!"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b[2J\x1b[3J\x1b[H12:00 - Starting", "12:00 - Starting"),
        ("\x1b(B\x1b[mtput", "tput"),
        ("a\x00b\x07c", "abc"),
        ("tab\tstays", "tab\tstays"),
        ("\x1b", ""),
        ("\x1b[12", "12"),
    ],
)
def test_a_line(line: str, seen: str) -> None:
    assert Cleaner().feed([line]) == [seen]


def test_plain_lines_are_handed_on_as_they_are() -> None:
    lines = ["a", "b\tc", "é"]
    assert Cleaner().feed(lines) is lines


def test_a_line_feed_inside_makes_lines() -> None:
    assert Cleaner().feed(["a\nb\x1b[m"]) == ["a", "b"]


def test_a_control_string_goes_on_until_it_ends() -> None:
    cleaner = Cleaner()
    assert cleaner.feed(["x\x1bPq", "sixels"]) == ["x"]
    assert cleaner.feed(["more", "end\x1b\\text"]) == ["text"]


def test_a_control_string_does_not_take_everything() -> None:
    assert Cleaner().feed(["\x1b]0;", *["x"] * MAX_STRING_LINES, "error: still seen"])[-1] == "error: still seen"


@pytest.mark.parametrize(
    "piece", ["\x9d", "\x90x", "\x1b[1K", "\x1b[2Kx", "\r\x1b[9999C\x1b[1Kx", "\x1b[Kx\r\x1b[9999Cx"]
)
def test_a_line_made_to_be_slow_is_not(piece: str) -> None:
    """Two million characters, which is what a line may have; a way of reading that is not linear needs hours."""
    Cleaner().feed(["x" * 100_000 + piece * ((2_000_000 - 100_000) // len(piece))])


_NOISE = st.lists(
    st.sampled_from(["a", "b", "\r", "\b", "\x1b", "[", "K", "2", "m", "]", "\x07", "\\", "P", "é", "\n"])
)


@given(st.lists(_NOISE.map("".join), max_size=12), st.integers(0, 12))
def test_at_every_split_it_is_the_same(lines: list[str], at: int) -> None:
    halves, whole, each = Cleaner(), Cleaner(), Cleaner()
    seen = whole.feed(list(lines))
    assert halves.feed(lines[:at]) + halves.feed(lines[at:]) == seen
    assert [one for line in lines for one in each.feed([line])] == seen


@given(st.lists(st.text(), max_size=6))
def test_nothing_that_a_terminal_obeys_is_left(lines: list[str]) -> None:
    assert not any((ord(c) < 32 and c != "\t") or 0x7F <= ord(c) < 0xA0 for line in Cleaner().feed(lines) for c in line)
