"""Which tasks of which folder start by themselves, with the real watchers and a runner that only notes its requests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rdev_bridge.editor.watching import Watching
from rdev_bridge.errors import RdevError
from rdev_bridge.model import Disposition, Outcome, Run, RunRequest, RunState, Task, Trigger
from rdev_bridge.runs.runner import Submission
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Notes:
    """`trusted` is the folder's trust at this moment, `started` the names of the tasks that were asked for.

    `files` are those that made them start, `changed` all that were seen to change.
    """

    trusted: bool = False
    started: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)

    def submit(self, request: RunRequest) -> Submission:
        assert request.task is not None
        self.started.append(request.task.name)
        self.files += request.trigger.files
        return Submission(f"run{len(self.started)}", Disposition.STARTED)


@asynccontextmanager
async def watching(notes: Notes, tasks: list[Task]) -> AsyncIterator[Watching]:
    made = Watching(
        submit=notes.submit,
        is_trusted=lambda _: notes.trusted,
        notice=lambda notice: None,
        stale=lambda run_id: None,
        untrusted=lambda folder, paths: None,
        changed=lambda folder, paths: notes.changed.extend(paths),
    )
    await made.set_tasks(tasks)
    try:
        yield made
    finally:
        await made.close()


async def test_what_a_run_makes_starts_nothing_also_where_its_task_is_switched_on_meanwhile(tmp_path: Path) -> None:
    task = Task(name="build", folder=tmp_path, command="true")
    run = Run(
        run_id="r1",
        task="build",
        command="true",
        folder=tmp_path,
        project="p",
        server="s",
        state=RunState.RUNNING,
        started_at=datetime.now(UTC),
        log_path=tmp_path / "log",
    )
    made, edited = tmp_path / "made.txt", tmp_path / "edited.txt"
    notes = Notes()
    async with watching(notes, [task]) as desk:
        await desk.run_started(run, Trigger())
        await desk.switch(task, enabled=True)
        made.write_text("x")
        await eventually_async(lambda: made in notes.changed)
        await desk.set_tasks([task])  # as when rdev.toml is read again: the run is no other one than before
        await desk.run_finished(replace(run, state=RunState.FINISHED, outcome=Outcome.SUCCEEDED))
        edited.write_text("x")
        desk.saved(edited)
        await eventually_async(lambda: notes.started)
    assert notes.files == [edited]


async def test_trust_that_was_taken_back_after_the_change_starts_nothing(tmp_path: Path) -> None:
    """`rdev-bridge trust --revoke` in a terminal: this process hears of it when it asks."""
    watched = Task(name="watched", folder=tmp_path, command="true", watch=("*.txt",))
    named = Task(name="named", folder=tmp_path, command="true")
    notes = Notes(trusted=True)
    async with watching(notes, [watched, named]) as desk:
        await desk.switch(named, enabled=True)
        (tmp_path / "a.txt").write_text("x")
        desk.saved(tmp_path / "a.txt")
        notes.trusted = False
        await eventually_async(lambda: "named" in notes.started)
        assert notes.started == ["named"]


async def test_trust_that_came_from_elsewhere_counts_for_the_next_save(tmp_path: Path) -> None:
    """`rdev-bridge trust` in a terminal, just before the save."""
    notes = Notes()
    async with watching(notes, [Task(name="watched", folder=tmp_path, command="true", watch=("*.txt",))]) as desk:
        notes.trusted = True
        (tmp_path / "a.txt").write_text("x")
        desk.saved(tmp_path / "a.txt")
        await eventually_async(lambda: notes.started)
        assert notes.started == ["watched"]


async def test_two_tasks_switched_on_at_once_share_one_watcher(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    first, second = (Task(name=name, folder=folder, command="true") for name in ("first", "second"))
    notes = Notes()

    def appear(name: str) -> None:  # in one step: a file that is made and then written may be two changes
        (tmp_path / name).write_text("x")
        (tmp_path / name).rename(folder / name)

    async with watching(notes, [first, second]) as desk:
        await asyncio.gather(desk.switch(first, enabled=True), desk.switch(second, enabled=True))
        appear("a.txt")
        await eventually_async(lambda: {"first", "second"} <= set(notes.started))
        await desk.switch(first, enabled=False)
        appear("b.txt")
        await eventually_async(lambda: notes.started.count("second") == 2)
        assert sorted(notes.started) == ["first", "second", "second"]  # another watcher would not know that one is off


async def test_a_folder_that_cannot_be_watched_takes_no_other_along(tmp_path: Path) -> None:
    gone = Task(name="gone", folder=tmp_path / "gone", command="true", watch=("*.txt",))
    here = Task(name="here", folder=tmp_path / "here", command="true", watch=("*.txt",))
    here.folder.mkdir()
    notes = Notes(trusted=True)
    async with watching(notes, []) as desk:
        with pytest.raises(RdevError, match="gone cannot be watched: No such file"):
            await desk.set_tasks([gone, here])
        with pytest.raises(RdevError, match="gone cannot be watched"):
            await desk.switch(gone, enabled=True)
        assert await desk.switch(here, enabled=True)
        (here.folder / "a.txt").write_text("x")
        await eventually_async(lambda: notes.started == ["here"])
