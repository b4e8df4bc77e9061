"""The resume as tables: what happened, and what is decided."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.core.resume import Admission, GiveUp, Policy, Resume, Wait, retry_after_s

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def fresh(after: str | None = None, jitter: float = 1.0, **policy: float) -> Resume:
    return Resume(after, 0.0, lambda: jitter, Policy(**policy))  # type: ignore[arg-type]


def opened(after: str | None = None) -> Resume:
    resume = fresh(after)
    resume.opened(0.0)
    return resume


@pytest.mark.parametrize(
    ("header", "delay_s"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, 999999999.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sunday, 01-Mar-26 12:00:05 GMT", 5.0),
        ("Sun Mar  1 12:00:05 2026", 5.0),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, delay_s: float | None) -> None:
    assert retry_after_s(header, NOW) == delay_s


def test_backoff_doubles_up_to_its_cap() -> None:
    resume = fresh(first_delay_s=1.0, longest_delay_s=10.0)
    delays = [resume.unreachable(1.0, "refused") for _ in range(6)]
    assert [one.delay_s for one in delays if isinstance(one, Wait)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert [one.attempt for one in delays if isinstance(one, Wait)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_jitter_takes_away_up_to_half(jitter: float) -> None:
    decision = fresh(jitter=jitter, first_delay_s=1.0).unreachable(0.0, "refused")
    assert isinstance(decision, Wait)
    assert decision.delay_s == 0.5 + jitter / 2


@pytest.mark.parametrize(
    ("retry_ms", "delay_s"), [(None, 0.2), (0, 0.0), (1500, 1.5), (10**15, 30.0)], ids=["none", "0", "1500", "endless"]
)
def test_the_servers_retry_is_clamped(retry_ms: int | None, delay_s: float) -> None:
    resume = opened()
    resume.server_retry_ms = retry_ms
    decision = resume.broke(1.0, "cut")
    assert isinstance(decision, Wait)
    assert decision.delay_s == delay_s


def test_a_server_that_asks_for_no_delay_and_cuts_at_once_is_not_hammered() -> None:
    resume = opened()
    resume.server_retry_ms = 0
    delays = []
    for _ in range(5):
        decision = resume.broke(1.0, "cut")
        assert isinstance(decision, Wait)
        delays.append(decision.delay_s)
        resume.opened(1.0)
    assert delays == [0.0, 0.4, 0.8, 1.6, 3.2]
    resume.admit(["1"])
    assert resume.broke(1.0, "cut") == Wait(0.0, 1, "cut"), "one that gives something each time may do as it likes"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_statuses_that_pass(status: int) -> None:
    decision = fresh(first_delay_s=1.0).refused(0.0, status, 5.0)
    assert decision == Wait(6.0, 1, f"the server answers {status}")


def test_a_retry_after_is_not_waited_for_without_end() -> None:
    decision = fresh(first_delay_s=1.0).refused(0.0, 503, 86400.0)
    assert isinstance(decision, Wait)
    assert decision.delay_s == 301.0


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, "never told how the command ended"),
        (400, "status 400"),
        (401, "rdev-bridge login"),
        (403, "access to the project"),
        (404, "restarted or has forgotten"),
        (410, "thrown"),
        (418, "status 418"),
    ],
)
def test_statuses_that_end_it(status: int, words: str) -> None:
    decision = opened().refused(0.0, status, None)
    assert isinstance(decision, GiveUp)
    assert words in decision.why


def test_offline_is_said_after_a_few_attempts_that_reached_nobody() -> None:
    resume = opened()
    reached = [getattr(resume.unreachable(1.0, "no such name"), "reached", None) for _ in range(4)]
    assert reached == [True, True, False, False]
    resume.opened(2.0)
    assert resume.broke(3.0, "cut") == Wait(pytest.approx(3.2), 5, "cut", reached=True)


def test_given_up_after_ten_minutes_without_one_open_stream() -> None:
    resume = opened()
    assert isinstance(resume.unreachable(599.0, "refused"), Wait)
    decision = resume.unreachable(601.0, "refused")
    assert isinstance(decision, GiveUp)
    assert "10 minutes" in decision.why
    assert "still be running" in decision.why


def test_a_quiet_command_behind_a_proxy_that_cuts_each_minute_is_never_given_up() -> None:
    resume = opened()
    for minute in range(1, 200):
        decision = resume.broke(minute * 60.0, "cut")
        assert isinstance(decision, Wait)
        assert decision.attempt == 1, "a connection that lasted is no failure"
        resume.opened(minute * 60.0)


def test_new_output_starts_the_backoff_afresh_and_old_output_does_not() -> None:
    resume = opened()
    resume.admit(["1", "2"])
    for attempt in (1, 2, 3):
        decision = resume.broke(1.0, "cut")
        assert isinstance(decision, Wait)
        assert decision.attempt == attempt
        resume.opened(1.0)
        resume.admit(["1", "2"])
    resume.admit(["3"])
    decision = resume.broke(1.0, "cut")
    assert isinstance(decision, Wait)
    assert decision.attempt == 1


# name, heartbeats at these times after the opening, silence allowed then
WATCHDOG = [
    ("before any", [], 60.0),
    ("one says nothing about the next", [15.0], 60.0),
    ("three times what was seen", [15.0, 30.0], 45.0),
    ("the longest counts", [1.0, 11.0, 12.0], 30.0),
    ("never twitchy", [0.1, 0.2, 0.3], 3.0),
    ("never endless", [100.0, 400.0], 120.0),
]


@pytest.mark.parametrize(("beats", "silence_s"), [row[1:] for row in WATCHDOG], ids=[row[0] for row in WATCHDOG])
def test_the_watchdog_learns_the_heartbeat(beats: list[float], silence_s: float) -> None:
    resume = opened()
    for beat in beats:
        resume.heard("", beat, heartbeat=True)
    assert resume.silence_s() == pytest.approx(silence_s)


def test_what_was_learnt_of_the_heartbeat_holds_for_the_next_connection() -> None:
    resume = opened()
    resume.heard("", 15.0, heartbeat=True)
    resume.heard("", 25.0, heartbeat=True)
    resume.opened(1000.0)
    resume.heard("", 1001.0, heartbeat=True)
    assert resume.silence_s() == 30.0


def test_heartbeats_that_come_in_bursts_are_waited_for_longer_each_time() -> None:
    resume = opened()
    waited = []
    for second in range(6):
        for beat in (0.0, 0.1, 0.2):
            resume.heard("", 1000.0 * second + beat, heartbeat=True)
        waited.append(resume.silence_s())
        resume.fell_silent()
        resume.opened(1000.0 * (second + 1))
    assert waited == pytest.approx([3.0, 9.0, 27.0, 81.0, 120.0, 120.0])


def test_a_stream_that_cannot_be_resumed_is_not_taken_for_dead_before_the_usual_time() -> None:
    resume = opened()
    for beat in (1.0, 2.0, 3.0):
        resume.heard("", beat, heartbeat=True)
    assert resume.silence_s() == 3.0
    resume.admit([""])
    assert resume.silence_s() == 60.0


def test_silence_before_any_heartbeat_teaches_nothing() -> None:
    resume = opened()
    resume.fell_silent()
    assert resume.silence_s() == 60.0


def test_heartbeat_and_connected_do_not_move_the_position() -> None:
    resume = opened()
    resume.admit(["5"])
    resume.heard("6", 1.0, heartbeat=True)
    resume.heard("c", 1.0, heartbeat=False)
    assert resume.position == "5"


# name, ids of the first connection, ids after the break, those kept, missing
RESUMES: list[tuple[str, list[str], list[str], list[str], int]] = [
    ("exactly what follows", ["1", "2", "3"], ["4", "5"], ["4", "5"], 0),
    ("a few again", ["1", "2", "3"], ["2", "3", "4"], ["4"], 0),
    ("all again", ["1", "2", "3"], ["1", "2", "3", "4"], ["4"], 0),
    ("all again and nothing new", ["1", "2", "3"], ["1", "2", "3"], [], 0),
    ("a gap", ["1", "2", "3"], ["7", "8"], ["7", "8"], 3),
    ("a gap after duplicates", ["1", "2", "3"], ["3", "5"], ["5"], 1),
    ("offsets have no gaps", ["10", "25", "31"], ["77", "99"], ["77", "99"], 0),
    ("offsets again", ["10", "25", "31"], ["25", "31", "77"], ["77"], 0),
    ("one id proves no counting", ["1"], ["5"], ["5"], 0),
    ("counting from any number", ["100", "101"], ["104"], ["104"], 2),
    ("names", ["a", "b", "c"], ["d", "e"], ["d", "e"], 0),
    ("names again", ["a", "b", "c"], ["b", "c", "d"], ["d"], 0),
    ("names all again", ["a", "b", "c"], ["a", "b", "c", "d"], ["d"], 0),
    ("numbers in disorder are names", ["3", "1", "2"], ["1", "2", "9"], ["9"], 0),
    ("leading zeros are names", ["001", "002"], ["002", "003"], ["003"], 0),
    ("numbers, then names", ["1", "2", "x"], ["2", "x", "y"], ["y"], 0),
    ("numbers, names after the break", ["1", "2"], ["x", "y"], ["x", "y"], 0),
    ("huge numbers are names", ["9" * 30, "1" * 30], ["1" * 30, "z"], ["z"], 0),
]


@pytest.mark.parametrize(
    ("first", "second", "kept", "missing"), [row[1:] for row in RESUMES], ids=[row[0] for row in RESUMES]
)
@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one batch", "one by one"])
def test_what_a_resume_keeps(
    first: list[str], second: list[str], kept: list[str], missing: int, one_by_one: bool
) -> None:
    resume = opened()
    for batch in [[one] for one in first] if one_by_one else [first]:
        assert resume.admit(batch) == Admission()
    assert resume.position == first[-1]
    resume.broke(1.0, "cut")
    resume.opened(2.0)
    gone, taken = 0, []
    for batch in [[one] for one in second] if one_by_one else [second]:
        admission = resume.admit(batch)
        gone += admission.missing
        taken += [one for one, keep in zip(batch, admission.keep or [True] * len(batch), strict=True) if keep]
    assert (taken, gone) == (kept, missing)
    assert resume.position == (kept[-1] if kept else first[-1])


def test_the_position_is_that_of_the_last_event_that_was_new() -> None:
    resume = opened()
    resume.admit(["1", "2"])
    resume.opened(1.0)
    assert resume.admit(["3", "1"]).keep == [True, False]
    assert resume.position == "3"


def test_heartbeats_that_share_the_count_leave_no_gap() -> None:
    resume = opened()
    resume.admit(["1", "2"])
    resume.heard("3", 1.0, heartbeat=True)
    resume.opened(2.0)
    assert resume.admit(["4"]).missing == 0


def test_a_jump_within_one_connection_is_no_gap_but_the_end_of_counting() -> None:
    resume = opened()
    assert resume.admit(["1", "2", "9"]) == Admission()
    resume.opened(1.0)
    assert resume.admit(["20"]).missing == 0


def test_attached_in_the_middle_duplicates_are_dropped_and_no_gap_is_told() -> None:
    resume = opened("7")
    assert resume.admit(["6", "7", "9"]) == Admission([False, False, True], 0)
    named = opened("e7")
    assert named.admit(["e7", "e9"]) == Admission([False, True], 0)


def test_names_replayed_from_the_very_beginning_after_more_than_is_remembered() -> None:
    resume = fresh(remembered_ids=10)
    resume.opened(0.0)
    names = [f"n{i}" for i in range(1000)]
    for name in names:
        resume.admit([name])
    resume.opened(1.0)
    admission = resume.admit([*names, "new"])
    assert admission.keep == [False] * 1000 + [True]


@pytest.mark.parametrize("ids", [[""], ["1", ""], ["", "1", ""]])
def test_without_ids_a_break_is_the_end(ids: list[str]) -> None:
    resume = opened()
    assert resume.admit(ids).unsafe
    assert not resume.admit(ids[-1:]).unsafe, "told once"
    decision = resume.broke(1.0, "cut")
    assert isinstance(decision, GiveUp)
    assert "does not number" in decision.why


def test_without_ids_nothing_received_can_be_doubled() -> None:
    resume = opened()
    resume.heard("", 1.0, heartbeat=True)
    assert isinstance(resume.broke(2.0, "cut"), Wait)


def test_one_id_for_all_events_is_none() -> None:
    resume = opened()
    assert resume.admit(["same", "same"]) == Admission(unsafe=True)
    assert isinstance(resume.broke(1.0, "cut"), GiveUp)
    resume = opened()
    resume.admit(["same"])
    assert resume.admit(["same"]) == Admission(unsafe=True)


def test_ids_of_thousands_of_digits_are_names() -> None:
    long = ["1" * 5000, "2" * 5000]
    resume = opened()
    assert resume.admit(long).keep is None
    resume.broke(1.0, "reset")
    resume.opened(2.0)
    assert resume.admit([*long, "3"]).keep == [False, False, True]


@given(st.data())
def test_whatever_is_replayed_each_event_is_taken_once_and_in_order(data: st.DataObject) -> None:
    """A log of events, a server that goes on from some point at or before the one asked for, cuts anywhere."""
    style = data.draw(st.sampled_from(["count", "offset", "name"]))
    count = data.draw(st.integers(1, 30))
    log = [
        {"count": str(i + 1), "offset": str((i + 1) * 37 + i % 3), "name": f"n{i * 7919 % 101}"}[style]
        for i in range(count)
    ]
    resume, taken = fresh(), list[str]()
    for _ in range(200):
        resume.opened(0.0)
        asked = log.index(resume.position) + 1 if resume.position else 0
        start = data.draw(st.integers(0, asked))
        end = data.draw(st.integers(start, count))
        sent = log[start:end]
        while sent:
            size = data.draw(st.integers(1, len(sent)))
            batch, sent = sent[:size], sent[size:]
            admission = resume.admit(batch)
            assert admission.missing == 0
            taken += [one for one, keep in zip(batch, admission.keep or [True] * size, strict=True) if keep]
        assert taken == log[: len(taken)]
        assert resume.position == (taken[-1] if taken else None)
        if len(taken) == count or data.draw(st.booleans()):
            return
        resume.broke(0.0, "cut")
