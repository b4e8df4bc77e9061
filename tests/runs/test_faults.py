"""A run's end where the server is slow, refuses or dies: nothing is called ended that may still be running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from rdev_bridge import places
from rdev_bridge.app import App
from rdev_bridge.errors import RdevError
from rdev_bridge.model import Outcome, RunRequest
from rdev_bridge.remote.embedded import Address, Lease
from rdev_bridge.runs.attach import end_elsewhere
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.remote.test_embedded import is_alive
from tests.server.served import serving
from tests.support.foreign_server import ForeignServer
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = Fault(answer=b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")


def app_of(folder: Path, server: ForeignServer, url: str) -> App:
    named = {"RDEV_URL": url, "RDEV_PROJECT": server.project, "RDEV_API_KEY": server.key}
    return App([folder], os.environ | named)


@pytest.mark.parametrize(("later", "outcome"), [(PASS, Outcome.CANCELLED), (REFUSED, Outcome.LOST)])
async def test_a_cancel_during_a_slow_start_says_what_is_known(later: Fault, outcome: Outcome, tmp_path: Path) -> None:
    def plan(request: Request) -> Fault:
        return Fault(cut_at=0, how="silence") if request.number == 0 else later

    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with app_of(tmp_path, server, proxy.url) as app:
            run_id = app.runner.submit(RunRequest(folder=tmp_path, command="sleep 1000")).run_id
            await eventually_async(lambda: server.starts, what="the command's start")
            app.runner.cancel(run_id)
            async with asyncio.timeout(60):
                run = await app.runner.wait(run_id)
        assert run.outcome is outcome
        if outcome is Outcome.CANCELLED:
            assert next(iter(server.commands.values())).done


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "never answered"])
async def test_a_cancel_where_the_stream_cannot_be_had_waits_for_no_last_words(silent: bool, tmp_path: Path) -> None:
    """A proxy may refuse long answers, and let the short ones through that a cancel is made of."""
    stuck = Fault(cut_at=0, how="silence") if silent else REFUSED
    async with (
        ForeignServer(cwd=str(tmp_path)) as server,
        FaultProxy(server.port, lambda request: stuck if request.target.endswith("=cmd-000") else PASS) as proxy,
        app_of(tmp_path, server, proxy.url) as app,
    ):
        run_id = app.runner.submit(RunRequest(folder=tmp_path, command="touch there; exec sleep 1000")).run_id
        await eventually_async((tmp_path / "there").exists, what="the command")
        app.runner.cancel(run_id)
        await eventually_async(lambda: next(iter(server.commands.values())).done, what="the command's end")
        dead_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(60):
            assert (await app.runner.wait(run_id)).outcome is Outcome.CANCELLED
    assert asyncio.get_running_loop().time() - dead_s < 5.0, "about a second; ten where the stream is open"


async def test_a_bridge_that_ends_during_a_slow_start_ends_the_command(tmp_path: Path) -> None:
    def plan(request: Request) -> Fault:
        return Fault(cut_at=0, how="silence") if request.number == 0 else PASS

    async with ForeignServer() as server, FaultProxy(server.port, plan) as proxy:
        async with app_of(tmp_path, server, proxy.url) as app:
            app.runner.submit(RunRequest(folder=tmp_path, command="sleep 1000"))
            await eventually_async(lambda: server.starts, what="the command's start")
        await eventually_async(lambda: next(iter(server.commands.values())).done, what="the command's end")


async def test_an_embedded_server_that_cannot_come_back_makes_the_run_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> Address:
        raise RdevError("the embedded server did not start", reason="embeddedServer")

    async with App([tmp_path], dict(os.environ)) as app:
        run_id = app.runner.submit(
            RunRequest(folder=tmp_path, command="printf %0100000d 7; until [ -e go ]; do sleep 0.05; done")
        ).run_id
        log_path = app.runner.live[run_id].run.log_path
        await eventually_async(lambda: log_path.exists() and log_path.stat().st_size, what="the output")
        with monkeypatch.context() as patch:
            patch.setattr(Lease, "find", broken)
            address = json.loads((places.runtime_dir(tmp_path) / "address.json").read_text())
            os.kill(address["pid"], signal.SIGKILL)
            async with asyncio.timeout(60):
                run = await app.runner.wait(run_id)
    assert (run.outcome, run.lines) == (Outcome.LOST, 1), "its last line is told, ended or not"
    assert run.message == "the embedded server did not start"
    (tmp_path / "go").touch()


async def test_a_server_killed_under_a_silent_command_makes_it_lost_and_ends_it(tmp_path: Path) -> None:
    async with App([tmp_path], dict(os.environ)) as app:
        run_id = app.runner.submit(RunRequest(folder=tmp_path, command="echo $$ >pid; exec sleep 1000")).run_id
        await eventually_async(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        address = json.loads((places.runtime_dir(tmp_path) / "address.json").read_text())
        os.kill(address["pid"], signal.SIGKILL)
        async with asyncio.timeout(60):
            run = await app.runner.wait(run_id)
        assert run.outcome is Outcome.LOST
        pid = int((tmp_path / "pid").read_text())
        await eventually_async(lambda: not is_alive(pid), what="the command's end")


async def test_a_cancel_from_elsewhere_that_fails_leaves_the_run_its_own_end(tmp_path: Path) -> None:
    def plan(request: Request) -> Fault:
        return REFUSED if request.method == "POST" and request.number else PASS

    request = RunRequest(folder=tmp_path, command="until [ -e go ]; do sleep 0.05; done")
    async with (
        ForeignServer(cwd=str(tmp_path)) as server,
        FaultProxy(server.port, plan) as proxy,
        app_of(tmp_path, server, proxy.url) as owner,
        app_of(tmp_path, server, proxy.url) as other,
    ):
        run_id = owner.runner.submit(request).run_id
        assert await owner.runner.wait_started(run_id)
        with pytest.raises(RdevError, match="may still be running"):
            await end_elsewhere(other.runner, run_id)
        (tmp_path / "go").touch()
        async with asyncio.timeout(60):
            run = await owner.runner.wait(run_id)
    assert (run.outcome, run.exit_code) == (Outcome.SUCCEEDED, 0)


async def test_a_cancel_from_elsewhere_reads_none_of_the_output(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with serving(tmp_path / "root", tmp_path / "state") as server:
        async with FaultProxy(server.port) as proxy:
            named = {"RDEV_URL": proxy.url, "RDEV_PROJECT": "p", "RDEV_API_KEY": server.key}
            async with App([tmp_path], os.environ | named) as owner, App([tmp_path], os.environ | named) as other:
                request = RunRequest(folder=tmp_path, command="seq 1 1000; exec sleep 1000")
                run_id = owner.runner.submit(request).run_id
                live = owner.runner.live[run_id]
                await eventually_async(lambda: live.run.lines == 1000, what="the output")
                before = len(proxy.requests)
                assert (await end_elsewhere(other.runner, run_id)).outcome is Outcome.CANCELLED
            assert not [request for request in proxy.requests[before:] if request.is_stream]


async def test_names_that_are_no_utf8_and_stay_behind_cost_no_run(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    for number in range(7):
        (here / os.fsdecode(b"%d\xff" % number)).symlink_to("/etc/passwd")
    (here / "rdev.toml").write_text(f'remote_root = "{there}"\n[tasks.t]\ncommand = "exit 3"\nsync = "push"\n')
    async with ForeignServer(cwd=str(there)) as server, app_of(here, server, server.url) as app:
        run_id = app.runner.submit(RunRequest(folder=here, task=app.tasks()[0])).run_id
        async with asyncio.timeout(60):
            run = await app.runner.wait(run_id)
    assert (run.outcome, run.exit_code) == (Outcome.FAILED, 3)
    five = ", ".join(f"{number}\\xff: an absolute link" for number in range(5))
    assert run.message == f"not brought over: {five} and 2 more"
