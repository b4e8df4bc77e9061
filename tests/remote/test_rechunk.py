"""Fewer chunks, the same bodies: checked by reading both with h11, at every split."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import h11
import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.remote.rechunk import Rechunker

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(*payloads: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in payloads) + b"0\r\n\r\n"


def bodies(pieces: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """What an HTTP client makes of a connection: status and body of each response; an error ends the list."""
    read: list[tuple[int, bytes]] = []
    connection = h11.Connection(h11.CLIENT)
    send = h11.Request(method="GET", target="/", headers=[("Host", "x")])
    connection.send(send)
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        for piece in [*pieces, b""]:
            if not piece and connection.their_state is h11.SEND_RESPONSE:
                break
            connection.receive_data(piece)
            while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response):
                    status, body = event.status_code, b""
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    read.append((status, body))
                    if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                        return read
                    connection.start_next_cycle()
                    connection.send(send)
                    connection.send(h11.EndOfMessage())
                elif isinstance(event, h11.ConnectionClosed):
                    return read
    except h11.RemoteProtocolError:
        read.append((-1, body))
    return read


def rechunked(pieces: Iterable[bytes]) -> list[bytes]:
    rechunker = Rechunker()
    return [made for piece in pieces if (made := rechunker.feed(piece))]


CASES = {
    "chunks": HEAD + chunks(b"a", b"bc", b"d" * 300),
    "one chunk": HEAD + chunks(b"hello"),
    "no chunk": HEAD + chunks(),
    "other case": HEAD.replace(b"Transfer-Encoding: chunked", b"TRANSFER-ENCODING:chunked")
    + b"A\r\n0123456789\r\n0\r\n\r\n",
    "line ends in chunks": HEAD + chunks(b"\r\n", b"0\r\n\r\n", b"5\r\nabcde\r\n"),
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "length, then chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + HEAD + chunks(b"a", b"b"),
    "chunks, then chunks": HEAD + chunks(b"a", b"b") + HEAD + chunks(b"c", b"d"),
    "no body, then chunks": b"HTTP/1.1 204 No\r\n\r\n" + HEAD + chunks(b"a", b"b"),
    "early hints": b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + HEAD + chunks(b"a", b"b"),
    "until the end": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "extensions": HEAD + b"5;a=b\r\nhello\r\n" + chunks(b"more"),
    "trailers": HEAD + b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "long zeros": HEAD + b"5\r\nhello\r\n000\r\n\r\n",
    "leading zeros": HEAD + b"0005\r\nhello\r\n" + chunks(),
    "cut off": HEAD + b"5\r\nhello\r\n5\r\nhel",
    "cut off in a size": HEAD + b"5\r\nhello\r\n5",
    "no size": HEAD + b"5\r\nhello\r\nxyz\r\n",
    "negative": HEAD + b"-5\r\nhello\r\n",
    "too long a size": HEAD + b"fffffffff\r\nhello\r\n",
}


@pytest.mark.parametrize("stream", CASES.values(), ids=CASES)
def test_same_bodies_at_every_split(stream: bytes) -> None:
    wanted = bodies([stream])
    assert bodies(rechunked([stream])) == wanted
    assert bodies(rechunked(stream[i : i + 1] for i in range(len(stream)))) == wanted
    for cut in range(len(stream) + 1):
        assert bodies(rechunked([stream[:cut], stream[cut:]])) == wanted, f"cut at {cut}"


@pytest.mark.parametrize(
    "pieces", [[HEAD + b"5\r\nhelloXX3\r\nabc\r\n"], [HEAD + b"5\r\nhel", b"loab", b"3\r\nabc\r\n"]]
)
def test_a_chunk_longer_than_it_said_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(httpcore.RemoteProtocolError, match="does not end where it said"):
        rechunked(pieces)


PAYLOADS = st.binary(min_size=1, max_size=20) | st.sampled_from(
    [b"\r\n5\r\n", b"a\r\n1\r\nb", b"\r\n0\r\n\r\n", b"x\r"]
)


@given(st.lists(st.lists(PAYLOADS, max_size=6), min_size=1, max_size=3), st.data())
def test_any_bodies_at_any_split(responses: list[list[bytes]], data: st.DataObject) -> None:
    stream = b"".join(HEAD + chunks(*payloads) for payloads in responses)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert bodies(rechunked(pieces)) == [(200, b"".join(payloads)) for payloads in responses]


def test_what_comes_together_is_one_chunk() -> None:
    rechunker = Rechunker()
    rechunker.feed(HEAD)
    assert rechunker.feed(b"1\r\na\r\n" * 100) == b"64\r\n" + b"a" * 100 + b"\r\n"
    assert rechunker.feed(b"1\r\na\r\n3\r\nb") == b"2\r\nab\r\n"
    assert rechunker.feed(b"cd\r\n0\r\n\r\n") == b"2\r\ncd\r\n0\r\n\r\n"


def test_a_head_whose_lines_end_otherwise_fills_no_memory() -> None:
    rechunker = Rechunker()
    assert rechunker.feed(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n")
    tracemalloc.start()
    try:
        for _ in range(2_000):
            assert len(rechunker.feed(b"3ff\r\n" + b"x" * 1023 + b"\n")) == 1029
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000
