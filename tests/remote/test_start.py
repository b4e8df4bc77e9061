"""The start call: one command, whatever answer is lost; tried again only where surely nothing was started."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import httpx
import pytest

from rdev_bridge.errors import RdevError
from rdev_bridge.model import RemoteServer, Secret, Target
from rdev_bridge.remote import client, http
from rdev_bridge.remote.connect import open_server
from rdev_bridge.remote.items import CommandSpec, Completed
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.remote.desk import QUICK, bound, connect, gather
from tests.support.foreign_server import ForeignServer
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdev_bridge.core.resume import Wait


def answer(status: int, body: str = "", headers: str = "") -> Fault:
    kind = "Content-Type: application/json\r\n" if body else ""
    return Fault(answer=f"HTTP/1.1 {status} X\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode())


def first_start(fault: Fault) -> Callable[[Request], Fault]:
    """A plan: the first start call meets `fault`."""
    return lambda request: fault if request.number == 0 else PASS


@pytest.mark.parametrize("status", [429, 503])
async def test_tried_again_where_the_server_says_later(status: int) -> None:
    def plan(request: Request) -> Fault:
        return answer(status, headers="Retry-After: 0\r\n") if request.number < 2 else PASS

    async with (
        ForeignServer() as server,
        FaultProxy(server.port, plan) as proxy,
        connect(server, proxy.url) as connector,
    ):
        followed = await gather((await connector.start(CommandSpec("echo once"))).follow(None))
    assert followed.lines == [("stdout", "once")]
    assert len(server.starts) == 1
    keys = {request.headers["idempotency-key"] for request in proxy.requests if request.method == "POST"}
    assert len(keys) == 1
    assert len(keys.pop()) >= 32


async def test_tried_again_while_nobody_listens() -> None:
    async with ForeignServer() as server, FaultProxy(server.port) as proxy, connect(server, proxy.url) as connector:
        waits: list[Wait] = []

        async def listen_after_two(wait: Wait) -> None:
            waits.append(wait)
            if len(waits) == 2:
                await proxy.listen()

        await proxy.refuse()
        followed = await gather((await connector.start(CommandSpec("echo once"), listen_after_two)).follow(None))
    assert followed.lines == [("stdout", "once")]
    assert len(server.starts) == 1
    assert [(wait.attempt, wait.reached) for wait in waits] == [(1, False), (2, False)]
    assert waits[0].why.endswith("cannot be reached (connection refused)")


async def test_not_tried_for_longer_than_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.START_RETRY_S == 30.0
    monkeypatch.setattr(client, "START_RETRY_S", 0.3)
    later = answer(503)
    async with (
        ForeignServer() as server,
        FaultProxy(server.port, lambda _: later) as proxy,
        connect(server, proxy.url) as c,
    ):
        with pytest.raises(RdevError, match="status 503"):
            await c.start(CommandSpec("echo never"))
        assert 1 <= len(proxy.requests) <= 4
        await proxy.refuse()
        with pytest.raises(RdevError, match=r"cannot be reached.*nothing was started"):
            await c.start(CommandSpec("echo never"))
    assert server.starts == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 501])
async def test_other_refusals_are_final_and_say_what_the_server_said(status: int) -> None:
    fault = answer(status, '{"error": {"message": "because \\u001b]0;title\\u0007 of it"}}')
    async with ForeignServer() as server, FaultProxy(server.port, lambda _: fault) as proxy:
        async with connect(server, proxy.url) as connector:
            with pytest.raises(RdevError) as caught:
                await connector.start(CommandSpec("echo never"))
        assert len(proxy.requests) == 1
    assert r"because \x1b]0;title\x07 of it" in str(caught.value)
    assert server.key not in str(caught.value)


@pytest.mark.parametrize("status", [502, 504, 520, 524])
async def test_a_gateways_word_does_not_say_that_nothing_was_started(status: int) -> None:
    """It heard nothing from the server, which may have got the call; and for a moment it may know no better."""
    said = answer(status, '{"error": {"message": "no upstream"}}')
    faults = {0: Fault(instead=said.answer), 1: said, 2: said}
    plan = lambda request: faults.get(request.number, PASS)  # noqa: E731 - a table lookup
    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with connect(server, proxy.url) as connector:
            with pytest.raises(client.AnswerLostError) as caught:
                await connector.start(CommandSpec("sleep 1000"))
        assert str(caught.value) == (
            f"a gateway before the server at 127.0.0.1:{proxy.port} answers {status} (no upstream); whether the "
            "command was started is not known; it does not run now"
        )
        assert len(server.starts) == 2, "the command once, and its cancel"
        first = next(iter(server.commands.values()))
        await eventually_async(lambda: first.done, what="the end of the command that nobody watches")


async def test_a_gateway_that_stays_out_of_order_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdev_bridge.remote.running._CANCEL_PAUSES_S", (0.0,))
    async with (
        ForeignServer() as server,
        FaultProxy(server.port, lambda _: answer(502)) as proxy,
        connect(server, proxy.url) as connector,
    ):
        with pytest.raises(client.AnswerLostError, match=r"answers 502; whether .* is not known; it may run there$"):
            await connector.start(CommandSpec("echo never"))
    assert len(proxy.requests) == 3


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("wrong", "refuses the key (status 401"),
        (None, "needs a key (status 401"),
    ],
)
async def test_a_wrong_key_and_a_missing_one_are_told_apart(key: str | None, said: str) -> None:
    async with ForeignServer() as server:
        target = Target(RemoteServer("work", server.url), server.project)
        secret = Secret(key) if key else None
        async with open_server(target, key=secret, environ={}, policy=QUICK) as connector:
            with pytest.raises(RdevError) as caught:
                await connector.start(CommandSpec("echo never"))
    assert said in str(caught.value)
    assert "`rdev-bridge login work` stores" in str(caught.value)
    assert str(caught.value).endswith("or set RDEV_API_KEY")


@pytest.mark.parametrize("cut_at", [0, 5, 30, 90])
@pytest.mark.parametrize("how", ["end", "reset"])
async def test_an_answer_that_is_lost_leaves_no_command_behind(cut_at: int, how: str, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    plan = first_start(Fault(cut_at=cut_at, how=how))  # type: ignore[arg-type]
    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with connect(server, proxy.url) as connector:
            with pytest.raises(RdevError, match="it does not run"):
                await connector.start(CommandSpec(f"echo $$ >{marker}; sleep 1000"))
        assert len(server.starts) == 2, "the command once, and its cancel"
        first = next(iter(server.commands.values()))
        await eventually_async(lambda: first.done, what="the end of the command that nobody watches")


async def test_an_answer_that_never_comes_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_S", 0.3)
    plan = first_start(Fault(cut_at=0, how="silence"))
    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with connect(server, proxy.url) as connector:
            assert connector.api.client.timeout == httpx.Timeout(0.3, connect=10.0, pool=None)
            with pytest.raises(RdevError, match="it does not run"):
                await connector.start(CommandSpec("sleep 1000"))
        assert len(server.starts) == 2


@pytest.mark.parametrize(
    "body", ["", "no", "[]", "{}", '{"data": null}', '{"data": {"id": ""}}', '{"data": {"id": null}}', "[" * 100_000]
)
async def test_an_answer_that_is_not_what_was_promised(body: str) -> None:
    plan = first_start(answer(200, body))
    async with (
        ForeignServer() as server,
        FaultProxy(server.port, plan) as proxy,
        connect(server, proxy.url) as connector,
    ):
        with pytest.raises(RdevError, match="holds no stream id"):
            await connector.start(CommandSpec("echo never"))


@pytest.mark.parametrize(
    "stream_id", ["../../x", "a/b?c=d&e#f", "id with blanks", "ünï", "a\r\nX-Evil: 1", "%2e%2e", "1"]
)
async def test_stream_ids_of_any_form(stream_id: str) -> None:
    async with ForeignServer() as server, connect(server) as connector:
        started = await server.add_finished([("stdout", "hello")])
        server.commands[stream_id] = server.commands.pop(started)
        url = connector.api.events_url(stream_id)
        assert url.path == f"/projects/{server.project}/events"
        followed = await gather(connector.adopt(bound(stream_id)).follow(None))
    assert followed.lines == [("stdout", "hello")]
    assert followed.end == Completed(0, 1)


@pytest.mark.parametrize("project", ["../shell", "a/b", "ä ö", "%2e%2e", "x?y", "..%2f"])
async def test_projects_of_any_form_stay_where_they_belong(project: str) -> None:
    async with ForeignServer(project=project) as server, connect(server) as connector:
        followed = await gather((await connector.start(CommandSpec("echo hello"))).follow(None))
    assert followed.lines == [("stdout", "hello")]


@pytest.mark.parametrize("project", ["", ".", ".."])
async def test_projects_that_no_url_can_hold(project: str) -> None:
    async with ForeignServer(project=project) as server, connect(server) as connector:
        with pytest.raises(RdevError, match="no name for a project"):
            await connector.start(CommandSpec("echo never"))


async def test_a_command_that_cannot_be_sent_never_starts() -> None:
    async with ForeignServer() as server, connect(server) as connector:
        with pytest.raises(RdevError, match="put it into a script file"):
            await connector.start(CommandSpec("x" * 200_000))
        assert server.starts == []


async def test_no_key_at_all_is_refused_in_words() -> None:
    async with ForeignServer() as server:
        target = Target(RemoteServer("work", server.url), server.project)
        async with open_server(target, key=Secret("wrong"), policy=QUICK) as connector:
            with pytest.raises(RdevError, match="rdev-bridge login"):
                await connector.start(CommandSpec("echo never"))


async def test_cancelled_before_the_answer_leaves_no_command_behind() -> None:
    plan = first_start(Fault(cut_at=0, how="silence"))
    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with connect(server, proxy.url) as connector:
            starting = asyncio.create_task(connector.start(CommandSpec("sleep 1000")))
            await eventually_async(lambda: server.starts, what="the command's start")
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        first = next(iter(server.commands.values()))
        await eventually_async(lambda: first.done, what="the end of the command")


async def test_cancelled_before_the_answer_and_not_ended_is_said() -> None:
    def plan(request: Request) -> Fault:
        return Fault(cut_at=0, how="silence") if request.number == 0 else answer(500)

    async with (
        ForeignServer() as server,
        FaultProxy(server.port, plan) as proxy,
        connect(server, proxy.url) as connector,
    ):
        starting = asyncio.create_task(connector.start(CommandSpec("sleep 1000")))
        await eventually_async(lambda: server.starts, what="the command's start")
        starting.cancel()
        with pytest.raises(client.AnswerLostError, match="may run there"):
            await starting


async def test_cancelled_before_anything_was_sent_sends_nothing() -> None:
    async with ForeignServer() as server, FaultProxy(server.port) as proxy, connect(server, proxy.url) as connector:
        waiting = asyncio.Event()

        async def wait(_: Wait) -> None:
            waiting.set()
            await asyncio.Event().wait()

        await proxy.refuse()
        starting = asyncio.create_task(connector.start(CommandSpec("echo never"), wait))
        await waiting.wait()
        await proxy.listen()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert proxy.requests == []


async def test_a_key_that_was_replaced_is_looked_up_again(tmp_path: Path) -> None:
    """`login` stored another one, or `api_key_command` gives keys that last an hour."""
    looked_up, key_file = tmp_path / "looked up", tmp_path / "key"
    command = ("sh", "-c", f"echo x >>'{looked_up}'; cat '{key_file}'")
    async with ForeignServer(key="first") as server:
        key_file.write_text("first")
        target = Target(RemoteServer("work", server.url, api_key_command=command), server.project)
        async with open_server(target, environ=os.environ, policy=QUICK) as connector:
            assert (await connector.ask("echo one")).stdout == "one\n"
            server.key = "second"
            with pytest.raises(RdevError, match="refuses the key"):
                await connector.ask("echo never")
            key_file.write_text("second")
            assert (await connector.ask("echo two")).stdout == "two\n"
            stream_id = await server.add_finished([("stdout", "three")])
            server.key = "third"
            key_file.write_text("third")
            looked_up.unlink()
            streams = [gather(connector.adopt(bound(stream_id)).follow(None)) for _ in range(3)]
            assert [one.lines for one in await asyncio.gather(*streams)] == [[("stdout", "three")]] * 3
            assert looked_up.read_text() == "x\n", "asked for once, though three were refused"
            key_file.unlink()
            server.key = "fourth"
            with pytest.raises(RdevError, match="refuses the key"):
                await connector.ask("echo never")
    assert len(server.starts) == 2, "a refused start is no start"
