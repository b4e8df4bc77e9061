from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.core.trigger import (
    BULK_FILES,
    LONGEST_WAIT_S,
    QUICK_S,
    SETTLE_S,
    FileChange,
    Settling,
    Triggers,
    Verdict,
)

A, B, C = Path("/w/a.py"), Path("/w/b.py"), Path("/w/c.py")
COUNTS, MADE, LOOP = Verdict.COUNTS, Verdict.MADE_BY_RUN, Verdict.LOOP


def starts(changes: list[tuple[float, Path]]) -> list[tuple[float, int]]:
    """Play changes against a Settling; returns (time, number of files) of each start."""
    settling, found = Settling(), []
    for at_s, path in [*changes, (1e9, A)]:
        while (due_s := settling.due_s) is not None and due_s <= at_s:
            found.append((round(due_s, 3), len(settling.take(due_s))))
        settling.add(FileChange(path, at_s), at_s)
    return found


def test_one_save_starts_almost_at_once() -> None:
    assert starts([(1.0, A)]) == [(1.0 + QUICK_S, 1)]


@pytest.mark.parametrize("gap_s", [0.002, 0.02, 0.1, 0.19])
def test_ten_quick_saves_are_at_most_two_starts(gap_s: float) -> None:
    found = starts([(1 + n * gap_s, A) for n in range(10)])
    assert 1 <= len(found) <= 2
    assert found[-1][0] >= 1 + 9 * gap_s


def test_saving_everything_at_once_is_one_start() -> None:
    assert starts([(1.0, A), (1.001, B), (1.003, C)]) == [(round(1.003 + QUICK_S, 3), 3)]


def test_a_branch_switch_is_one_start() -> None:
    files = [(1 + n / 4000, Path(f"/w/{n}")) for n in range(4000)]
    assert starts(files) == [(pytest.approx(1.99975 + SETTLE_S, abs=0.001), 4000)]


@pytest.mark.parametrize(("files", "waits"), [(2, False), (BULK_FILES, True), (2000, True)])
def test_what_git_left_on_its_way_belongs_to_the_same_start(files: int, waits: bool) -> None:
    """Git let go at 9.0, long after the longest wait; events of its last files come after that."""
    triggers = Triggers()
    for number in range(files):
        triggers.changed("t", FileChange(Path(f"/w/{number}"), 1.0), 1.0)
    triggers.settle_anew(9.0)
    assert triggers.due_s is not None
    assert (triggers.due_s > 9.0) == waits
    if waits:
        assert triggers.start(9.1) == []
        triggers.changed("t", FileChange(A, 8.9), 9.1)
        [(_, started)] = triggers.start(9.1 + SETTLE_S)
        assert len(started) == files + 1


def test_calm_lasts_longer_than_word_takes_to_come() -> None:
    settling = Settling()
    for number in range(10):
        settling.add(FileChange(Path(f"/w/{number}"), 1.0, late_s=0.7 + number), 1.0)
    assert settling.due_s == pytest.approx(1.7)
    settling.add(FileChange(Path("/w/last"), 1.5, late_s=0.01), 1.5)
    assert settling.due_s == pytest.approx(1.5 + SETTLE_S)


NEW, GONE = {"made": True}, {"gone": True}


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        ([(0.0, B, NEW), (0.1, B, GONE), (0.1, A, {})], [A]),  # written beside it, renamed over it
        ([(0.0, B, NEW), (0.05, B, {}), (0.1, B, GONE)], []),
        ([(0.0, B, NEW), (0.1, B, GONE), (0.15, B, {})], [B]),  # it came back
        ([(0.0, B, GONE), (0.1, B, NEW)], [B]),
        ([(0.0, B, {}), (0.002, B, GONE)], [B]),
        ([(0.0, B, NEW)], [B]),
    ],
)
def test_what_came_and_went_is_no_change(changes: list[tuple[float, Path, dict[str, bool]]], files: list[Path]) -> None:
    settling = Settling()
    for at_s, path, kind in changes:
        assert settling.due_s is None or settling.due_s > at_s, "it would have started between two halves"
        settling.add(FileChange(path, at_s, **kind), at_s)
    assert list(settling.take(1.0)) == files


def test_a_file_that_never_rests_still_starts_now_and_then() -> None:
    found = starts([(n * 0.05, A) for n in range(2000)])
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(found)]
    assert len(found) > 40
    assert max(gaps) <= LONGEST_WAIT_S + 0.1


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from([A, B, C])), min_size=1, max_size=50))
def test_no_change_is_ever_left_unstarted(gaps: list[tuple[float, Path]]) -> None:
    now_s, changes = 0.0, []
    for gap_s, path in gaps:
        now_s += gap_s
        changes.append((now_s, path))
    found = starts(changes)
    assert found[-1][0] >= changes[-1][0]
    for earlier, later in pairwise(found):
        assert later[0] - earlier[0] >= min(SETTLE_S, QUICK_S)


def change(path: Path, at_s: float, *, made: bool = False, by_user: bool = False) -> FileChange:
    return FileChange(path, at_s, made=made, by_user=by_user)


def judge(triggers: Triggers, item: FileChange, task: str = "t") -> Verdict:
    return triggers.changed(task, item, item.written_s)[0]


def test_what_a_run_makes_does_not_start_it_again() -> None:
    triggers = Triggers()
    triggers.run_started("r1", "t", 1.0)
    assert judge(triggers, change(A, 1.5, made=True)) is MADE
    assert judge(triggers, change(A, 1.6)) is MADE
    triggers.run_ended("r1", 2.0, unserved=False)
    assert triggers.due_s is None
    assert judge(triggers, change(A, 3.0)) is COUNTS, "the user edits the product"
    triggers.run_started("r2", "t", 4.0)
    assert judge(triggers, change(A, 4.5)) is LOOP, "an earlier run changed it too"


def test_what_a_run_made_is_its_product_in_later_runs_too() -> None:
    """A program that is compiled anew each time makes no run stale."""
    triggers = Triggers()
    triggers.run_started("r1", "t", 1.0)
    assert judge(triggers, change(B, 1.5, made=True)) is MADE
    triggers.run_ended("r1", 2.0, unserved=False)
    triggers.run_started("r2", "t", 3.0)
    assert triggers.changed("t", change(B, 3.5), 3.5) == (MADE, [])
    triggers.run_ended("r2", 4.0, unserved=False)
    assert judge(triggers, change(B, 5.0)) is COUNTS
    triggers.run_started("r3", "t", 5.1)
    assert triggers.changed("t", change(B, 5.5), 5.5) == (LOOP, ["r3"]), (
        "somebody edits it, so it may have been the user"
    )


def test_a_task_that_formats_its_own_source_runs_once_more_and_is_quiet() -> None:
    triggers = Triggers()
    triggers.run_started("r1", "t", 1.0)
    assert judge(triggers, change(A, 1.5)) is COUNTS
    triggers.run_ended("r1", 2.0, unserved=False)
    triggers.run_started("r2", "t", 2.1)
    assert judge(triggers, change(A, 2.5)) is LOOP
    triggers.run_ended("r2", 3.0, unserved=False)
    assert judge(triggers, change(A, 2.9)) is LOOP, "seen after the end, written before it"
    assert judge(triggers, change(A, 3.1)) is COUNTS


def test_an_edit_during_a_run_counts() -> None:
    triggers = Triggers()
    triggers.run_started("r1", "t", 1.0)
    assert judge(triggers, change(A, 1.5)) is COUNTS
    assert judge(triggers, change(B, 1.6, made=True, by_user=True)) is COUNTS
    triggers.run_ended("r1", 2.0, unserved=False)
    triggers.run_started("r2", "t", 2.1)
    assert judge(triggers, change(A, 2.5, by_user=True)) is COUNTS


def test_a_file_is_given_back_when_a_run_started_by_its_edit_left_it_alone() -> None:
    triggers = Triggers()
    triggers.run_started("r1", "t", 1.0)
    assert judge(triggers, change(A, 1.5)) is COUNTS
    triggers.run_ended("r1", 2.0, unserved=False)
    assert judge(triggers, change(A, 3.0)) is COUNTS
    triggers.run_started("r2", "t", 3.1)
    triggers.run_ended("r2", 4.0, unserved=False)
    triggers.run_started("r3", "t", 5.0)
    assert judge(triggers, change(A, 5.5)) is COUNTS


def test_two_tasks_that_feed_each_other_do_not_loop() -> None:
    triggers, now_s, runs, wants = Triggers(), 0.0, [], ["x"]
    writes = {"x": B, "y": A}  # x watches A and writes B, y watches B and writes A
    watches = {A: "x", B: "y"}
    for n in range(20):
        if not wants:
            break
        task = wants.pop(0)
        runs.append(task)
        triggers.run_started(str(n), task, now_s)
        written = writes[task]
        if judge(triggers, change(written, now_s + 0.5), watches[written]) is COUNTS:
            wants.append(watches[written])
        triggers.start(now_s + 0.9)
        now_s += 1
        triggers.run_ended(str(n), now_s, unserved=False)
        now_s += 1
    assert len(runs) <= 4
    assert not wants


def test_another_tasks_output_is_an_ordinary_change() -> None:
    triggers = Triggers()
    for n in range(5):
        triggers.run_started(str(n), "build", n * 10.0)
        assert judge(triggers, change(A, n * 10.0 + 1), "test") is COUNTS
        triggers.run_ended(str(n), n * 10.0 + 2, unserved=False)
        triggers.run_started(f"t{n}", "test", n * 10.0 + 3)
        triggers.run_ended(f"t{n}", n * 10.0 + 4, unserved=False)


def test_a_start_names_every_file_since_the_last_run_began() -> None:
    triggers = Triggers()
    judge(triggers, change(A, 1.0))
    assert triggers.start(1.1) == [("t", (A,))]
    judge(triggers, change(B, 2.0))
    assert triggers.start(2.1) == [("t", (A, B))], "the first is still waiting and will be replaced"
    triggers.run_started("r1", "t", 2.2)
    judge(triggers, change(C, 3.0))
    assert triggers.start(3.5) == [("t", (C,))]
    triggers.run_ended("r1", 3.6, unserved=True)
    judge(triggers, change(C, 4.0))
    assert set(triggers.start(5.0)[0][1]) == {A, B, C}, "a run that was cut off leaves its files"


def test_the_user_may_claim_what_looks_like_a_loop() -> None:
    triggers = Triggers()
    for n in (1, 2):
        triggers.run_started(f"r{n}", "t", n * 10.0)
        verdict, _ = triggers.changed("t", change(A, n * 10.0 + 1), n * 10.0 + 1)
        triggers.run_ended(f"r{n}", n * 10.0 + 2, unserved=False)
    assert verdict is LOOP
    triggers.takes_loops = True
    triggers.run_started("r3", "t", 30.0)
    assert triggers.changed("t", change(A, 31.0), 31.0)[0] is COUNTS
    assert triggers.changed("t", change(B, 31.0, made=True), 31.0)[0] is MADE, (
        "what a run makes is no work of the user's"
    )


def test_runs_become_stale_once() -> None:
    triggers = Triggers()
    triggers.run_started("r1", "t", 1.0)
    triggers.run_ended("r1", 2.0, unserved=False)
    assert triggers.changed("t", change(A, 3.0), 3.0, starts=False) == (COUNTS, ["r1"])
    assert triggers.changed("t", change(A, 3.5), 3.5) == (COUNTS, [])
    triggers.run_started("r2", "t", 4.0)
    assert triggers.changed("t", change(B, 4.5, made=True), 4.5) == (MADE, []), "its own product"
    assert triggers.changed("t", change(A, 4.5), 4.5) == (COUNTS, ["r2"])
    triggers.run_ended("r2", 5.0, unserved=False)
    triggers.run_started("r3", "t", 6.0)
    assert triggers.changed("t", change(A, 6.5), 6.5) == (LOOP, ["r3"]), "it may have been the user"


def test_a_task_not_watched_or_forgotten_starts_nothing() -> None:
    triggers = Triggers()
    triggers.changed("t", change(A, 1.0), 1.0, starts=False)
    assert triggers.due_s is None
    triggers.changed("t", change(A, 1.0), 1.0)
    triggers.forget("t")
    assert triggers.due_s is None
    assert triggers.start(100.0) == []


def test_bulk_is_counted_by_files() -> None:
    quick = starts([(1.0, Path(f"/w/{n}")) for n in range(BULK_FILES - 1)])
    bulk = starts([(1.0, Path(f"/w/{n}")) for n in range(BULK_FILES)])
    assert quick[0][0] == 1 + QUICK_S
    assert bulk[0][0] == 1 + SETTLE_S


def test_many_runs_are_forgotten_but_never_the_one_under_way() -> None:
    triggers = Triggers()
    triggers.run_started("long", "t", 0.0)
    for n in range(500):
        triggers.run_started(str(n), "u", 1.0)
        triggers.run_ended(str(n), 2.0, unserved=False)
    assert judge(triggers, change(A, 3.0, made=True)) is MADE
