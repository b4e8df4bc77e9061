"""The life of diagnostics: what runs of every kind put on files, replace, clear and leave alone."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from rdev_bridge.core.paths import PathMap
from rdev_bridge.model import Chunk, DiagnosticCounts, Outcome, Run, RunState, Stream, Trigger, TriggerKind
from rdev_bridge.problems.board import MatchedRun, ProblemBoard
from rdev_bridge.problems.locate import Locator
from rdev_bridge.runs.observer import OutputBatch
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from rdev_bridge.problems.problem import FileLocation
    from rdev_bridge.problems.standing import PlacedProblem

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Desk:
    """A board over one folder, and what it published: the last word on each file, and when each word came."""

    def __init__(self, folder: Path, interval_s: float = 0.01) -> None:
        self.folder = folder
        self.spec: Any = ("generic",)
        self.open: set[Path] = set()
        self.standing: dict[str, list[PlacedProblem]] = {}
        self.times: dict[str, list[float]] = {}
        self.counts: dict[str, DiagnosticCounts] = {}
        self.board = ProblemBoard(
            self._publish, self._reading_of, self.counts.__setitem__, self.open.__contains__, interval_s
        )
        self._started = 0

    def _publish(self, path: Path, problems: Sequence[PlacedProblem]) -> None:
        name = path.relative_to(self.folder).as_posix()
        self.standing[name] = list(problems)
        self.times.setdefault(name, []).append(time.monotonic())

    def _reading_of(self, run: Run) -> MatchedRun:
        return MatchedRun(self.spec, PathMap(self.folder, "/srv/app"), "sub" if run.task == "sub" else None)

    def said(self, name: str) -> list[str]:
        return [one.problem.message for one in self.standing.get(name, [])]

    async def start(self, task: str | None = "t", kind: TriggerKind = TriggerKind.REQUEST) -> Talk:
        self._started += 1
        run = Run(
            run_id=f"r{self._started}",
            task=task,
            command="x",
            folder=self.folder,
            project="p",
            server="s",
            state=RunState.RUNNING,
            started_at=NOON + timedelta(seconds=self._started),
            log_path=self.folder / "log",
        )
        await self.board.run_started(run, Trigger(kind))
        return Talk(self.board, run)

    async def run(self, *lines: str, task: str = "t", outcome: Outcome = Outcome.FAILED) -> Talk:
        talk = await self.start(task)
        await talk.says(*lines)
        await talk.ends(outcome)
        return talk


class Talk:
    """What one run says."""

    def __init__(self, board: ProblemBoard, run: Run) -> None:
        self.board, self.run, self.seq = board, run, 0

    async def says(self, *lines: str, stream: Stream = Stream.STDOUT) -> None:
        batch = OutputBatch(self.seq, [Chunk(stream, list(lines))], (), 0, ())
        self.seq += len(lines)
        await self.board.output(self.run, batch)

    async def ends(self, outcome: Outcome = Outcome.FAILED) -> None:
        await self.board.run_finished(replace(self.run, state=RunState.FINISHED, outcome=outcome))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    folder = tmp_path / "app"
    for name in ("a.c", "b.c", "sub/a.c", "sub/only.c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("int x;\n" * 9)
    (tmp_path / "outside.c").write_text("secret\n")
    (folder / "link.c").symlink_to(tmp_path / "outside.c")
    made = Desk(folder)
    yield made
    await made.board.aclose()


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED])
async def test_a_run_that_ended_clears_what_it_did_not_report_again(desk: Desk, outcome: Outcome) -> None:
    await desk.run("a.c:1: one", "b.c:1: two")
    assert (desk.said("a.c"), desk.said("b.c")) == (["one"], ["two"])
    await desk.run("a.c:2: new", outcome=outcome)
    assert (desk.said("a.c"), desk.said("b.c")) == (["new"], [])
    await desk.run(outcome=outcome)
    assert desk.said("a.c") == []


@pytest.mark.parametrize(
    "outcome", [Outcome.CANCELLED, Outcome.SUPERSEDED, Outcome.TIMED_OUT, Outcome.LOST, Outcome.ERROR]
)
async def test_a_run_cut_short_clears_nothing_that_it_did_not_replace(desk: Desk, outcome: Outcome) -> None:
    await desk.run("a.c:1: one", "a.c:2: two", "b.c:1: three")
    await desk.run("a.c:9: new", outcome=outcome)
    assert (desk.said("a.c"), desk.said("b.c")) == (["new"], ["three"])


async def test_a_run_with_a_hole_in_its_output_clears_nothing(desk: Desk) -> None:
    await desk.run("a.c:1: one", "b.c:1: two")
    holey = await desk.start()
    await holey.says("a.c:2: new")
    await desk.board.output_gap(holey.run, 1, None)
    await holey.ends(Outcome.SUCCEEDED)
    assert (desk.said("a.c"), desk.said("b.c")) == (["new"], ["two"])


async def test_a_run_attached_in_its_middle_clears_nothing(desk: Desk) -> None:
    await desk.run("b.c:1: two")
    attached = await desk.start(kind=TriggerKind.ATTACH)
    attached.seq = 500
    await attached.says("a.c:2: new")
    await attached.ends(Outcome.SUCCEEDED)
    assert (desk.said("a.c"), desk.said("b.c")) == (["new"], ["two"])


async def test_to_look_at_an_old_run_changes_nothing_and_the_newest_may_be_read_again(desk: Desk) -> None:
    old = await desk.run("a.c:1: old")
    newest = await desk.run("a.c:1: one", "b.c:1: two")
    for run, lines in ((old, ["a.c:1: old"]), (newest, ["b.c:1: two"])):
        await desk.board.run_started(run.run, Trigger(TriggerKind.ATTACH))
        run.seq = 1
        await run.says(*lines)
        await run.ends()
        assert (desk.said("a.c"), desk.said("b.c")) == (["one"], ["two"])


async def test_what_comes_later_is_published_while_the_run_goes_on(desk: Desk) -> None:
    talk = await desk.start()
    await talk.says("a.c:1: one")
    await eventually_async(lambda: desk.said("a.c") == ["one"])
    await talk.says("a.c:2: two")
    await eventually_async(lambda: desk.said("a.c") == ["one", "two"])
    await talk.ends()


async def test_at_most_once_in_an_interval_for_each_file(desk: Desk) -> None:
    slow = Desk(desk.folder, interval_s=0.25)
    talk = await slow.start()
    number = 0
    while len(slow.times.get("a.c", ())) < 4:
        number += 1
        await talk.says(f"a.c:{number % 9 + 1}: {number}")
        other = await slow.start("other")
        await other.says("b.c:1: other")
        await other.ends()  # the end of one run hurries no file of another
        await asyncio.sleep(0.005)
    times = slow.times["a.c"]
    assert all(later - earlier >= 0.25 for earlier, later in pairwise(times))
    await talk.ends()
    assert slow.said("a.c")[-1] in (
        str(number),
        f"{number - 250} more problems are not shown; the run's output has them",
    )
    await slow.board.aclose()


async def test_what_maps_nowhere_is_counted_and_never_opened(desk: Desk) -> None:
    outside = desk.folder.parent / "outside.c"
    talk = await desk.run(
        "/srv/app/a.c:1: home",
        "/usr/include/stdio.h:3: away",
        f"{outside}:1: away",
        "../outside.c:1: away",
        "/srv/app/../../etc/passwd.c:1: away",
        "link.c:1: a link that leads out",
        "gone.c:1: no such file",
        "/srv/app/a.c:2: warning: home",
    )
    assert desk.counts[talk.run.run_id] == DiagnosticCounts(errors=1, warnings=1, unmapped=6)
    assert desk.said("a.c") == ["home", "home"]
    assert list(desk.standing) == ["a.c"]


async def test_a_relative_name_counts_from_where_the_run_is(desk: Desk) -> None:
    await desk.run("a.c:1: here", "only.c:1: there", "b.c:1: from the root", task="sub")
    assert {name: desk.said(name) for name in desk.standing} == {
        "sub/a.c": ["here"],
        "sub/only.c": ["there"],
        "b.c": ["from the root"],
    }


async def test_make_says_in_which_folder_a_name_counts(desk: Desk) -> None:
    for name in ("src/net/a.c", "src/core/a.c", "top.c"):
        (desk.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / name).write_text("\n" * 9)
    desk.spec = ("gcc",)
    await desk.run(*(Path(__file__).parent / "data/gcc/make.txt").read_text("utf-8").splitlines())
    assert {name: desk.said(name) for name in desk.standing} == {
        "src/net/a.c": ["unused variable ‘net’"],
        "src/core/a.c": ["unused variable ‘core’"],
        "top.c": ["‘up’ is used uninitialized"],
    }


async def test_folders_of_a_parallel_make_and_names_that_do_not_count_from_them(desk: Desk) -> None:
    desk.spec = ("clang",)
    enter, leave = "make[1]: Entering directory '{}'", "make[1]: Leaving directory '{}'"
    both = ("/srv/app/sub", "/srv/app/gone")
    await desk.run(
        *map(enter.format, both),
        leave.format(both[0]),
        "a.c:1:1: error: in a folder that is not here",
        leave.format(both[1]),
        "ninja: Entering directory `sub'",
        "only.c:2:1: error: relative to where the run is",
        "b.c:3:1: error: counted from the top all the same",
    )
    assert {name: [one.problem.line for one in standing] for name, standing in desk.standing.items()} == {
        "a.c": [1],
        "sub/only.c": [2],
        "b.c": [3],
    }


async def test_an_error_in_a_foreign_header_stands_where_it_was_included(desk: Desk) -> None:
    desk.spec = ("gcc",)
    await desk.run(
        "In file included from /srv/app/a.c:2:", "/usr/include/x.h:7:1: error: bad", "/srv/app/b.c:1:5: note: see here"
    )
    [one] = desk.standing["a.c"]
    assert (one.problem.line, one.problem.message) == (2, "bad\n(reported in /usr/include/x.h:7)")
    assert [place.path.name for place in one.related] == ["b.c"]


async def test_the_last_problem_of_a_pause_is_shown_though_it_might_go_on(desk: Desk) -> None:
    desk.spec = ("gcc",)
    talk = await desk.start()
    await talk.says("a.c:1:5: error: bad")
    await eventually_async(lambda: desk.said("a.c") == ["bad"])
    await talk.ends(Outcome.CANCELLED)
    assert desk.said("a.c") == ["bad"]


async def test_each_stream_is_read_by_itself(desk: Desk) -> None:
    desk.spec = ("eslint-stylish",)
    talk = await desk.start()
    await talk.says("/srv/app/a.c")
    await talk.says("npm WARN old lockfile", stream=Stream.STDERR)
    await talk.says("  1:1  error  bad  rule")
    await talk.ends()
    assert desk.said("a.c") == ["bad"]


BACKGROUND = {
    "owner": "x",
    "pattern": {"regexp": r"^(.*):(\d+): (.*)$", "file": 1, "line": 2, "message": 3},
    "background": {"activeOnStart": True, "beginsPattern": "^changed", "endsPattern": "^watching"},
}


async def test_a_tool_that_watches_clears_and_replaces_while_it_goes_on(desk: Desk) -> None:
    desk.spec = (BACKGROUND,)
    await desk.run("b.c:1: of the run before", outcome=Outcome.CANCELLED)
    talk = await desk.start()
    await talk.says("a.c:1: one", "b.c:1: two", "watching")
    await eventually_async(lambda: (desk.said("a.c"), desk.said("b.c")) == (["one"], ["two"]))
    await talk.says("changed", "a.c:3: three")
    await eventually_async(lambda: desk.said("a.c") == ["three"])
    assert desk.said("b.c") == ["two"], "the cycle is not over"
    await talk.says("watching")
    await eventually_async(lambda: desk.said("b.c") == [])
    await talk.says("changed", "watching")
    await eventually_async(lambda: desk.said("a.c") == [])
    await talk.says("changed", "b.c:1: half a cycle")
    await talk.ends(Outcome.CANCELLED)
    assert desk.said("b.c") == ["half a cycle"]


async def test_the_disk_is_looked_at_in_no_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for the file that a cycle is about: a search may look at thousands."""
    begins = {"regexp": "^changed (.*)$", "file": 1}
    desk.spec = ({**BACKGROUND, "background": {"beginsPattern": begins, "endsPattern": "^watching"}},)
    threads: list[threading.Thread] = []
    existing = Locator._existing

    def noting(locator: Locator, path: str, location: FileLocation) -> Iterator[Path]:
        threads.append(threading.current_thread())
        return existing(locator, path, location)

    monkeypatch.setattr(Locator, "_existing", noting)
    talk = await desk.start()
    await talk.says("changed b.c", "a.c:1: one", "watching", "changed a.c")
    assert threads
    assert threading.current_thread() not in threads


@pytest.mark.parametrize(
    ("apply_to", "when_open", "when_closed"), [("openDocuments", ["m"], []), ("closedDocuments", [], ["m"])]
)
async def test_a_matcher_may_apply_to_open_or_closed_documents(
    desk: Desk, apply_to: str, when_open: list[str], when_closed: list[str]
) -> None:
    desk.spec = ({"base": "$generic", "applyTo": apply_to},)
    await desk.run("a.c:1: m")
    assert desk.said("a.c") == when_closed
    for is_open in (True, False):
        (desk.open.add if is_open else desk.open.discard)(desk.folder / "a.c")
        desk.board.refresh(desk.folder / "a.c")
        expected = when_open if is_open else when_closed
        await eventually_async(lambda expected=expected: desk.said("a.c") == expected)


async def test_a_task_takes_its_problems_along_even_in_the_middle_of_a_run(desk: Desk) -> None:
    await desk.run("b.c:1: stays", task="u")
    talk = await desk.start()
    flood = asyncio.create_task(talk.says(*(f"a.c:{n % 9 + 1}: {n}" for n in range(20_000))))
    await eventually_async(lambda: desk.said("a.c"))
    desk.board.retain({(desk.folder, "u")})
    await flood
    await talk.says("a.c:1: too late")
    await talk.ends()
    await eventually_async(lambda: desk.said("a.c") == [])
    assert desk.said("b.c") == ["stays"]
    assert desk.board.on(desk.folder / "a.c") == []


async def test_a_command_without_a_task_and_a_wrong_matcher_are_not_read(desk: Desk) -> None:
    free = await desk.start(task=None)
    await free.says("a.c:1: one")
    await free.ends()
    desk.spec = ("nope",)
    await desk.run("a.c:1: one")
    assert desk.standing == {}
    assert desk.counts == {}


async def test_lines_that_columns_count_on_come_along(desk: Desk) -> None:
    (desk.folder / "a.c").write_text("\ufeffone\r\ntwo\rthree\n")
    desk.spec = ("mypy",)
    await desk.run("a.c:1:2:3:2: error: bad  [code]")
    [one] = desk.standing["a.c"]
    assert (one.line_text, one.end_text) == ("one", "three")
