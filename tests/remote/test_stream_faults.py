"""The test that matters: whatever breaks on the way, the same lines in the same order, once, and the right end."""

from __future__ import annotations

import random
import socket
from typing import Any

import pytest
from msgspec.structs import replace

from rdev_bridge.model import ConnectionState
from rdev_bridge.remote.items import CommandSpec, Completed, StreamLost
from tests.faults.cuts import after_events
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.remote.desk import QUICK, Followed, bound, connect, gather
from tests.support.foreign_server import ForeignServer, Ids


def mixed_lines(count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Lines of every kind: empty, coloured, in other scripts, with what JSON and SSE escape, repeated."""
    dice = random.Random(seed)
    kinds = [
        "",
        "plain",
        "\x1b[31mred\x1b[0m",
        'a "quoted" \\ back',
        "tab\tand\rreturn",
        "naïve 日本 😀",
        "data: x",
        "same",
    ]
    return [
        (dice.choice(["stdout", "stdout", "stderr"]), dice.choice(kinds) + (f" {i}" if i % 3 else ""))
        for i in range(count)
    ]


async def cut_through(lines: list[tuple[str, str]], ids: Ids, extra_bytes: int, chunked: bool = True) -> int:
    """Every connection ends `extra_bytes` into the block after the first new event. Returns the number of cuts."""

    def plan(request: Request) -> Fault:
        how = "reset" if request.number % 5 == 4 else "end"
        return Fault(cut_when=after_events(2, extra_bytes), how=how) if request.is_stream else PASS

    async with ForeignServer(ids=ids, chunk_per_event=chunked) as server:
        stream_id = await server.add_finished(lines, exit_code=7)
        async with FaultProxy(server.port, plan) as proxy, connect(server, proxy.url) as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
            assert followed.lines == lines
            assert followed.end == Completed(7, 1)
            assert followed.missing == []
            return proxy.faults


@pytest.mark.parametrize("extra_bytes", [0, 1, 2, 5, 9, 30, 64, 90, 131])
async def test_cut_in_every_event(extra_bytes: int) -> None:
    assert await cut_through(mixed_lines(25), "sequential", extra_bytes) >= 8


@pytest.mark.parametrize("ids", ["opaque", "offset"])
@pytest.mark.parametrize("extra_bytes", [3, 77])
async def test_cut_in_every_event_whatever_the_ids(ids: Ids, extra_bytes: int) -> None:
    assert await cut_through(mixed_lines(20), ids, extra_bytes, chunked=False) >= 8


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("ids", ["sequential", "opaque"])
async def test_cut_at_every_byte_whatever_the_ids(ids: Ids) -> None:
    cuts = 0
    for extra_bytes in range(160):  # longer than any event: so this is every byte of the stream
        cuts += await cut_through(mixed_lines(60), ids, extra_bytes)
    assert cuts > 160 * 25


async def test_thousands_of_lines_of_a_real_command_with_random_cuts() -> None:
    dice = random.Random(5)

    def plan(request: Request) -> Fault:
        if not request.is_stream:
            return PASS
        return Fault(cut_at=1000 + dice.randrange(30_000), how=dice.choice(["end", "reset"]))

    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with connect(server, proxy.url) as connector:
            command = await connector.start(CommandSpec("seq 1 2500; seq 1 2500 >&2; exit 9"))
            followed = await gather(command.follow(None))
        assert proxy.faults > 8
    assert [text for stream, text in followed.lines if stream == "stdout"] == [str(i) for i in range(1, 2501)]
    assert [text for stream, text in followed.lines if stream == "stderr"] == [str(i) for i in range(1, 2501)]
    assert followed.end == Completed(9, followed.end.duration_ms if isinstance(followed.end, Completed) else None)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(slice_bytes=1),
        Fault(slice_bytes=7),
        Fault(slice_bytes=50, delay_s=0.001),
    ],
    ids=["byte by byte", "seven bytes", "slow"],
)
async def test_slices(fault: Fault) -> None:
    lines = mixed_lines(30)
    async with ForeignServer() as server, FaultProxy(server.port, lambda _: fault) as proxy:
        stream_id = await server.add_finished(lines)
        async with connect(server, proxy.url) as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
    assert followed.lines == lines
    assert followed.end == Completed(0, 1)


@pytest.mark.parametrize("ids", ["sequential", "opaque", "offset"])
@pytest.mark.parametrize("fault", [{"rewind": 3}, {"forget": True}], ids=["a few again", "all again"])
async def test_duplicates_on_resume_are_dropped(ids: Ids, fault: dict[str, object]) -> None:
    lines = mixed_lines(40)

    def plan(request: Request) -> Fault:
        cut = after_events(2 + 8 * (1 + (request.stream_number or 0)), 11)
        return Fault(cut_when=cut, **fault) if request.is_stream else PASS  # type: ignore[arg-type]

    async with ForeignServer(ids=ids) as server, FaultProxy(server.port, plan) as proxy:
        stream_id = await server.add_finished(lines)
        async with connect(server, proxy.url) as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
        assert proxy.faults > 2
    assert followed.lines == lines
    assert followed.missing == []


async def test_half_open_silence_is_noticed_by_our_own_watchdog() -> None:
    def plan(request: Request) -> Fault:
        return Fault(cut_when=after_events(3, 4), how="silence") if request.stream_number == 0 else PASS

    lines = mixed_lines(10)
    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        stream_id = await server.add_finished(lines)
        async with connect(server, proxy.url, replace(QUICK, silence_s=0.3)) as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
    assert followed.lines == lines
    states = [(one.state, one.message) for one in followed.told]
    assert (ConnectionState.RECONNECTING, "the server has gone silent") in states
    assert states[-1][0] is ConnectionState.RESUMED


async def test_a_server_that_is_away_for_a_while() -> None:
    lines = mixed_lines(10)

    def plan(request: Request) -> Fault:
        return Fault(cut_when=after_events(3, 4)) if request.stream_number == 0 else PASS

    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        stream_id = await server.add_finished(lines)
        async with connect(server, proxy.url) as connector:
            states: list[ConnectionState] = []
            followed = Followed()
            async for item in connector.adopt(bound(stream_id)).follow(None):
                before = len(followed.told)
                followed.note(item)
                if len(followed.told) > before:
                    states.append(followed.told[-1].state)
                    if states == [ConnectionState.CONNECTED, ConnectionState.RECONNECTING]:
                        await proxy.refuse()
                    if states[-1] is ConnectionState.OFFLINE and ConnectionState.RESUMED not in states:
                        await proxy.listen() if states.count(ConnectionState.OFFLINE) == 1 else None
    assert followed.lines == lines
    assert states[0] is ConnectionState.CONNECTED
    assert ConnectionState.OFFLINE in states
    assert states[-1] is ConnectionState.RESUMED


async def test_a_name_that_is_not_known_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver fails after the stream broke, as it does when a laptop changes networks."""
    lines = mixed_lines(10)
    real, failures = socket.getaddrinfo, iter(range(3))

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        if proxy.requests and next(failures, None) is not None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real("127.0.0.1", *args, **options)

    def plan(request: Request) -> Fault:
        return Fault(cut_when=after_events(3, 4)) if request.stream_number == 0 else PASS

    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        stream_id = await server.add_finished(lines)
        async with connect(server, f"http://server.localhost:{proxy.port}") as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
    assert next(failures, None) is None
    assert followed.lines == lines
    states = [one.state for one in followed.told]
    assert states[-1] is ConnectionState.RESUMED
    assert ConnectionState.OFFLINE in states
    assert any("its name cannot be looked up" in (one.message or "") for one in followed.told)


async def test_without_ids_a_break_after_output_is_lost_and_before_it_is_not() -> None:
    lines = mixed_lines(10)

    def plan(request: Request) -> Fault:
        cuts = {0: after_events(1, 0), 1: after_events(1, 3), 2: after_events(4, 3)}
        number = request.stream_number
        return Fault(cut_when=cuts[number]) if number in cuts else PASS

    async with ForeignServer(ids="none") as server, FaultProxy(server.port, plan) as proxy:
        stream_id = await server.add_finished(lines)
        async with connect(server, proxy.url) as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
    assert followed.lines == lines[:3]
    assert isinstance(followed.end, StreamLost)
    assert "does not number" in followed.end.message
    assert any("does not number" in (one.message or "") for one in followed.told)


async def test_one_id_for_all_events_is_no_position() -> None:
    lines = mixed_lines(10)
    async with ForeignServer(ids="constant") as server:
        stream_id = await server.add_finished(lines)
        async with connect(server) as connector:
            followed = await gather(connector.adopt(bound(stream_id)).follow(None))
    assert followed.lines == lines
    assert followed.end == Completed(0, 1)
