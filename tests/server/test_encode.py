from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.server.encode import (
    PIECE_CHARS,
    Splitter,
    Text,
    encode_last,
    encode_lines,
    encode_passing,
    line_by_line,
    take_apart,
)
from rdev_bridge.server.stream import in_parts
from tests.server.served import parse, text_of


def stored(reads: list[bytes], start: int = 0) -> list[bytes]:
    """The events in the journal."""
    splitter = Splitter()
    events: list[bytes] = []
    at = start
    for text in [*map(splitter.feed, reads), splitter.close()]:
        if text.escaped:
            events.append(encode_lines(text, "stdout", at))
            at += len(events[-1])
    return events


def through(reads: list[bytes], start: int = 0) -> bytes:
    """What a reader gets who knows nothing of `lines`."""
    return line_by_line(b"".join(stored(reads, start)), start)


def lines(reads: list[bytes]) -> list[tuple[str, bool]]:
    return [(e.data["line"], "partial" in e.data) for e in parse(through(reads))] if b"".join(reads) else []


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ([b"a\nb\n"], [("a", False), ("b", False)]),
        ([b"\n\n"], [("", False), ("", False)]),
        ([b"a\n", b"b"], [("a", False), ("b", True)]),
        ([b"a", b"b", b"\n"], [("ab", False)]),
        ([b"50%\r100%\r\n"], [("50%\r100%\r", False)]),
        ([b'\x00\x1b[1m\t"\\\n'], [('\x00\x1b[1m\t"\\', False)]),
        ([b'","\n","\n'], [('","', False), ('","', False)]),
        ([b'{"a": "b",\n"c"\n'], [('{"a": "b",', False), ('"c"', False)]),
        ([b"a\\\\n\\\n\\n\n"], [("a\\\\n\\", False), ("\\n", False)]),
        ([b"\xc3", b"\xa4\n"], [("ä", False)]),
        ([b"\xf0\x9f", b"\x98", b"\x80"], [("😀", True)]),
        ([b"\xff\xfe\n"], [("��", False)]),
        ([b"\xe2\x82\n\xac\n"], [("�", False), ("�", False)]),
        ([b"\xe2\x82"], [("�", True)]),
        (["\x85\u2028\u2029\x0b\x0c\n".encode()], [("\x85\u2028\u2029\x0b\x0c", False)]),
        ([b"x" * PIECE_CHARS + b"\n"], [("x" * PIECE_CHARS, False)]),
        ([b"x" * PIECE_CHARS], [("x" * PIECE_CHARS, True)]),
        ([b"x" * (PIECE_CHARS + 1) + b"\n"], [("x" * PIECE_CHARS, True), ("x", False)]),
    ],
)
def test_lines_of_reads(reads: list[bytes], expected: list[tuple[str, bool]]) -> None:
    assert lines(reads) == expected


_hard_bytes = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r", b"\x00", b'"', b"\\", b"\xe2", b"\x82", b"\xac", b"\xf0\x9f\x98\x80", b'","']),
        st.binary(max_size=20),
        st.integers(1, 3).map(lambda n: b"y" * (n * PIECE_CHARS - 1)),
        st.just(b"\x01" * (5 * PIECE_CHARS)),
    )
).map(b"".join)


@given(_hard_bytes, st.lists(st.integers(0, 200_000)), st.integers(0, 10**6))
def test_any_bytes_however_they_are_cut(data: bytes, cuts: list[int], start: int) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    stream = through([data[a:b] for a, b in pairwise(places)], start)
    if not data:
        assert stream == b""
        return
    events = parse(stream)
    assert text_of(events, "stdout") == data.decode("utf-8", "replace")
    assert [e.data.get("partial") for e in events if "\n" in e.data["line"]] == []
    ids = [int(event.id or "") for event in events]
    assert ids == sorted(set(ids)), "each id once, and growing"
    assert all(b - a != 1 for a, b in pairwise(ids)), "ids that count up by one would promise a count"
    at = start
    for event in stored([data[a:b] for a, b in pairwise(places)], start):
        pieces = take_apart(event, at)
        assert pieces is not None
        assert pieces.ends[-1] == at + len(event), "the last id is that of the stored event"
        whole = line_by_line(event, at)
        for position in pieces.ends[:: max(1, len(pieces.ends) // 3)]:
            rest = line_by_line(event, at, position)
            assert whole.endswith(b"\nid: %d\n\n%b" % (position, rest))
        at += len(event)


@pytest.mark.parametrize("start", [0, 1, 9, 35, 40, 99, 930, 937, 940, 999, 99_940, 10**9 - 60, 10**9])
def test_ids_across_a_new_digit(start: int) -> None:
    for event in (
        encode_lines(Text(b"a\\n" * 40, 40), "stderr", start),
        encode_last("complete", {"exit_code": 0, "duration_ms": 1}, start),
    ):
        assert event.endswith(b"\nid: %d\n\n" % (start + len(event)))


def test_events_for_one_reader_have_no_id() -> None:
    assert encode_passing("heartbeat", {}) == b"event: heartbeat\ndata: {}\n\n"


def test_worst_escapes_stay_below_64_kib() -> None:
    stream = through([b"\x01" * 200_000])
    assert max(map(len, stream.split(b"\n"))) < 65_536
    assert (
        "".join(json.loads(e[6:])["line"] for e in stream.split(b"\n") if e.startswith(b"data: ")) == "\x01" * 200_000
    )


@given(st.lists(st.binary(max_size=9000), max_size=6))
def test_parts_are_whole_events_and_small_where_events_are(reads: list[bytes]) -> None:
    events = through(reads)
    parts = list(in_parts(events))
    assert b"".join(parts) == events
    assert all(part.endswith(b"\n\n") for part in parts)
    assert all(len(part) <= 8192 or part.count(b"\n\n") == 1 for part in parts)
