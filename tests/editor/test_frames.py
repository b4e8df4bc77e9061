"""The base protocol: whatever bytes come, whole frames get through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.editor.frames import BODY_LIMIT, HEADER_LIMIT, BadFrame, FrameDecoder, frame

GOOD = b'{"jsonrpc":"2.0"}'


def decoded(data: bytes, step: int | None = None) -> list[bytes | BadFrame]:
    decoder = FrameDecoder()
    step = step or len(data) or 1
    return [item for start in range(0, len(data), step) for item in decoder.feed(data[start : start + step])]


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: %d\r\n\r\n",
        b"content-length:%d\r\n\r\n",
        b"Content-Length: %d\n\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n",
        b"\r\nContent-Length: %d\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_takes_every_form_of_header(header: bytes, step: int) -> None:
    assert decoded((header % len(GOOD) + GOOD) * 3, step) == [GOOD] * 3


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (b"Content-Length: -5\r\n\r\n", "not a length"),
        (b"Content-Length: -5\r\n\r\n" + GOOD, "not a length"),
        (b"Content-Length: many\r\n\r\n", "not a length"),
        (b"Content-Length: \r\n\r\n", "not a length"),
        (b"Content-Length: 99999999999999999999\r\n\r\n", "not a length"),
        (b"Content-Length: 999999999999\r\n\r\n", "above the limit"),
        (b"Content-Length: 999999999999\r\n\r\n" + GOOD, "above the limit"),
        (b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), "above the limit"),
        (b"Content-Length: 4000\r\n\r\n" + GOOD, "too long"),
        (b"X-Other: 1\r\n\r\n", "without Content-Length"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "without Content-Length"),
    ],
)
@pytest.mark.parametrize("step", [1, 1000, 100_000])
def test_goes_on_after_a_bad_frame(bad: bytes, word: str, step: int) -> None:
    first, *rest = decoded(bad + frame(GOOD) + frame(b"[]"), step)
    assert isinstance(first, BadFrame)
    assert word in first.reason
    assert rest == [GOOD, b"[]"]


def test_a_length_that_is_too_short_costs_its_own_frame_alone() -> None:
    got = decoded(b"Content-Length: 5\r\n\r\n" + GOOD + frame(b"[]"))
    assert got[0] == GOOD[:5]
    assert got[-1] == b"[]"


@pytest.mark.parametrize("step", [1, 1000, 100_000])
def test_rubbish_of_any_length_before_a_header_costs_no_frame(step: int) -> None:
    *first, last = decoded(b"x" * (HEADER_LIMIT + 1) + frame(GOOD) + frame(b"[]"), step)
    assert last == b"[]"
    assert GOOD in first


def test_an_empty_body_is_a_body() -> None:
    assert decoded(b"Content-Length: 0\r\n\r\n" + frame(GOOD)) == [b"", GOOD]


def test_a_header_as_text_inside_json_is_text() -> None:
    body = b'{"text":"Content-Length: 5\\r\\n\\r\\n"}'
    assert decoded(frame(body) + frame(GOOD), 3) == [body, GOOD]


def test_rubbish_does_not_pile_up() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        decoder.feed(b"z" * 10_000)
    assert len(decoder._buffer) <= HEADER_LIMIT + 10_000


@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from([1, 63, 9000]))
def test_never_raises_and_always_finds_the_next_frame(rubbish: list[bytes], step: int) -> None:
    data = b"".join(rubbish) + b"\r\n\r\n" + b"y" * (HEADER_LIMIT + 1) + frame(GOOD) + frame(GOOD)
    assert decoded(data, step)[-1] == GOOD


@given(st.lists(st.text(max_size=30)), st.integers(min_value=1, max_value=50))
def test_any_cut_gives_the_same_bodies(texts: list[str], step: int) -> None:
    bodies = [text.encode() for text in texts if "content-length" not in text.lower()]
    assert decoded(b"".join(map(frame, bodies)), step) == bodies
