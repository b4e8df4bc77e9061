# ruff: noqa: E501 - a row of a table reads best on one line
"""The fast ways over a stream mean the same as the complete decoder, for every input and at every split."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.errors import RdevError
from rdev_bridge.model import Chunk, Stream
from rdev_bridge.remote import bulk
from rdev_bridge.remote.bulk import BulkDecoder, Lines, Other, Text
from rdev_bridge.remote.events import read_output, stream_named
from rdev_bridge.remote.sse import Decoder, SentEvent
from tests.remote.test_sse import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

Flat = tuple[object, ...]


def flat(pieces: Iterable[bytes]) -> list[Flat]:
    decoder = BulkDecoder()
    made: list[Flat] = []
    for piece in pieces:
        for found in decoder.feed(piece):
            if isinstance(found, Lines):
                for place, (text, stream, one) in enumerate(zip(found.texts, found.streams, found.ids, strict=True)):
                    made.append((text, stream, place not in found.open_ends, one))
            else:
                assert isinstance(found, Other)
                made.append((found.event, found.data, found.id, found.numbered))
    return made


def expected(stream: bytes) -> list[Flat]:
    made: list[Flat] = []
    for event in cast("list[SentEvent]", Decoder().feed(stream)):
        output = read_output(event.data) if event.event == "output" else None
        if output is None:
            made.append((event.event, event.data, event.id, event.numbered))
        else:
            own_id = event.id if event.numbered else ""
            made.append((output.line, stream_named(output.stream), not output.partial, own_id))
    return made


def block(number: int, line: str = "x", stream: str = "stdout", **more: object) -> bytes:
    data = json.dumps({"line": line, "stream": stream, **more}, separators=(",", ":"), ensure_ascii=False)
    return f"id: {number}\nevent: output\ndata: {data}\n\n".encode()


MANY = b"".join(block(i, f"line {i}") for i in range(1, 40))
CASES = [(name, stream) for name, stream, *_ in TABLE] + [
    ("plain", MANY),
    ("both streams", b"".join(block(i, f"l{i}", "stderr" if i % 3 == 0 else "stdout") for i in range(40))),
    ("colours", b"".join(block(i, f"\x1b[3{i % 8}mred\x1b[0m\t\\ \" {i}") for i in range(40))),
    ("partial pieces", b"".join(block(i, "p" * i, partial=True) for i in range(5)) + block(9)),
    ("no ids", MANY.replace(b"id: ", b"x: ")),
    ("no ids at all", b"".join(block(i).split(b"\n", 1)[1] for i in range(30))),
    ("id in the middle", b"".join(b"event: output\nid: %d\n" % i + block(i).split(b"\n", 2)[2] for i in range(30))),
    ("id at the end", b"".join(block(i).split(b"\n", 1)[1][:-1] + b"id: %d\n\n" % i for i in range(30))),
    ("no blanks", MANY.replace(b": ", b":")),
    ("blanks in the JSON", MANY.replace(b'":"', b'": "').replace(b'","', b'", "')),
    ("shape changes", block(1) + block(2).replace(b"id: ", b"id:") + block(3).replace(b"data: ", b"data:") + block(4)),
    ("an id with a blank", block(1) + block(2).replace(b"id: 2", b"id:  2") + block(3)),
    ("an id with NUL", block(1) + block(2).replace(b"id: 2", b"id: 2\0") + block(3)),
    ("some without id", block(1) + block(2).replace(b"id: 2\n", b"") + block(3)),
    ("empty id", block(1) + block(2).replace(b"id: 2", b"id:") + block(3)),
    ("mixed", b'event: connected\ndata: {}\n\n' + MANY + b"event: heartbeat\ndata: {}\n\n" + MANY + b'event: complete\ndata: {"exit_code":0}\n\n'),
    ("heartbeats all over", b"".join(block(i) + b"event: heartbeat\ndata: {}\n\n" * (i % 5) for i in range(100))),
    ("comments between", b"".join(block(i) + b": ping\n\n" for i in range(50))),
    ("a CRLF server", MANY.replace(b"\n", b"\r\n")),
    ("a CR server", MANY.replace(b"\n", b"\r")),
    ("one CR in a text", MANY + b'id: 99\nevent: output\ndata: {"line":"a\rb","stream":"stdout"}\n\n' + MANY),
    ("two objects in one payload", block(1) + block(2).replace(b"}", b"},{}") + block(3)),
    ("payloads that only fit together", block(1) + b'id: 2\nevent: output\ndata: {"line":"a\n\n' + b'id: 3\nevent: output\ndata: b"}\n\n' + block(4)),
    ("an array across blocks", block(1).replace(b"}", b"},{}") + b'id: 2\nevent: output\ndata: {"line":"a","o":[{}\n\nid: 3\nevent: output\ndata: {}]}\n\n' + block(4)),
    ("not JSON", block(1) + b"id: 2\nevent: output\ndata: {nonsense}\n\n" + block(3)),
    ("a line that is no text", block(1) + b'id: 2\nevent: output\ndata: {"line":null}\n\n' + block(3)),
    ("odd streams", block(1) + block(2, stream="system") + block(3)),
    ("an escaped line feed", block(1, "a\nb") + block(2, "\0 \x7f \u2028")),
    ("invalid UTF-8", block(1) + block(2).replace(b"x", b"\xff") + block(3)),
    ("a text that looks like a seam", block(1, '","stream":"stdout"}\n\nid: 5\nevent: output\ndata: {"line":"') + block(2)),
    ("two data lines", block(1) + b'id: 2\nevent: output\ndata: {"line":\ndata: "a"}\n\n' + block(3)),
    ("retry inside", block(1) + b"retry: 5\n" + block(2) + block(3)),
    ("more blank lines", block(1) + b"\n\n" + block(2) + b"\n" + block(3)),
    ("a BOM", b"\xef\xbb\xbf" + MANY),
    ("a BOM in the middle", block(1) + b"\xef\xbb\xbf" + block(2) + block(3)),
    ("an id alone in between", block(1) + b"id: 50\n\n" + block(2).replace(b"id: 2\n", b"") + block(3)),
]  # fmt: skip


@pytest.mark.parametrize("stream", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_same_as_the_complete_decoder(stream: bytes) -> None:
    wanted = expected(stream)
    assert flat([stream]) == wanted
    assert flat(stream[i : i + 1] for i in range(len(stream))) == wanted
    for cut in range(0, len(stream) + 1, max(1, len(stream) // 400)):
        assert flat([stream[:cut], stream[cut:]]) == wanted, f"cut at {cut}"


@pytest.mark.full
@pytest.mark.parametrize("stream", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_same_as_the_complete_decoder_at_every_split(stream: bytes) -> None:
    wanted = expected(stream)
    for cut in range(len(stream) + 1):
        assert flat([stream[:cut], stream[cut:]]) == wanted, f"cut at {cut}"


LINES = (
    b'event: connected\ndata: {"stream_id": "1"}\n\n'
    b'event: lines\ndata: {"stream":"stdout","text":"a\\nb \\u001b[1m\\\\n\\n"}\nid: 70\n\n'
    b'event: lines\ndata: {"stream":"stderr","text":"open"}\nid: 120\n\n'
    b"event: heartbeat\ndata: {}\n\n"
    b'event: output\ndata: {"line":"one","stream":"stdout"}\nid: 180\n\n'
    b'event: complete\ndata: {"exit_code":0}\nid: 230\n\n'
)


@pytest.mark.parametrize("small", [b": keep\n\n", b"event: heartbeat\ndata: {}\n\n", b"\n\n", block(1) + b": keep\n\n"])
@pytest.mark.parametrize("times", [1, 1100, 3000])
def test_many_small_blocks_before_a_large_one(small: bytes, times: int) -> None:
    large = block(7, "x" * (len(small) * times + 34_000))
    for stream in (small * times + large, large + small * times, small * times + large + small * times + large):
        assert flat([MANY, stream]) == expected(MANY + stream)


def test_lines_events_at_every_cut() -> None:
    wanted = [
        ("connected", ""),
        (Chunk(Stream.STDOUT, ["a", "b \x1b[1m\\n"]), "70"),
        (Chunk(Stream.STDERR, ["open"], ended=False), "120"),
        ("heartbeat", "120"),
        ([Chunk(Stream.STDOUT, ["one"])], ["180"]),
        ("complete", "230"),
    ]
    for cut in range(len(LINES) + 1):
        decoder = BulkDecoder(knows_lines=True)
        made: list[object] = []
        for found in [*decoder.feed(LINES[:cut]), *decoder.feed(LINES[cut:])]:
            match found:
                case Lines():
                    made.append((found.chunks(), found.ids))
                case Text():
                    made.append((found.chunk, found.id))
                case Other():
                    made.append((found.event, found.id))
        assert made == wanted, f"cut at {cut}"


def test_lines_events_mean_nothing_from_a_server_that_did_not_say_so() -> None:
    assert {type(found) for found in BulkDecoder().feed(LINES)} == {Other, Lines}


def test_lines_events_that_break_their_word() -> None:
    for data in ("{", '{"stream":"stdout"}', '{"stream":"stdout","text":1}', "[]"):
        with pytest.raises(RdevError, match="cannot be read"):
            BulkDecoder(knows_lines=True).feed(f"event: lines\ndata: {data}\nid: 1\n\n".encode())


TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["", "plain", '"', "\\", "\r", "},{", '"}\n\n', "\x1b[1m"]))
BLOCKS = st.one_of(
    st.builds(block, st.integers(0, 99), TEXTS, st.sampled_from(["stdout", "stderr", "other"])),
    st.builds(lambda n, t: block(n, t, partial=True), st.integers(0, 99), TEXTS),
    st.sampled_from([case[1] for case in CASES if len(case[1]) < 200]),
)


@given(st.lists(BLOCKS, max_size=12), st.data())
def test_any_blocks_at_any_split(blocks: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(blocks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert flat(pieces) == expected(stream)


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "both streams",
        "colours",
        "no ids at all",
        "id in the middle",
        "id at the end",
        "no blanks",
        "blanks in the JSON",
    ],
)
def test_what_servers_send_never_needs_the_complete_decoder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = dict(CASES)[name]
    fed: list[bytes] = []
    original = Decoder.feed
    monkeypatch.setattr(bulk.Decoder, "feed", lambda self, data: (fed.append(data), original(self, data))[1])
    decoder = BulkDecoder()
    decoder.feed(b": the first byte decides about a BOM\n\n")
    fed.clear()
    for start in range(0, len(stream), 700):
        decoder.feed(stream[start : start + 700])
    assert fed == []


def test_chunks_change_with_the_stream_and_end_with_an_open_line() -> None:
    out, err = Stream.STDOUT, Stream.STDERR
    lines = Lines(["a", "b", "c", "d", "e"], [out, out, err, out, out], ["1", "2", "3", "4", "5"], {3})
    assert lines.chunks() == [
        Chunk(out, ["a", "b"]),
        Chunk(err, ["c"]),
        Chunk(out, ["d"], ended=False),
        Chunk(out, ["e"]),
    ]
    kept = lines.kept([False, True, False, True, False])
    assert (kept.texts, kept.ids, kept.open_ends) == (["b", "d"], ["2", "4"], {1})
