"""What a person at a terminal sees when the connection or the server breaks: one line, and never an invented end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.bridge import PATIENCE_S, Bridge
from tests.faults.cuts import after_events
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.soak.work import KEY, Server
from tests.support.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Use = Callable[[Callable[[Request], Fault]], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "served") as served:
        yield served


@pytest.fixture
def proxied(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    with Background() as here:

        def use(plan: Callable[[Request], Fault]) -> None:
            proxy = here.enter(FaultProxy(server.port, plan))
            monkeypatch.setenv("RDEV_URL", proxy.url)

        monkeypatch.setenv("RDEV_PROJECT", server.project)
        monkeypatch.setenv("RDEV_API_KEY", KEY)
        yield use


def test_a_broken_connection_costs_two_lines_and_nothing_else(bridge: Bridge, proxied: Use) -> None:
    def plan(request: Request) -> Fault:
        number = request.stream_number
        return PASS if number is None or number > 2 else Fault(cut_when=after_events(1, 20))

    proxied(plan)
    done = bridge.run("seq 1 20; exit 3")
    assert done.stdout == b"".join(b"%d\n" % n for n in range(1, 21))
    assert done.returncode == 3
    said = done.stderr.decode().splitlines()
    assert len(said) == 2 * 3
    assert set(said[::2]) == {said[0]}
    assert "lost: " in said[0]
    assert said[0].endswith("reconnecting, the command goes on")
    assert said[1].endswith(" resumed")


def test_a_lost_answer_to_the_start_call_is_125_and_says_what_is_known(
    bridge: Bridge, server: Server, proxied: Use
) -> None:
    proxied(lambda request: Fault(cut_at=0) if request.number == 0 else PASS)
    done = bridge.run("echo x >> started; exec sleep 600")
    assert (done.stdout, done.returncode, done.stderr.count(b"\n")) == (b"", 125, 1)
    assert b"it does not run" in done.stderr
    started = server.folder / "started"
    assert not started.exists() or started.read_text() == "x\n"


def test_a_server_that_dies_and_comes_back_is_125_said_once(bridge: Bridge, server: Server, proxied: Use) -> None:
    proxied(lambda _: PASS)
    process = bridge.start("run", "--", "echo ready; exec sleep 600")
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"ready\n"
        server.kill_and_start()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (out, process.returncode) == (b"", 125)
    assert err.decode().count("ended while this command ran") == 1


@pytest.mark.parametrize("given", ["RDEV_URL", "--url", "url of [servers.far] in {config}"])
def test_a_name_that_nobody_knows_is_125(
    bridge: Bridge, given: str, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the message says where the name was given."""
    url, config = "https://nowhere.invalid", own_home / ".config/rdev-bridge/config.toml"
    config.parent.mkdir()
    config.write_text(f'[servers.far]\nurl = "{url}"\n')
    options = {"RDEV_URL": [], "--url": ["--url", url]}.get(given, ["--server", "far"])
    if given == "RDEV_URL":
        monkeypatch.setenv("RDEV_URL", url)
    done = bridge.run("true", *options)
    assert (done.stdout, done.returncode, done.stderr.count(b"\n")) == (b"", 125, 1)
    assert done.stderr.decode() == (
        "rdev-bridge: the server at nowhere.invalid:443 cannot be reached (its name cannot be looked up); "
        f"nothing was started; check {given.format(config=config)}, or your network or VPN\n"
    )


def test_a_key_that_is_refused_is_125_and_says_what_to_do(
    bridge: Bridge, proxied: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxied(lambda _: PASS)
    monkeypatch.setenv("RDEV_API_KEY", "wrong")
    done = bridge.run("true")
    assert (done.stdout, done.returncode, done.stderr.count(b"\n")) == (b"", 125, 1)
    assert b"rdev-bridge login" in done.stderr
