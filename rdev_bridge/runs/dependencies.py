"""What a task depends on, run before it: in parallel where it can be, and none after the first failure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.core.graph import Plan
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import BusyPolicy, Outcome, Run, RunRequest, Trigger, TriggerKind
from rdev_bridge.runs.live import EndedEarlyError, Ending, LiveRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdev_bridge.model import Task
    from rdev_bridge.runs.runner import Runner


class Needs(msgspec.Struct, frozen=True):
    """What a run depends on: the walk through it, and the tasks by name.

    They are what they were when the run was asked for: whoever named it said yes to those, and to nothing that came
    later.
    """

    plan: Plan
    tasks: Mapping[str, Task]


def needs_of(task: Task | None, tasks: Mapping[str, Task]) -> Needs | None:
    """What `task` depends on, if anything. Raises UsageError for a circle or an unknown name."""
    if task is None or not task.depends_on:
        return None
    known = {**tasks, task.name: task}
    try:
        return Needs(Plan(task.name, {name: one.depends_on for name, one in known.items()}), known)
    except KeyError as error:
        raise UsageError(f"{task.name} depends on {error.args[0]!r}, and there is no such task") from None
    except ValueError as error:
        raise UsageError(f"the tasks depend on each other in a circle: {error}") from None


async def run_dependencies(runner: Runner, live: LiveRun, needs: Needs, request: RunRequest) -> Ending | None:
    """Run them; the end of `live` where one of them fails, else None.

    Raises EndedEarlyError, and UsageError or RdevError where one of them can never run; the others are ended then.
    """
    plan = needs.plan
    waiting: dict[asyncio.Task[Run], tuple[str, LiveRun]] = {}
    try:
        while not plan.over:
            for name in plan.ready():
                if name == plan.root:
                    return None
                child = runner.submit_child(_request_for(needs.tasks[name], live, request))
                waiting[asyncio.create_task(_end_of(child))] = name, child
            done, _ = await live.unless_ended(asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))
            for task in done:
                (name, child), run = waiting.pop(task), task.result()
                child.newest.needed_by.discard(live.run_id)
                ok = run.outcome is Outcome.SUCCEEDED
                plan.finished(name, ok=ok)
                if not ok:
                    await _end_all(runner, live, waiting)
                    message = f"{name} {_in_words(run)}, so {plan.root} did not start"
                    return Ending(Outcome.ERROR, message=message, reason=run.reason)
    except (EndedEarlyError, UsageError, RdevError):
        await _end_all(runner, live, waiting)
        raise
    finally:
        for task in waiting:
            task.cancel()
    return None


def _request_for(task: Task, live: LiveRun, request: RunRequest) -> RunRequest:
    return RunRequest(
        folder=request.folder,
        task=task,
        on_busy=BusyPolicy.PARALLEL if task.on_busy is BusyPolicy.PARALLEL else BusyPolicy.QUEUE,
        on_client_exit=live.on_client_exit,
        trigger=Trigger(TriggerKind.DEPENDENCY, request.trigger.files),
        file=request.file,
        parent_run_id=live.run_id,
        sync_conflict=request.sync_conflict,
    )


async def _end_of(child: LiveRun) -> Run:
    """The end of a run, or of the one that took its place: that runs on files that are at least as new."""
    run = await child.wait()
    while run.outcome is Outcome.SUPERSEDED and child.replaced_by is not None:
        child = child.replaced_by
        run = await child.wait()
    return run


async def _end_all(runner: Runner, live: LiveRun, waiting: Mapping[asyncio.Task[Run], tuple[str, LiveRun]]) -> None:
    """End what `live` waits for, and see it dead; what somebody else wants too goes on."""
    ended = []
    for task, (_, child) in waiting.items():
        newest = child.newest
        newest.needed_by.discard(live.run_id)
        if not newest.needed_by and newest.run.parent_run_id is not None and newest.run_id in runner.live:
            runner.cancel(newest.run_id)
            ended.append(task)
    if ended:
        await asyncio.wait(ended)


def _in_words(run: Run) -> str:
    match run.outcome:
        case Outcome.FAILED:
            return f"failed with exit code {run.exit_code}"
        case Outcome.TIMED_OUT:
            return "timed out"
        case Outcome.ERROR:
            return f"could not start ({run.message})"
        case Outcome.CANCELLED | Outcome.SUPERSEDED:
            return f"was {run.outcome.value}"
        case _:
            return f"was lost ({run.message})"
