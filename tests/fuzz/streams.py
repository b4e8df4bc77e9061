# ruff: noqa: E501 - a row of words reads best on one line
"""Targets that read from a wire: an editor's frames and messages, a server's streams."""

from __future__ import annotations

import json

import httpcore
import httpx

from rdev_bridge.core.resume import GiveUp, Resume, Wait, retry_after_s
from rdev_bridge.editor.frames import FrameDecoder
from rdev_bridge.editor.peer import Method, NoParams, Peer
from rdev_bridge.errors import RdevError
from rdev_bridge.remote.client import _refusal, _started
from rdev_bridge.remote.events import read_complete, read_error, read_missing, read_output
from rdev_bridge.remote.unreachable import Whereabouts
from tests.fuzz.target import Target, cuts
from tests.remote.reference import interpret
from tests.remote.test_bulk import expected, flat
from tests.remote.test_rechunk import bodies, rechunked
from tests.remote.test_sse import decoded

_GOOD = b'{"jsonrpc":"2.0","method":"$/good"}'


def frames(data: bytes) -> None:
    """Any bytes: never an exception, the same frames however they arrive, and a good frame after a while is found."""
    results = []
    for pieces in cuts(data):
        decoder = FrameDecoder()
        results.append([item for piece in pieces for item in decoder.feed(piece)])
    assert all(repr(result) == repr(results[0]) for result in results)
    decoder = FrameDecoder()
    decoder.feed(data)
    decoder.feed(b"\r\n\r\n" + b"y" * 9000)
    frame = b"Content-Length: %d\r\n\r\n%b" % (len(_GOOD), _GOOD)
    found = decoder.feed(frame * 2)
    # Unless it was promised a body so long that it still waits for it.
    assert _GOOD in found or b"ontent-" in data


def messages(data: bytes) -> None:
    """Any body: never an exception, answers that are JSON-RPC, at most one for each, and no traceback in them."""
    sent: list[bytes] = []
    peer = Peer(sent.append, lambda: None)
    peer.requests["initialize"] = Method(NoParams, lambda _: {})
    peer.requests["echo"] = Method(dict[str, int], lambda params: params)
    for body in data.split(b"\n"):
        before = len(sent)
        peer.receive(body)
        assert len(sent) - before <= 1
    for answer in map(json.loads, sent):
        assert answer["jsonrpc"] == "2.0"
        assert "id" in answer
        assert ("result" in answer) != ("error" in answer)
        if "error" in answer:
            assert isinstance(answer["error"]["code"], int)
            assert "Traceback" not in answer["error"]["message"]


def event_streams(data: bytes) -> None:
    """Any bytes: the events of the standard, as a plain reading of it has them, whatever the cuts and the fast ways."""
    wanted = interpret(data)
    for pieces in cuts(data):
        events, last_event_id, retry_ms = decoded(pieces)
        assert events == wanted.events
        assert last_event_id == wanted.last_event_id
        assert min(retry_ms or 0, 10**15) == (wanted.retry_ms or 0)
        assert flat(pieces) == expected(data)


def event_payloads(data: bytes) -> None:
    """Any payload: an answer or None, an exit code only where one stands, and one harmless line for a person."""
    text = data.decode("utf-8", "replace")
    read_output(text)
    complete = read_complete(text)
    assert complete is None or "exit_code" in json.loads(text)
    assert all(c.isprintable() or c == "\t" for c in read_error(text))
    assert read_missing(text) >= -1


def event_ids(data: bytes) -> None:
    """Any ids: the position is one that was admitted, what was kept is never kept again, every end is a decision."""
    ids = [one.decode("utf-8", "replace") for one in data.split(b"\n")]
    resume = Resume(None, 0.0, lambda: 0.5)
    resume.opened(0.0)
    for start in range(0, len(ids), 3):
        batch = ids[start : start + 3]
        admission = resume.admit(batch)
        assert admission.keep is None or len(admission.keep) == len(batch)
        assert admission.missing >= 0
        assert resume.position is None or resume.position in ids
    assert isinstance(resume.broke(1.0, "x"), Wait | GiveUp)
    resume.opened(2.0)
    if resume.position and ids[-1]:
        again = resume.admit([resume.position])
        assert again.keep in ([False], None)
    status = sum(data) % 600
    decision = resume.refused(3.0, status, retry_after_s(data.decode("latin-1")))
    assert isinstance(decision, GiveUp) or 0 <= decision.delay_s <= 400


def http_chunks(data: bytes) -> None:
    """Any answer: the bodies that h11 reads from it as it came, or a refusal."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for stream in (data, head + data):
        wanted = bodies([stream])
        for pieces in cuts(stream):
            try:
                made = bodies(rechunked(pieces))
            except httpcore.RemoteProtocolError:
                assert not wanted or wanted[-1][0] == -1, "only what h11 refuses, too, or what never ends"
                continue
            assert made == wanted


def start_answers(data: bytes) -> None:
    """Any answer to the start call: a stream id, or an error in words that steer no terminal."""
    where = Whereabouts("the server", setting="its url")
    for status in (200, 201, 204, 302, 400, 401, 404, 500):
        response = httpx.Response(
            status,
            request=httpx.Request("POST", "http://x"),
            headers=[(b"rdev-features", data[:50])],
        )
        try:
            assert _started(response, data, where, "demo").stream_id
        except RdevError as error:
            assert all(c.isprintable() for c in str(error))
        assert all(c.isprintable() or c == "\t" for c in str(_refusal(response, data, where, "demo")))


TARGETS = {
    "frames": Target(
        frames, (b"Content-Length: ", b"content-length:", b"\r\n\r\n", b"\n", b"2", b"99999999999", b"-1", b"{}", b" ")
    ),
    "messages": Target(
        messages,
        (b'{"jsonrpc":"2.0",', b'"id":1,', b'"id":null,', b'"method":"initialize"', b'"method":"echo",', b"}", b"[", b"]",
         b'"params":{"a":1}', b'"result":', b'"error":{}', b"\n", b'"shutdown"', b"1e999", b"\xff", b'"\\ud800"'),
    ),
    "event_streams": Target(
        event_streams,
        (b"data: ", b"data", b"event: output\n", b"id: ", b"retry: ", b":", b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"7",
         b'{"line":"x","stream":"stdout"}', b"\xef\xbb\xbf", b"\xff", b"event: complete\n", b'"partial":true', b"\xe2\x80\xa8"),
    ),
    "event_payloads": Target(
        event_payloads,
        (b'{"line":', b'"exit_code":', b'"message":', b'"missing":', b"null", b"1e400", b"-1", b"9" * 30, b"true", b"}", b"[" * 50,
         b'"\\u001b]0;x\\u0007"', b"1.5"),
    ),
    "event_ids": Target(event_ids, (b"\n", b"1", b"2", b"10", b"a", b"\n\n", b"0", b"-1", b"\0", b"9" * 20, b"Wed, 21 Oct")),
    "http_chunks": Target(
        http_chunks,
        (b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"\r\n", b"5\r\nhello\r\n",
         b"0\r\n\r\n", b"1", b"f", b";a=b", b"HTTP/1.1 103 Early\r\n\r\n", b"00", b"x"),
    ),
    "start_answers": Target(
        start_answers, (b'{"data":', b'{"id":', b'"x"', b"7", b'""', b"}", b'{"error":{"message":"\\u009b"}}', b"null", b"\xff")
    ),
}  # fmt: skip
