# ruff: noqa: E501 - a row of a table reads best on one line
"""The decoder by the letter of the HTML standard, sections 9.2.5 and 9.2.6, at every split of the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.remote.sse import Decoder, StreamTooLargeError
from tests.remote.reference import interpret

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTPUT = b'event: output\ndata: {"line":"x","stream":"stdout"}\n\n'

# name, bytes, events as (event, data, id), last event id, retry
TABLE: list[tuple[str, bytes, list[tuple[str, str, str]], str, int | None]] = [
    ("nothing", b"", [], "", None),
    ("one event", b"event: a\ndata: b\nid: 1\n\n", [("a", "b", "1")], "1", None),
    ("CR ends a line", b"event: a\rdata: b\r\r", [("a", "b", "")], "", None),
    ("CRLF ends a line", b"event: a\r\ndata: b\r\n\r\n", [("a", "b", "")], "", None),
    ("all three ends", b"data: a\rdata: b\ndata: c\r\n\r\n", [("message", "a\nb\nc", "")], "", None),
    ("LF after CRLF is a blank line", b"data: a\r\n\n", [("message", "a", "")], "", None),
    ("CR CR LF is two line ends", b"data: a\r\r\n", [("message", "a", "")], "", None),
    ("a BOM at the start", b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")], "", None),
    ("only one BOM", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], "", None),
    ("a BOM later is text", b"data: \xef\xbb\xbfa\n\n", [("message", "\ufeffa", "")], "", None),
    ("a BOM before a later field is none", b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("message", "a", "")], "", None),
    ("half a BOM is text", b"\xef\xbbdata: a\ndata: b\n\n", [("message", "b", "")], "", None),
    ("empty event is message", b"event: a\nevent:\ndata: b\n\n", [("message", "b", "")], "", None),
    ("no data, no event", b"event: a\n\ndata: b\n\n", [("message", "b", "")], "", None),
    ("empty data is an event", b"data\n\n", [("message", "", "")], "", None),
    ("two empty data", b"data\ndata:\n\n", [("message", "\n", "")], "", None),
    ("one blank goes", b"data:  a\n\n", [("message", " a", "")], "", None),
    ("no blank needed", b"data:a\n\n", [("message", "a", "")], "", None),
    ("a tab stays", b"data:\ta\n\n", [("message", "\ta", "")], "", None),
    ("colons stay", b"data: a: b\n\n", [("message", "a: b", "")], "", None),
    ("comments", b": hi\n:\ndata: a\n: ho\n\n", [("message", "a", "")], "", None),
    ("unknown fields", b"foo: 1\nDATA: 2\ndata : 3\n data: 4\ndata: a\n\n", [("message", "a", "")], "", None),
    ("an id alone is committed", b"id: 7\n\n", [], "7", None),
    ("an id holds for later events", b"id: 7\n\ndata: a\n\n", [("message", "a", "7")], "7", None),
    ("an id unfinished is not", b"id: 7\ndata: a\n", [], "", None),
    ("an empty id resets", b"id: 7\ndata: a\n\nid\ndata: b\n\n", [("message", "a", "7"), ("message", "b", "")], "", None),
    ("NUL voids an id", b"id: 7\n\nid: 8\x009\ndata: a\n\n", [("message", "a", "7")], "7", None),
    ("the last id counts", b"id: 1\nid: 2\ndata: a\n\n", [("message", "a", "2")], "2", None),
    ("retry", b"retry: 1500\n\n", [], "", 1500),
    ("retry needs no blank line", b"retry: 15\n", [], "", 15),
    ("retry digits only", b"retry: +5\nretry: 5s\nretry:\nretry: -1\nretry: 1.5\n\n", [], "", None),
    ("retry in other digits", "retry: ٣\n\n".encode(), [], "", None),
    ("retry without measure", b"retry: " + b"9" * 5000 + b"\n\n", [], "", 10**300),
    ("retry beyond any age", b"retry: 99999999999999999999\n", [], "", 99999999999999999999),
    ("retry with zeros before it", b"retry: " + b"0" * 400 + b"5\n", [], "", 5),
    ("U+2028, U+2029, NEL, FF, VT", "data: a\u2028b\u2029c\x85d\x0ce\x0bf\n\n".encode(), [("message", "a\u2028b\u2029c\x85d\x0ce\x0bf", "")], "", None),
    ("NUL in data stays", b"data: a\0b\n\n", [("message", "a\0b", "")], "", None),
    ("a byte that is no UTF-8", b"data: a\xffb\n\n", [("message", "a\ufffdb", "")], "", None),
    ("a sequence cut by a line end", b"data: a\xe2\x82\n\n", [("message", "a\ufffd", "")], "", None),
    ("each maximal part is one", b"data: \xf0\x80\x80\xe2\x82\xed\xa0\n\n", [("message", "\ufffd" * 6, "")], "", None),
    ("many bytes a character", "data: aé€😀\n\n".encode(), [("message", "aé€😀", "")], "", None),
    ("an event cut off", b"data: a\n\ndata: b\n", [("message", "a", "")], "", None),
    ("a last line without end", b"data: a\n\ndata: b", [("message", "a", "")], "", None),
    ("blank lines", b"\n\n\r\n\rdata: a\n\n\n\n", [("message", "a", "")], "", None),
    ("rdev output", b"id: 5\n" + OUTPUT, [("output", '{"line":"x","stream":"stdout"}', "5")], "5", None),
    ("the id is not inherited by type", b"id: 5\n" + OUTPUT + b"event: heartbeat\ndata: {}\n\n", [("output", '{"line":"x","stream":"stdout"}', "5"), ("heartbeat", "{}", "5")], "5", None),
]  # fmt: skip


def decoded(pieces: Iterable[bytes]) -> tuple[list[tuple[str, str, str]], str, int | None]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    events += decoder.close()
    return [(one.event, one.data, one.id) for one in events], decoder.last_event_id, decoder.retry_ms


@pytest.mark.parametrize(
    ("stream", "events", "last_id", "retry"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_table(stream: bytes, events: list[tuple[str, str, str]], last_id: str, retry: int | None) -> None:
    expected = (events, last_id, retry)
    assert decoded([stream]) == expected
    assert decoded(stream[i : i + 1] for i in range(len(stream))) == expected
    for cut in range(len(stream) + 1):
        assert decoded([stream[:cut], stream[cut:]]) == expected, f"cut at {cut}"
    for cut in range(min(len(stream), 60)):
        assert decoded([stream[:cut], b"", stream[cut : cut + 1], stream[cut + 1 :]]) == expected, f"around {cut}"
    reference = interpret(stream)
    assert (reference.events, reference.last_event_id, reference.retry_ms) == expected


FRAGMENTS = st.sampled_from(
    [
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b": ",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\0",
        b"12",
        b"x",
        b"output",
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\xff",
        b"\xf0\x9f",
        b"\x98\x80",
        b'{"line":"a"}',
        b",",
    ]
)


@given(st.lists(st.one_of(FRAGMENTS, st.binary(max_size=4)), max_size=40), st.data())
def test_any_bytes_at_any_split_as_the_reference_reads_them(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reference = interpret(stream)
    assert decoded(pieces) == (reference.events, reference.last_event_id, reference.retry_ms)


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\n") == []
    assert [event.data for event in decoder.feed(b"\r")] == ["a"]
    assert decoder.feed(b"\n") == []
    assert [event.data for event in decoder.feed(b"data: b\n\n")] == ["b"]


def feed_all(decoder: Decoder, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        decoder.feed(piece)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_without_end_is_refused(size: int) -> None:
    decoder = Decoder(max_line_bytes=10_000)
    with pytest.raises(StreamTooLargeError, match="a line of more than 10000 bytes"):
        feed_all(decoder, [b"x" * size] * (20_000 // size))


def test_an_event_without_end_is_refused() -> None:
    decoder = Decoder(max_line_bytes=1000, max_event_bytes=10_000)
    with pytest.raises(StreamTooLargeError, match="an event of more than 10000 bytes"):
        feed_all(decoder, [b"data: " + b"x" * 100 + b"\n"] * 200)


def test_limits_count_one_event_at_a_time() -> None:
    decoder = Decoder(max_line_bytes=1000, max_event_bytes=1000)
    for _ in range(100):
        assert len(decoder.feed(b"event: x\n: comment\nid: 1\ndata: " + b"x" * 100 + b"\n\n")) == 1
    with pytest.raises(StreamTooLargeError, match="an event"):
        feed_all(decoder, [b"data\n"] * 2000)  # nothing in it, but each is one more line feed of the event
