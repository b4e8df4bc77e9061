"""The proxy's own ways: a cut lands where it was asked for, however the response comes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.cuts import Ids, Payload, after_bytes, after_events, after_payload
from tests.faults.every_byte import EveryByte, Recording
from tests.faults.proxy import Request

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BLOCKS = [b"event: connected\ndata: {}\n\n", b"id: 1\nevent: output\ndata: a\n\n", b"id: 22\nevent: output\ndata:\n\n"]


def chunked(*parts: bytes) -> bytes:
    return HEAD + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


RESPONSES = [chunked(*BLOCKS), chunked(BLOCKS[0], BLOCKS[1] + BLOCKS[2])]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(min(cut, len(data)) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def cut_place(cut: object, pieces: list[bytes]) -> int | None:
    passed = 0
    for piece in pieces:
        place = cut(piece)  # type: ignore[operator]
        if place is not None:
            assert 0 <= place <= len(piece)
            return passed + place
        passed += len(piece)
    return None


@given(st.sampled_from(RESPONSES), st.lists(st.integers(0, 250), max_size=8), st.integers(0, 250))
def test_after_bytes(response: bytes, cuts: list[int], count: int) -> None:
    expected = count if count <= len(response) else None
    assert cut_place(after_bytes(count), pieces_of(response, cuts)) == expected


@given(st.sampled_from(RESPONSES), st.lists(st.integers(0, 250), max_size=8), st.integers(1, 3), st.integers(0, 40))
def test_after_events(response: bytes, cuts: list[int], count: int, extra: int) -> None:
    at = 0
    for _ in range(count):
        at = response.index(b"\n\n", at) + 2
    expected = at + extra if at + extra <= len(response) else None
    assert cut_place(after_events(count, extra), pieces_of(response, cuts)) == expected


@given(st.sampled_from(RESPONSES), st.lists(st.integers(0, 250), max_size=8), st.integers(1, 100))
def test_after_payload(response: bytes, cuts: list[int], count: int) -> None:
    place = cut_place(after_payload(count), pieces_of(response, cuts))
    whole = b"".join(BLOCKS)
    if count > len(whole):
        assert place is None
    else:
        assert place is not None
        reader = Payload()
        assert b"".join(part for _, part in reader.parts(response[:place])) == whole[:count]


@pytest.mark.parametrize("response", RESPONSES)
def test_the_payload_and_its_ids_at_every_split(response: bytes) -> None:
    for cut in range(len(response) + 1):
        payload, ids = Payload(), Ids()
        note = ids.tap()
        got = b""
        for piece in (response[:cut], response[cut:]):
            note(piece)
            got += b"".join(part for _, part in payload.parts(piece))
        assert got == b"".join(BLOCKS)
        assert ids.known == [b"1", b"22"]
    assert ids.earlier(b"22", 1) == b"1"
    assert ids.earlier(b"22", 5) == b"1"
    assert ids.earlier(b"x", 5) == b"x"


def test_the_plan_at_every_byte_notices_what_passes_otherwise_than_recorded() -> None:
    recording = Recording.of(RESPONSES[0])
    assert (recording.connected, recording.events) == (BLOCKS[0], BLOCKS[1] + BLOCKS[2])
    plan = EveryByte(recording, b"", random.Random(1), share=0)
    for last_id, response in {"": RESPONSES[0], "1": chunked(BLOCKS[0], BLOCKS[2]), "22": chunked(BLOCKS[0])}.items():
        headers = {"last-event-id": last_id} if last_id else {}
        for passes, found in ((response, False), (response.replace(b"data", b"date"), True)):
            fault = plan(Request(0, "GET", "/events", headers, b"", 0))
            assert fault.cut_when is not None
            assert fault.cut_when(passes) is None
            assert bool(plan.strange) is found
            plan.strange.clear()
    plan(Request(0, "GET", "/events", {"last-event-id": "7"}, b"", 0))
    assert plan.strange == ["a resume after '7', which is no event's id"]
