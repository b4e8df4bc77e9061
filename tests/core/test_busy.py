from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.core.busy import (
    CUTS_IN_A_ROW,
    FIRST_PATIENCE_S,
    BusyLine,
    Cancel,
    Decision,
    Drop,
    Ignore,
    Queue,
    Start,
)
from rdev_bridge.model import BusyPolicy

SHORT = {"q": BusyPolicy.QUEUE, "r": BusyPolicy.RESTART, "i": BusyPolicy.IGNORE, "p": BusyPolicy.PARALLEL}


def show(decisions: list[Decision]) -> str:
    return " ".join(f"{type(decision).__name__.lower()} {decision.run_id}" for decision in decisions)


@pytest.mark.parametrize(
    "script",
    [
        # each step: what happens -> what is decided
        pytest.param(["1q -> start 1", "end 1 ->", "2q -> start 2"], id="idle"),
        pytest.param(["1q -> start 1", "2q -> queue 2", "end 1 -> start 2", "end 2 ->"], id="queue"),
        pytest.param(
            ["1q -> start 1", "2q -> queue 2", "3q -> drop 2 queue 3", "4q -> drop 3 queue 4", "end 1 -> start 4"],
            id="queue-newest-wins",
        ),
        pytest.param(["1q -> start 1", "2q -> queue 2", "end 2 ->", "end 1 ->", "3q -> start 3"], id="withdrawn"),
        pytest.param(["1r -> start 1", "2r -> queue 2 cancel 1", "end 1 -> start 2", "end 2 ->"], id="restart"),
        pytest.param(
            ["1r -> start 1", "2r -> queue 2 cancel 1", "3r -> drop 2 queue 3", "end 1 -> start 3"],
            id="restart-cancels-once",
        ),
        pytest.param(["1i -> start 1", "2i -> ignore 2", "end 1 ->", "3i -> start 3"], id="ignore"),
        pytest.param(["1p -> start 1", "2p -> start 2", "end 1 ->", "end 2 ->"], id="parallel"),
        pytest.param(
            ["1p -> start 1", "2p -> start 2", "3r -> queue 3 cancel 1 cancel 2", "end 2 ->", "end 1 -> start 3"],
            id="restart-waits-for-all",
        ),
        pytest.param(
            ["1q -> start 1", "2q -> queue 2", "3i -> ignore 3", "end 1 -> start 2"], id="ignore-while-queued"
        ),
        pytest.param(
            ["1q -> start 1", "2q -> queue 2", "3r -> drop 2 queue 3 cancel 1", "end 1 -> start 3"],
            id="restart-a-queue",
        ),
        pytest.param(
            ["1q -> start 1", "2r -> queue 2 cancel 1", "3q -> drop 2 queue 3", "end 1 -> start 3"], id="mixed"
        ),
    ],
)
def test_the_policies(script: list[str]) -> None:
    line = BusyLine()
    for step in script:
        happened, _, expected = step.partition("->")
        word = happened.strip()
        if word.startswith("end "):
            decisions = line.ended(word[4:], 1.0)
        else:
            decisions = line.requested(word[:-1], SHORT[word[-1]], 0.0)
        assert show(decisions) == expected.strip(), step


def test_what_is_ignored_says_in_favour_of_whom() -> None:
    line = BusyLine()
    line.requested("1", BusyPolicy.QUEUE, 0)
    assert line.requested("2", BusyPolicy.IGNORE, 0) == [Ignore("2", busy_with="1")]
    line.requested("3", BusyPolicy.QUEUE, 0)
    assert line.requested("4", BusyPolicy.IGNORE, 0) == [Ignore("4", busy_with="3")]


def restart_for_ever(line: BusyLine, *, every_s: float, run_takes_s: float, until_s: float) -> list[tuple[float, str]]:
    """Request a restart every `every_s`; cancels take effect at once; returns the complete runs as (time, id)."""
    now_s, complete, began, count = 0.0, [], {}, 0

    def carry_out(decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Start):
                began[decision.run_id] = now_s
            elif isinstance(decision, Cancel):
                del began[decision.run_id]
                carry_out(line.ended(decision.run_id, now_s, complete=False))

    next_request_s = 0.0
    while now_s < until_s:
        ends = {run_id: start_s + run_takes_s for run_id, start_s in began.items()}
        due_s = line.patience_ends_s
        now_s = min([next_request_s, *ends.values(), *([] if due_s is None else [due_s])])
        for run_id, end_s in ends.items():
            if end_s <= now_s:
                complete.append((now_s, run_id))
                del began[run_id]
                carry_out(line.ended(run_id, now_s))
        carry_out(line.patience_ended(now_s))
        if next_request_s <= now_s:
            count += 1
            carry_out(line.requested(str(count), BusyPolicy.RESTART, now_s))
            next_request_s += every_s
        assert len(began) <= 1
    return complete


@pytest.mark.parametrize(
    ("every_s", "run_takes_s", "first_complete_s"),
    [(0.3, 2.0, 4.0), (1.0, 20.0, 30.0), (1.0, 100.0, 300.0)],
)
def test_an_endless_stream_of_saves_lets_a_run_finish_now_and_then(
    every_s: float, run_takes_s: float, first_complete_s: float
) -> None:
    complete = restart_for_ever(BusyLine(), every_s=every_s, run_takes_s=run_takes_s, until_s=1000)
    assert complete[0][0] <= first_complete_s
    assert len(complete) > 1


def test_a_server_that_never_ends_is_restarted_at_once_when_saves_are_apart() -> None:
    line = BusyLine()
    line.requested("0", BusyPolicy.RESTART, 0)
    for n in range(1, 50):
        assert line.requested(str(n), BusyPolicy.RESTART, n * 20.0) == [Queue(str(n)), Cancel(str(n - 1), by=str(n))]
        assert line.ended(str(n - 1), n * 20.0, complete=False) == [Start(str(n))]


def test_a_server_that_never_ends_is_restarted_when_the_patience_is_over() -> None:
    line = BusyLine()
    line.requested("0", BusyPolicy.RESTART, 0)
    for n in range(1, CUTS_IN_A_ROW + 1):
        line.requested(str(n), BusyPolicy.RESTART, float(n))
        line.ended(str(n - 1), float(n), complete=False)
    spared = str(CUTS_IN_A_ROW)
    assert line.requested("x", BusyPolicy.RESTART, 5.0) == [Queue("x")]
    assert line.requested("y", BusyPolicy.RESTART, 6.0) == [Drop("x", by="y"), Queue("y")]
    due_s = line.patience_ends_s
    assert due_s == CUTS_IN_A_ROW + FIRST_PATIENCE_S
    assert line.patience_ended(due_s - 0.1) == []
    assert line.patience_ended(due_s) == [Cancel(spared, by="y")]
    assert line.patience_ends_s is None
    assert line.ended(spared, due_s + 1, complete=False) == [Start("y")]


steps = st.lists(
    st.one_of(
        st.sampled_from(BusyPolicy),
        st.integers(0, 5),  # end the n-th of what runs (complete), or take back what waits
        st.floats(0, 100),  # time passes
    ),
    max_size=60,
)


@given(steps, st.booleans())
def test_whatever_happens_each_request_gets_one_end_and_the_newest_runs(script: list[object], parallel: bool) -> None:
    line, now_s, asked, ends, alive = BusyLine(), 0.0, 0, {}, set()
    newest: str | None = None

    def carry_out(decisions: list[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Start(run_id):
                    assert run_id not in ends
                    assert run_id not in alive
                    assert parallel or not alive, "two at once"
                    alive.add(run_id)
                case Drop(run_id) | Ignore(run_id):
                    assert run_id not in alive
                    end(run_id, type(decision).__name__)
                case Cancel(run_id):
                    assert run_id in alive
                case Queue():
                    pass

    def end(run_id: str, how: str) -> None:
        assert run_id not in ends
        ends[run_id] = how

    for step in script:
        carry_out(line.patience_ended(now_s))
        if isinstance(step, BusyPolicy):
            if step is BusyPolicy.PARALLEL and not parallel:
                continue
            asked += 1
            decisions = line.requested(str(asked), step, now_s)
            answers = [d for d in decisions if isinstance(d, Start | Queue | Ignore)]
            assert [d.run_id for d in answers] == [str(asked)]
            newest = str(asked) if not isinstance(answers[0], Ignore) else newest
            carry_out(decisions)
        elif isinstance(step, int):
            candidates = [*sorted(alive, key=int), *([line.waiting] if line.waiting else [])]
            if candidates:
                run_id = candidates[step % len(candidates)]
                end(run_id, "Ended")
                alive.discard(run_id)
                newest = None if run_id == newest else newest
                carry_out(line.ended(run_id, now_s))
        else:
            now_s += step
        assert set(line.running) == alive

    for _ in range(asked + 1):
        for run_id in sorted(alive):
            end(run_id, "Ended")
            alive.discard(run_id)
            carry_out(line.ended(run_id, now_s))
    assert not alive
    assert line.waiting is None
    assert sorted(ends, key=int) == [str(n) for n in range(1, asked + 1)]
    if newest is not None:
        assert ends[newest] == "Ended", "the newest request never ran"
