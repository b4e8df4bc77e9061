"""The runner in one process, with the real embedded server: turns, dependencies, ends, and what observers are told."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rdev_bridge.app import App
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import (
    BusyPolicy,
    Connection,
    Disposition,
    OnClientExit,
    Outcome,
    Run,
    RunRequest,
    RunState,
    Trigger,
    TriggerKind,
)
from rdev_bridge.runs import log
from rdev_bridge.runs import runner as runner_module
from rdev_bridge.runs.store import RunFolder, RunStore
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rdev_bridge.runs.observer import OutputBatch

TASKS = """\
[tasks.wait]
command = "echo began; until [ -e go ]; do sleep 0.05; done; echo over"
[tasks.restart]
command = "echo began; until [ -e go ]; do sleep 0.05; done"
on_busy = "restart"
[tasks.ignore]
command = "until [ -e go ]; do sleep 0.05; done"
on_busy = "ignore"
[tasks.parallel]
command = "until [ -e go ]; do sleep 0.05; done"
on_busy = "parallel"
[tasks.a]
command = "echo a"
[tasks.b]
command = "echo b"
depends_on = ["a"]
[tasks.c]
command = "echo c"
depends_on = ["a"]
[tasks.top]
command = "echo top"
depends_on = ["b", "c"]
[tasks.forever]
command = "sleep 600"
[tasks.fails]
command = "exit 3"
[tasks.hopeless]
command = "echo never"
depends_on = ["forever", "fails"]
[tasks.incapable]
command = "echo never"
depends_on = ["forever", "named"]
[tasks.unsynced]
command = "echo never"
sync = { command = "echo not there >&2; exit 9" }
[tasks.named]
command = "echo ${relativeFile} ${changedFiles}"
"""


@dataclass
class Ear:
    """Notes what an observer is told; holds output back while `gate` is not set."""

    said: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, run: Run, what: str) -> None:
        self.said.setdefault(run.run_id, []).append(what)

    async def run_queued(self, run: Run) -> None:
        self.note(run, "queued")

    async def run_started(self, run: Run, trigger: Trigger) -> None:
        self.note(run, "started")
        self.triggers[run.run_id] = trigger

    async def output(self, run: Run, batch: OutputBatch) -> None:
        await self.gate.wait()
        lines = self.lines.setdefault(run.run_id, [])
        assert batch.seq == len(lines)
        lines += [line for chunk in batch.lines for line in chunk.lines]
        assert run.lines == len(lines) == batch.next_seq

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        self.note(run, "gap")

    async def run_finished(self, run: Run) -> None:
        assert run.state is RunState.FINISHED
        self.note(run, str(run.outcome))

    async def connection_changed(self, connection: Connection) -> None:
        del connection


@dataclass
class Desk:
    app: App
    ear: Ear
    folder: Path

    def ask(self, name: str, policy: BusyPolicy | None = None) -> tuple[str, Disposition]:
        submission = self.app.runner.submit(self.request(name, policy))
        return submission.run_id, submission.disposition

    def request(self, name: str, policy: BusyPolicy | None = None) -> RunRequest:
        task = next(task for task in self.app.tasks() if task.name == name)
        return RunRequest(folder=self.folder, task=task, on_busy=policy)

    def go(self) -> None:
        (self.folder / "go").touch()

    async def end_of(self, run_id: str) -> Run:
        async with asyncio.timeout(60):
            return await self.app.runner.wait(run_id)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "rdev.toml").write_text(TASKS)
    ear = Ear()
    ear.gate.set()
    async with App([tmp_path], dict(os.environ), observers=[ear]) as app:
        yield Desk(app, ear, tmp_path)


async def test_queue_keeps_one_waiting_and_the_newest_wins(desk: Desk) -> None:
    asked = [desk.ask("wait") for _ in range(3)]
    assert [disposition for _, disposition in asked] == [Disposition.STARTED, Disposition.QUEUED, Disposition.QUEUED]
    first, second, third = (run_id for run_id, _ in asked)
    states = {run.run_id: run.state for run in desk.app.runner.runs()}
    assert states[first] is RunState.RUNNING
    assert states[third] is RunState.QUEUED
    assert (await desk.end_of(second)).outcome is Outcome.SUPERSEDED
    desk.go()
    assert (await desk.end_of(third)).outcome is Outcome.SUCCEEDED
    assert desk.ear.said == {
        first: ["started", "succeeded"],
        second: ["queued", "superseded"],
        third: ["queued", "started", "succeeded"],
    }
    assert {run.run_id: run.outcome for run in desk.app.runner.runs()}[second] is Outcome.SUPERSEDED


async def test_restart_waits_for_the_old_ones_death(desk: Desk) -> None:
    old, _ = desk.ask("restart")
    await eventually_async(lambda: desk.ear.lines.get(old) == ["began"])
    new, disposition = desk.ask("restart")
    assert disposition is Disposition.QUEUED
    assert (await desk.end_of(old)).outcome is Outcome.SUPERSEDED
    desk.go()
    assert (await desk.end_of(new)).outcome is Outcome.SUCCEEDED


async def test_ignore_names_the_run_that_is_in_the_way(desk: Desk) -> None:
    first, _ = desk.ask("ignore")
    assert desk.ask("ignore") == (first, Disposition.IGNORED)
    desk.go()
    await desk.end_of(first)
    assert [run.run_id for run in desk.app.runner.runs()] == [first]


async def test_parallel_runs_all_at_once(desk: Desk) -> None:
    asked = [desk.ask("parallel") for _ in range(3)]
    assert {disposition for _, disposition in asked} == {Disposition.STARTED}
    desk.go()
    assert [(await desk.end_of(run_id)).outcome for run_id, _ in asked] == [Outcome.SUCCEEDED] * 3


async def test_a_waiting_run_can_be_cancelled(desk: Desk) -> None:
    first, _ = desk.ask("wait")
    waiting, _ = desk.ask("wait")
    assert desk.app.runner.cancel(waiting)
    assert (await desk.end_of(waiting)).outcome is Outcome.CANCELLED
    desk.go()
    assert (await desk.end_of(first)).outcome is Outcome.SUCCEEDED
    assert not desk.app.runner.cancel(first)
    assert not desk.app.runner.cancel("unknown")


async def test_dependencies_run_once_and_before(desk: Desk) -> None:
    top, _ = desk.ask("top")
    assert (await desk.end_of(top)).outcome is Outcome.SUCCEEDED
    children = [run for run in desk.app.runner.runs() if run.parent_run_id == top]
    assert sorted(run.task or "" for run in children) == ["a", "b", "c"]
    assert {desk.ear.triggers[run.run_id].kind for run in children} == {TriggerKind.DEPENDENCY}
    assert desk.ear.lines[top] == ["top"]


async def test_one_failure_cancels_the_rest_and_the_root_never_starts(desk: Desk) -> None:
    run = await desk.end_of(desk.ask("hopeless")[0])
    assert run.outcome is Outcome.ERROR
    assert run.message == "fails failed with exit code 3, so hopeless did not start"
    outcomes = {run.task: run.outcome for run in desk.app.runner.runs()}
    assert outcomes == {"hopeless": Outcome.ERROR, "fails": Outcome.FAILED, "forever": Outcome.CANCELLED}


async def test_a_dependency_that_can_never_run_ends_the_others_too(desk: Desk) -> None:
    root = desk.ask("incapable")[0]
    run = await desk.end_of(root)
    assert run.outcome is Outcome.ERROR
    assert "${relativeFile} needs a file" in (run.message or "")
    others = [run for run in desk.app.runner.runs() if run.parent_run_id == root]
    assert [(run.task, run.outcome) for run in others] == [("forever", Outcome.CANCELLED)]


@pytest.mark.parametrize("now", ['command = "echo else"', None], ids=["another", "taken out"])
async def test_what_a_waiting_run_depends_on_is_what_it_was_when_it_was_asked_for(desk: Desk, now: str | None) -> None:
    """Whoever named it said yes to that, and to nothing that came later."""
    first, _ = desk.ask("restart")
    await eventually_async(lambda: desk.ear.lines.get(first) == ["began"])
    asked = desk.request("b")
    assert asked.task is not None
    waiting = desk.app.runner.submit(replace(asked, task=replace(asked.task, name="restart"), on_busy=BusyPolicy.QUEUE))
    assert waiting.disposition is Disposition.QUEUED
    settings = TASKS.replace('[tasks.a]\ncommand = "echo a"\n', "" if now is None else f"[tasks.a]\n{now}\n")
    (desk.folder / "rdev.toml").write_text(settings if now else settings.replace('depends_on = ["a"]', ""))
    desk.app.reload()
    assert not desk.app.settings_errors()
    desk.go()
    assert (await desk.end_of(waiting.run_id)).outcome is Outcome.SUCCEEDED
    [child] = [run for run in desk.app.runner.runs() if run.parent_run_id == waiting.run_id]
    assert (child.task, desk.ear.lines[child.run_id]) == ("a", ["a"])


async def test_cancelling_the_root_cancels_what_it_waits_for(desk: Desk) -> None:
    tasks = {task.name: task for task in desk.app.tasks()}
    root = replace(tasks["hopeless"], depends_on=("forever",))
    run_id = desk.app.runner.submit(RunRequest(folder=desk.folder, task=root)).run_id
    await eventually_async(lambda: len(desk.ear.said) == 2)
    assert desk.app.runner.cancel(run_id)
    assert (await desk.end_of(run_id)).outcome is Outcome.CANCELLED
    assert {run.outcome for run in desk.app.runner.runs()} == {Outcome.CANCELLED}


async def ask_for_three_that_need(desk: Desk, dependency: str) -> tuple[list[str], list[str]]:
    """The ids of the three, and of the runs of what they need, in the order they were asked for."""
    task = next(task for task in desk.app.tasks() if task.name == "a")
    tops = [replace(task, name=name, depends_on=(dependency,)) for name in ("test", "lint", "docs")]
    asked = [desk.app.runner.submit(RunRequest(folder=desk.folder, task=top)).run_id for top in tops]
    await eventually_async(lambda: len(desk.ear.said) == 6)
    children = {run.parent_run_id: run.run_id for run in desk.app.runner.runs() if run.parent_run_id}
    return asked, [children[run_id] for run_id in asked]


async def test_tasks_that_need_the_same_share_the_run_that_waits(desk: Desk) -> None:
    asked, (first, second, third) = await ask_for_three_that_need(desk, "wait")
    desk.go()
    assert [(await desk.end_of(run_id)).outcome for run_id in asked] == [Outcome.SUCCEEDED] * 3
    assert desk.ear.said[first] == ["started", "succeeded"]
    assert desk.ear.said[second] == ["queued", "superseded"]
    assert desk.ear.said[third] == ["queued", "started", "succeeded"]


async def test_a_shared_dependency_is_cancelled_with_the_last_that_needs_it(desk: Desk) -> None:
    (test, lint, docs), (_, _, shared) = await ask_for_three_that_need(desk, "wait")
    desk.app.runner.cancel(docs)
    assert (await desk.end_of(docs)).outcome is Outcome.CANCELLED
    assert shared in desk.app.runner.live
    desk.app.runner.cancel(lint)
    assert (await desk.end_of(lint)).outcome is Outcome.CANCELLED
    assert (await desk.end_of(shared)).outcome is Outcome.CANCELLED
    desk.go()
    assert (await desk.end_of(test)).outcome is Outcome.SUCCEEDED


async def test_a_newer_run_of_the_user_stands_for_a_dependency_and_is_never_cancelled_for_it(desk: Desk) -> None:
    (test, lint, docs), (running, _, _) = await ask_for_three_that_need(desk, "wait")
    users, _ = desk.ask("wait")
    desk.app.runner.cancel(lint)
    assert (await desk.end_of(lint)).outcome is Outcome.CANCELLED
    desk.app.runner.cancel(running)
    assert (await desk.end_of(test)).message == "wait was cancelled, so test did not start"
    desk.go()
    assert (await desk.end_of(users)).outcome is Outcome.SUCCEEDED
    assert (await desk.end_of(docs)).outcome is Outcome.SUCCEEDED


async def test_a_run_with_other_arguments_stands_for_no_dependency(desk: Desk) -> None:
    (test, lint, docs), _ = await ask_for_three_that_need(desk, "wait")
    users = desk.app.runner.submit(replace(desk.request("wait"), arguments=("other",))).run_id
    for run_id in (lint, docs):
        assert "wait was superseded, so " in ((await desk.end_of(run_id)).message or "")
    desk.app.runner.cancel(users)
    desk.go()
    assert (await desk.end_of(test)).outcome is Outcome.SUCCEEDED


async def test_a_circle_and_an_unknown_name_are_refused_at_once(desk: Desk) -> None:
    tasks = {task.name: task for task in desk.app.tasks()}
    for depends_on, said in ((("top",), "circle: a → .*top|circle"), (("nope",), "'nope'")):
        task = replace(tasks["a"], depends_on=depends_on)
        with pytest.raises(UsageError, match=said):
            desk.app.runner.submit(RunRequest(folder=desk.folder, task=task))
    assert desk.app.runner.runs() == []


async def test_without_its_sync_a_run_never_starts(desk: Desk) -> None:
    run_id, _ = desk.ask("unsynced")
    run = await desk.end_of(run_id)
    assert run.outcome is Outcome.ERROR
    assert "not there" in (run.message or "")
    assert desk.ear.said[run_id] == ["started", "error"]


async def test_a_sync_command_needs_trust_unless_the_task_was_named(desk: Desk) -> None:
    by_change = replace(desk.request("unsynced"), trigger=Trigger(TriggerKind.CHANGE))
    run = await desk.end_of(desk.app.runner.submit(by_change).run_id)
    assert "trust" in (run.message or "")


async def test_variables_are_filled_in(desk: Desk) -> None:
    files = (desk.folder / "a b.py", desk.folder / "c.py")
    request = replace(desk.request("named"), file=files[0], trigger=Trigger(TriggerKind.SAVE, files))
    run_id = desk.app.runner.submit(request).run_id
    await desk.end_of(run_id)
    assert desk.ear.lines[run_id] == [f"a b.py {files[0]} {files[1]}"]
    with pytest.raises(UsageError, match="needs a file"):
        desk.ask("named")


async def test_a_face_that_does_not_read_holds_the_stream_but_not_the_cancel(desk: Desk) -> None:
    desk.ear.gate.clear()
    mark = f"sleep 93{os.getpid()}"
    run_id = desk.app.runner.submit(RunRequest(folder=desk.folder, command=f"seq 1 100000; exec {mark}")).run_id
    await eventually_async(lambda: desk.app.runner.live[run_id].run.lines > 0)
    await eventually_async(lambda: is_alive(mark))
    desk.app.runner.cancel(run_id)
    await eventually_async(lambda: not is_alive(mark))
    desk.ear.gate.set()
    assert (await desk.end_of(run_id)).outcome is Outcome.CANCELLED
    assert desk.ear.lines[run_id] == [str(n) for n in range(1, 100001)]


def is_alive(mark: str) -> bool:
    return subprocess.run(["pgrep", "-f", mark], capture_output=True, check=False).returncode == 0


async def test_output_can_be_read_in_pages_while_it_grows_and_after(desk: Desk) -> None:
    run_id, _ = desk.ask("wait")
    await eventually_async(lambda: desk.ear.lines.get(run_id) == ["began"])
    page = await desk.app.read_output(run_id, 0, 10)
    assert (page.seq, [chunk.lines for chunk in page.chunks]) == (0, [["began"]])
    desk.go()
    await desk.end_of(run_id)
    page = await desk.app.read_output(run_id, 1, 10)
    assert (page.seq, [chunk.lines for chunk in page.chunks]) == (1, [["over"]])
    with pytest.raises(UsageError):
        await desk.app.read_output("nope", 0, 1)


async def test_leaving_cancels_some_and_lets_go_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "CLOSE_S", 60.0)
    (tmp_path / "rdev.toml").write_text(TASKS)
    ear = Ear()
    ear.gate.set()
    mark = f"sleep 94{os.getpid()}"
    async with App([tmp_path], dict(os.environ), observers=[ear]) as app:
        asked = [
            RunRequest(folder=tmp_path, command=f"echo ready; {mark}{n}; echo late", on_client_exit=way)
            for n, way in enumerate(OnClientExit)
        ]
        gone, kept = [app.runner.submit(request).run_id for request in asked]
        await eventually_async(lambda: len(ear.lines) == 2)
        async with asyncio.timeout(60):
            await app.runner.close()
    assert ear.said == {gone: ["started", "cancelled"], kept: ["started"]}
    again = Ear()
    again.gate.set()
    async with App([tmp_path], dict(os.environ), observers=[again]) as app:
        assert {run.run_id: run.state for run in app.runner.runs()}[kept] is RunState.RUNNING
        attached = await app.runner.attach(kept, 0)
        assert (attached.seq, attached.run.run_id) == (0, kept)
        assert app.runner.live[kept].folder.is_mine
        assert attached.run.lines == 1, "what is in the log counts, though the bridge that counted it is gone"
        await eventually_async(lambda: again.lines.get(kept) == ["ready"])
        assert app.runner.cancel(kept)
        async with asyncio.timeout(60):
            assert (await app.runner.wait(kept)).outcome is Outcome.CANCELLED
    assert again.said[kept] == ["started", "cancelled"]


async def test_what_still_waits_when_the_bridge_ends_is_cancelled(tmp_path: Path) -> None:
    (tmp_path / "rdev.toml").write_text(TASKS)
    ear = Ear()
    ear.gate.set()
    async with App([tmp_path], dict(os.environ), observers=[ear]) as app:
        request = RunRequest(folder=tmp_path, task=app.tasks()[0], on_client_exit=OnClientExit.DETACH)
        kept, waiting = [app.runner.submit(request).run_id for _ in range(2)]
        assert await app.runner.wait_started(kept)
    assert ear.said[waiting] == ["queued", "cancelled"]
    async with App([tmp_path], dict(os.environ)) as app:
        found = {run.run_id: (run.state, run.outcome) for run in app.runner.runs()}
        assert found == {kept: (RunState.RUNNING, None), waiting: (RunState.FINISHED, Outcome.CANCELLED)}
        await app.runner.attach(kept)
        (tmp_path / "go").touch()
        assert (await app.runner.wait(kept)).outcome is Outcome.SUCCEEDED


async def test_a_fault_after_a_run_s_end_tells_nobody_of_it_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(RunStore, "prune", broken)
    desk.ear.gate.set()
    run_id, _ = desk.ask("a")
    life = desk.app.runner.live[run_id].task
    assert life is not None
    await life
    assert desk.ear.said[run_id] == ["started", "succeeded"]


async def test_nothing_new_starts_while_the_bridge_ends(desk: Desk) -> None:
    await desk.app.runner.close()
    with pytest.raises(RdevError, match="about to end"):
        desk.ask("a")


async def test_a_disk_that_is_full_costs_no_run_but_the_one_that_needs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = desk.ask("wait")
    await eventually_async(lambda: desk.ear.lines.get(other) == ["began"])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "here")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save", full)
        run_id, _ = desk.ask("a")
        assert (await desk.end_of(run_id)).outcome is Outcome.SUCCEEDED
        assert desk.ear.lines[run_id] == ["a"]
        patch.setattr(RunStore, "create", full)
        with pytest.raises(RdevError, match="cannot keep a record of the run: No space left on device"):
            desk.ask("a")
    with monkeypatch.context() as patch:
        patch.setattr(log, "_write", full)
        run = await desk.end_of(desk.ask("a")[0])
        assert run.outcome is Outcome.LOST
        assert "cannot keep its output, and was ended" in (run.message or "")
        assert f"end of {run.run_id}" not in {task.get_name() for task in asyncio.all_tasks()}
    desk.go()
    assert (await desk.end_of(other)).outcome is Outcome.SUCCEEDED


async def test_a_full_disk_stops_no_cancel(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "here")

    run_id, _ = desk.ask("forever")
    assert await desk.app.runner.wait_started(run_id)
    monkeypatch.setattr(RunFolder, "note_end", full)
    desk.app.runner.cancel(run_id)
    run = await desk.end_of(run_id)
    assert (run.outcome, run.message) == (Outcome.CANCELLED, None)


async def test_a_fault_of_ours_ends_one_run_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    other, _ = desk.ask("wait")
    await eventually_async(lambda: desk.ear.lines.get(other) == ["began"])

    async def broken(*_: object) -> None:
        raise RuntimeError("a fault with \udcff")

    with monkeypatch.context() as patch:
        patch.setattr(runner_module, "carry_out", broken)
        run_id, _ = desk.ask("a")
        run = await desk.end_of(run_id)
    assert (run.outcome, run.exit_code, run.message) == (Outcome.LOST, None, "the bridge failed: a fault with \ufffd")
    assert desk.ear.said[run_id] == ["started", "lost"]
    desk.go()
    assert (await desk.end_of(other)).outcome is Outcome.SUCCEEDED


async def test_a_reader_that_has_all_of_it_is_told_how_much_that_was(tmp_path: Path) -> None:
    request = RunRequest(folder=tmp_path, command="seq 1 5; until [ -e go ]; do sleep 0.05; done")
    ears = Ear(), Ear()
    for ear in ears:
        ear.gate.set()
    async with App([tmp_path], dict(os.environ), observers=[ears[0]]) as app:
        run_id = app.runner.submit(replace(request, on_client_exit=OnClientExit.DETACH)).run_id
        await eventually_async(lambda: len(ears[0].lines.get(run_id, [])) == 5)
    async with App([tmp_path], dict(os.environ), observers=[ears[1]]) as app:
        assert (await app.runner.attach(run_id, 5)).seq == 5
        (tmp_path / "go").touch()
        async with asyncio.timeout(60):
            run = await app.runner.wait(run_id)
    assert run_id not in ears[1].lines
    assert (run.outcome, run.lines) == (Outcome.SUCCEEDED, 5)


@pytest.mark.parametrize("way", ["owner lives", "owner is gone"])
async def test_whoever_attaches_leaves_a_run_its_whole_time(tmp_path: Path, way: str) -> None:
    command = "echo began; until [ -e go ]; do sleep 0.05; done"
    request = RunRequest(folder=tmp_path, command=command, timeout_s=600.0, on_client_exit=OnClientExit.DETACH)
    ear, other = Ear(), Ear()
    ear.gate.set()
    other.gate.set()
    async with contextlib.AsyncExitStack() as owner_lives:
        owner = await owner_lives.enter_async_context(App([tmp_path], dict(os.environ), observers=[ear]))
        run_id = owner.runner.submit(request).run_id
        await eventually_async(lambda: ear.lines.get(run_id) == ["began"])
        edit(owner, run_id, started_at=datetime.now(UTC) - timedelta(hours=1))  # the rest went into sync
        if way == "owner is gone":
            await owner_lives.aclose()
            edit(owner, run_id, started_at=datetime.now(UTC) - timedelta(hours=1))
        async with App([tmp_path], dict(os.environ), observers=[other]) as app:
            await app.runner.attach(run_id, 0)
            assert app.runner.live[run_id].folder.is_mine is (way == "owner is gone")
            await eventually_async(lambda: other.lines.get(run_id) == ["began"])
            (tmp_path / "go").touch()
            async with asyncio.timeout(60):
                run = await app.runner.wait(run_id)
    assert run.outcome is Outcome.SUCCEEDED


async def test_whoever_takes_a_run_over_minds_the_time_that_is_left(tmp_path: Path) -> None:
    request = RunRequest(folder=tmp_path, command="sleep 600", timeout_s=600.0, on_client_exit=OnClientExit.DETACH)
    async with App([tmp_path], dict(os.environ)) as app:
        run_id = app.runner.submit(request).run_id
        await app.runner.wait_started(run_id)
    edit(app, run_id, command_started_at=datetime.now(UTC) - timedelta(hours=1))
    async with App([tmp_path], dict(os.environ)) as app:
        await app.runner.attach(run_id)
        async with asyncio.timeout(60):
            assert (await app.runner.wait(run_id)).outcome is Outcome.TIMED_OUT


async def test_a_face_that_does_not_read_what_was_before_holds_up_no_cancel(tmp_path: Path) -> None:
    mark = f"sleep 94{os.getpid()}"
    request = RunRequest(folder=tmp_path, command=f"seq 1 1000; exec {mark}", on_client_exit=OnClientExit.DETACH)
    ears = Ear(), Ear()
    ears[0].gate.set()
    async with App([tmp_path], dict(os.environ), observers=[ears[0]]) as app:
        run_id = app.runner.submit(request).run_id
        await eventually_async(lambda: len(ears[0].lines.get(run_id, [])) == 1000)
        await eventually_async(lambda: is_alive(mark))
    async with App([tmp_path], dict(os.environ), observers=[ears[1]]) as app:
        await app.runner.attach(run_id, 0)
        await eventually_async(lambda: ears[1].said)
        assert app.runner.cancel(run_id)
        await eventually_async(lambda: not is_alive(mark), 10)
        ears[1].gate.set()
        async with asyncio.timeout(60):
            assert (await app.runner.wait(run_id)).outcome is Outcome.CANCELLED
    assert ears[1].lines[run_id] == [str(n) for n in range(1, 1001)]
    assert ears[1].said[run_id] == ["started", "cancelled"]


async def test_a_run_of_another_bridge_is_stale_but_its_record_is_left_to_that(desk: Desk) -> None:
    run_id, _ = desk.ask("wait")
    assert await desk.app.runner.wait_started(run_id)
    folder = desk.app.store(desk.folder).get(run_id)
    assert folder is not None
    before = folder.load()
    async with App([desk.folder], dict(os.environ)) as other:
        marked = other.runner.mark_stale(run_id)
    assert marked is not None
    assert (marked.state, marked.stale) == (RunState.RUNNING, True)
    assert folder.load() == before
    desk.go()
    await desk.end_of(run_id)
    assert desk.app.runner.mark_stale(run_id) is not None
    assert [run.stale for run in desk.app.runner.runs()] == [True]


async def test_an_attach_that_fails_lets_go_of_the_run(tmp_path: Path) -> None:
    async with App([tmp_path], dict(os.environ)) as app:
        run_id = app.runner.submit(RunRequest(folder=tmp_path, command="exit 3")).run_id
        await app.runner.wait(run_id)
        folder = app.store(tmp_path).get(run_id)
        stored = folder and folder.load()
        assert folder is not None
        assert stored is not None
        stored.target.url = "http://somewhere.example.com"
        folder.save(stored)
        with pytest.raises(UsageError, match="plain http to another machine"):
            await app.runner.attach(run_id, 0)
        assert not folder.is_owned()


async def test_a_cancel_that_cannot_be_written_down_harms_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "here")

    async with App([tmp_path], dict(os.environ)) as owner:
        run_id = owner.runner.submit(RunRequest(folder=tmp_path, command="sleep 600")).run_id
        assert await owner.runner.wait_started(run_id)
        async with App([tmp_path], dict(os.environ)) as app:
            with monkeypatch.context() as patch:
                patch.setattr(RunFolder, "note_end", full)
                assert app.runner.cancel(run_id)
                await eventually_async(lambda: f"cannot cancel {run_id}" in caplog.text)
            other = app.runner.submit(RunRequest(folder=tmp_path, command="echo still here")).run_id
            assert (await app.runner.wait(other)).outcome is Outcome.SUCCEEDED


def edit(app: App, run_id: str, **times: datetime) -> None:
    """Change what the record of a run says of times."""
    folder = next(store.get(run_id) for store in app.stores())
    assert folder is not None
    stored = folder.load()
    assert stored is not None
    for name, at in times.items():
        setattr(stored, name, at)
    folder.save(stored)
