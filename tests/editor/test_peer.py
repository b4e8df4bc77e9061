"""The peer alone: cancelling, asking, and order. The gates are shown with the real daemon (test_gates)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.editor.peer import Method, NoParams, Peer, Phase, Unanswered
from rdev_bridge.errors import RdevError
from tests.support.wait import eventually_async


class Wire:
    """A running peer, and what it sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.peer = Peer(lambda body: self.sent.append(json.loads(body)), lambda: None)
        self.peer.phase = Phase.RUNNING

    def receive(self, **message: Any) -> None:
        self.peer.receive(json.dumps({"jsonrpc": "2.0", **message}).encode())


@pytest.mark.parametrize("number", [5, "five"])
async def test_cancel_request_ends_the_work_and_answers(number: Any) -> None:
    wire, ended = Wire(), asyncio.Event()

    async def forever(_: None) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    wire.peer.requests["slow"] = Method(NoParams, forever)
    wire.receive(id=number, method="slow")
    await asyncio.sleep(0)
    wire.receive(method="$/cancelRequest", params={"id": number})
    await ended.wait()
    await asyncio.sleep(0)
    assert [(m["id"], m["error"]["code"]) for m in wire.sent] == [(number, -32800)]


@pytest.mark.parametrize("end", [{"method": "$/cancelRequest", "params": {"id": 1}}, {"id": 2, "method": "shutdown"}])
async def test_what_is_cancelled_in_the_same_read_is_answered_too(end: dict[str, Any]) -> None:
    wire = Wire()
    wire.peer.requests["slow"] = Method(NoParams, lambda _: asyncio.Event().wait())
    wire.receive(id=1, method="slow")
    wire.receive(**end)
    await eventually_async(lambda: any(message["id"] == 1 for message in wire.sent))
    assert [message["error"]["code"] for message in wire.sent if message["id"] == 1] == [-32800]


async def test_an_id_that_is_under_way_starts_nothing_more() -> None:
    wire, started = Wire(), []

    async def forever(_: None) -> None:
        started.append(1)
        await asyncio.Event().wait()

    wire.peer.requests["slow"] = Method(NoParams, forever)
    wire.receive(id=1, method="slow")
    wire.receive(id=1, method="slow")
    await asyncio.sleep(0)
    wire.receive(method="$/cancelRequest", params={"id": 1})
    for _ in range(3):
        await asyncio.sleep(0)
    assert started == [1]
    assert [message["error"]["code"] for message in wire.sent] == [-32600, -32800]


async def test_shutdown_cancels_what_is_under_way_and_answers_it() -> None:
    wire = Wire()
    wire.peer.requests["slow"] = Method(NoParams, lambda _: asyncio.Event().wait())
    wire.receive(id=1, method="slow")
    await asyncio.sleep(0)
    wire.receive(id=2, method="shutdown")
    await eventually_async(lambda: len(wire.sent) == 2)
    assert {m["id"]: m.get("error", {}).get("code") for m in wire.sent} == {1: -32800, 2: None}


async def test_asking_gives_the_client_s_answer() -> None:
    wire = Wire()
    asked = asyncio.create_task(wire.peer.ask("window/showDocument", {"uri": "x"}))
    await asyncio.sleep(0)
    wire.receive(id=wire.sent[0]["id"], result={"success": True})
    assert await asked == {"success": True}


async def test_null_is_an_answer() -> None:
    wire = Wire()
    asked = asyncio.create_task(wire.peer.ask("x", None))
    await asyncio.sleep(0)
    wire.receive(id=wire.sent[0]["id"], result=None)
    assert await asked is None


async def test_an_error_is_no_answer() -> None:
    wire = Wire()
    asked = asyncio.create_task(wire.peer.ask("x", None))
    await asyncio.sleep(0)
    wire.receive(id=wire.sent[0]["id"], error={"code": -32601, "message": "what?"})
    with pytest.raises(Unanswered, match="what"):
        await asked


async def test_silence_ends_with_the_time_limit_and_a_late_answer_is_let_pass() -> None:
    wire = Wire()
    with pytest.raises(Unanswered, match="did not answer"):
        await wire.peer.ask("x", None, timeout_s=0.01)
    wire.receive(id=wire.sent[0]["id"], result=1)
    assert len(wire.sent) == 1


async def test_faults_of_ours_show_no_inside(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()

    def broken(_: None) -> None:
        raise KeyError("a secret detail")

    def unencodable(_: None) -> object:
        return object()

    def refused(_: None) -> None:
        raise RdevError("no such server", reason="unreachable")

    wire.peer.requests |= {m.__name__: Method(NoParams, m) for m in (broken, unencodable, refused)}
    for name in ("broken", "unencodable", "refused"):
        wire.receive(id=name, method=name)
    codes = {m["id"]: (m["error"]["code"], m["error"].get("data")) for m in wire.sent}
    assert codes == {
        "broken": (-32603, None),
        "unencodable": (-32603, None),
        "refused": (-32803, {"reason": "unreachable"}),
    }
    assert "secret detail" not in json.dumps(wire.sent)
    assert "secret detail" in caplog.text


class _Strict(msgspec.Struct):
    number: int


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
messages = st.dictionaries(
    st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"]),
    st.one_of(st.sampled_from(["2.0", "strict", "initialize", "shutdown"]), json_values),
)


@given(st.lists(st.one_of(st.binary(max_size=30), messages.map(lambda m: json.dumps(m).encode())), max_size=6))
def test_no_message_breaks_the_peer(bodies: list[bytes]) -> None:
    async def scenario() -> None:
        wire = Wire()
        wire.peer.requests["strict"] = Method(_Strict, lambda params: params.number)
        for body in bodies:
            wire.peer.receive(body)
        wire.peer.phase = Phase.RUNNING
        wire.receive(id="last", method="strict", params={"number": 5})
        assert wire.sent[-1] == {"jsonrpc": "2.0", "id": "last", "result": 5}
        assert all(("result" in message) != ("error" in message) for message in wire.sent)

    asyncio.run(scenario())
