"""What may reach an editor: colours, and nothing else that a terminal would obey."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.editor.sanitize import clean, clean_lines, plain

ESC = "\x1b"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SGR = re.compile(r"\x1b\[[0-9;:]*m")

hostile = st.text(
    alphabet=st.one_of(
        st.sampled_from([*(chr(c) for c in range(0x20)), *(chr(c) for c in range(0x7F, 0xA0)), *BIDI]),
        st.sampled_from("[]()PX^_;:0123456789mHJK\\?$ abc"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def is_safe(text: str) -> bool:
    rest = SGR.sub("", text)
    return not any(unicodedata.category(c) == "Cc" and c not in "\t\r\n" for c in rest) and not set(rest) & set(BIDI)


@pytest.mark.parametrize(
    ("given_line", "expected"),
    [
        ("plain", "plain"),
        ("tab\tand\rreturn", "tab\tand\rreturn"),
        (f"{ESC}[1;31mred{ESC}[0m", f"{ESC}[1;31mred{ESC}[0m"),
        (f"{ESC}[38:2::10:20:30mtrue colour{ESC}[m", f"{ESC}[38:2::10:20:30mtrue colour{ESC}[m"),
        (f"{ESC}]0;title\x07text", "text"),
        (f"{ESC}]8;;http://x{ESC}\\link{ESC}]8;;{ESC}\\", "link"),
        (f"{ESC}]52;c;cm0gLXJm\x9ctext", "text"),
        (f"{ESC}Pq#0;2{ESC}\\text", "text"),
        ("\x90q\x9ctext", "text"),
        ("\x9d0;t\x07text", "text"),
        ("\x9b31mtext", "text"),
        (f"{ESC}[2J{ESC}[1;1Htext", "text"),
        (f"{ESC}[?1049htext", "text"),
        (f"{ESC}ctext{ESC}(Btext{ESC}=", "texttext"),
        (f"{ESC}[>4;2mtext", "text"),
        (f"{ESC}]0;never ended", "0;never ended"),
        (f"{ESC}[31", "[31"),
        (f"end{ESC}", "end"),
        ("a\x00b\x07c\x08d\x7fe", "abcde"),
        ("admin\u202e\u2066// x", "admin// x"),
        ("grün 🦀 日本", "grün 🦀 日本"),
        ("lone \ud800", "lone \ufffd"),
    ],
)
def test_table(given_line: str, expected: str) -> None:
    assert clean(given_line) == expected
    assert clean_lines(["x", given_line]) == ["x", expected]


@pytest.mark.parametrize("piece", ["\x9d", "\x90x", "\x1b]", "\x1b", "\x9b", "\x9b0", "\x1b[0;", "\x1bP\x9d"])
def test_a_line_made_to_be_slow_is_not(piece: str) -> None:
    """Two million characters, which is what a line may have; a way of reading that is not linear needs hours."""
    assert is_safe(clean(piece * (2_000_000 // len(piece))))


@given(st.lists(hostile, max_size=6))
def test_nothing_unsafe_passes_in_any_line_or_any_joining(lines: list[str]) -> None:
    cleaned = clean_lines(lines)
    assert len(cleaned) == len(lines)
    assert all(map(is_safe, cleaned))
    assert is_safe("".join(cleaned))


@given(hostile, st.integers(min_value=0, max_value=60))
def test_no_cut_lets_anything_through(text: str, at: int) -> None:
    assert is_safe(clean(text[:at]) + clean(text[at:]))


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cf"]), max_size=80))
def test_ordinary_text_is_untouched(text: str) -> None:
    assert clean(text) == text
    assert plain(text) == text


@given(hostile)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_clean_lines_are_handed_back_as_they_are() -> None:
    lines = ["a", "tab\t", "ü 🦀"]
    assert clean_lines(lines) is lines


def test_plain_text_has_no_colours() -> None:
    assert plain(f"{ESC}[31merror{ESC}[0m\nnext") == "error\nnext"
