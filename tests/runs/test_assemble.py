"""Pieces to lines: as a table, and against the simplest possible reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.model import Chunk, Stream
from rdev_bridge.runs.assemble import Assembler

OUT, ERR = Stream.STDOUT, Stream.STDERR


def told(chunks: object) -> list[tuple[Stream, str]]:
    return [(chunk.stream, line) for chunk in chunks for line in chunk.lines]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        pytest.param([Chunk(OUT, ["a", ""])], [(OUT, "a"), (OUT, "")], id="whole"),
        pytest.param([Chunk(OUT, ["a"], ended=False), Chunk(OUT, ["b"])], [(OUT, "ab")], id="two pieces"),
        pytest.param(
            [Chunk(OUT, ["a", "b"], ended=False), Chunk(OUT, ["", "c"])], [(OUT, x) for x in "abc"], id="ends"
        ),
        pytest.param(
            [Chunk(OUT, ["a"], ended=False), Chunk(ERR, ["e"]), Chunk(OUT, ["b"])], [(ERR, "e"), (OUT, "ab")], id="both"
        ),
        pytest.param([Chunk(OUT, [""], ended=False)], [(OUT, "")], id="an empty line without an end"),
        pytest.param([Chunk(OUT, [])], [], id="nothing"),
    ],
)
def test_lines_are_counted_where_they_end(pieces: list[Chunk], lines: list[tuple[Stream, str]]) -> None:
    assembler = Assembler()
    found = told(assembler.feed(pieces)) + told(assembler.flush())
    assert found == lines
    assert assembler.seq == len(lines)
    assert assembler.is_clean


def test_whole_lines_cost_nothing() -> None:
    pieces = [Chunk(OUT, ["a", "b"]), Chunk(ERR, ["c"])]
    assert Assembler().feed(pieces) is pieces


def test_a_line_without_bounds_is_cut_and_says_so() -> None:
    assembler = Assembler(cap_chars=5)
    assembler.feed([Chunk(OUT, ["abc"], ended=False), Chunk(OUT, ["defg"], ended=False)])
    assert told(assembler.feed([Chunk(OUT, ["h", "next"])])) == [(OUT, "abcde … [3 more characters]"), (OUT, "next")]
    whole = [Chunk(OUT, ["short", "much longer"]), Chunk(OUT, ["x", "begun and"], ended=False)]
    assert told(assembler.feed(whole)) == [(OUT, "short"), (OUT, "much  … [6 more characters]"), (OUT, "x")]
    assert told(assembler.feed([Chunk(OUT, [" ended", "y"])])) == [(OUT, "begun … [10 more characters]"), (OUT, "y")]


@given(
    st.lists(
        st.builds(
            Chunk,
            st.sampled_from(list(Stream)),
            st.lists(st.text(alphabet="ab", max_size=3), min_size=1, max_size=3),
            st.booleans(),
        )
    )
)
def test_agrees_with_splitting_each_stream_at_once(pieces: list[Chunk]) -> None:
    assembler = Assembler()
    found = [line for piece in pieces for line in told(assembler.feed([piece]))] + told(assembler.flush())
    for stream in Stream:
        text = "".join(piece.text() for piece in pieces if piece.stream is stream)
        lines = text.split("\n")
        own = [piece for piece in pieces if piece.stream is stream]
        if not own or own[-1].ended:
            lines.pop()
        assert [line for of, line in found if of is stream] == lines
