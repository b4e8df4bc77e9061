from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rdev_bridge.cli.status_line import StatusLine, WatchState, describe, result, seconds, shortened
from rdev_bridge.model import Outcome, Run, RunState


def ended(outcome: Outcome, *, exit_code: int | None = None, duration_ms: int | None = None) -> Run:
    return Run(run_id="1", command="x", folder=Path("/w"), project="p", server="s", state=RunState.FINISHED,
               started_at=datetime.now(UTC), log_path=Path("/l"), outcome=outcome, exit_code=exit_code,
               duration_ms=duration_ms)  # fmt: skip


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (ended(Outcome.SUCCEEDED, exit_code=0, duration_ms=1234), "passed in 1.2 s"),
        (ended(Outcome.FAILED, exit_code=3, duration_ms=40_000), "failed (exit 3) in 40 s"),
        (ended(Outcome.TIMED_OUT, duration_ms=600_000), "timed out in 10 min 00 s"),
        (ended(Outcome.LOST), "was lost"),
        (ended(Outcome.ERROR), "did not start"),
        (ended(Outcome.CANCELLED), "was cancelled"),
    ],
)
def test_a_result_in_words(run: Run, words: str) -> None:
    assert result(run) == words


@pytest.mark.parametrize(
    ("state", "mark", "words"),
    [
        (WatchState("t"), "·", "t waits for changes"),
        (WatchState("t", running_since_s=88.0), "●", "running t, 12 s"),
        (WatchState("t", running_since_s=88.0, queued=True, why="a.py changed"), "●",
         "running t, 12 s; a.py changed; changed since, runs again"),
        (WatchState("t", running_since_s=88.0, cancelling=True), "●", "cancelling t, 12 s"),
        (WatchState("t", paused=True, changed=True), "‖", "t paused, files changed"),
        (WatchState("t", last=ended(Outcome.SUCCEEDED, duration_ms=100)), "✓", "t passed in 0.1 s; waits for changes"),
        (WatchState("t", last=replace(ended(Outcome.SUCCEEDED), stale=True)), "✓", "t passed; files changed since; "),
        (WatchState("t", last=ended(Outcome.FAILED, exit_code=1)), "✗", "t failed (exit 1); waits"),
        (WatchState("t", running_since_s=99.0, last=ended(Outcome.FAILED, exit_code=1)), "●", "last failed (exit 1)"),
    ],
)  # fmt: skip
def test_the_state_in_one_line(state: WatchState, mark: str, words: str) -> None:
    shown_mark, _, shown = describe(state, 100.0)
    assert shown_mark == mark
    assert words in shown
    assert "\n" not in shown


def test_durations_and_names_are_short() -> None:
    assert [seconds(s) for s in (0, 9.94, 12.4, 59.6, 61, 3600)] == [
        "0.0 s", "9.9 s", "12 s", "1 min 00 s", "1 min 01 s", "60 min 00 s",
    ]  # fmt: skip
    assert shortened("one\ntwo  three", 20) == "one two three"
    assert shortened("abcdefgh", 5) == "abcd…"


def test_the_line_makes_room_and_never_tears_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    line, state = StatusLine(out), WatchState("t")
    line.show(state)
    line.show(state)
    assert out.getvalue().count("t waits") == 1, "drawn again only when it says something new"
    line.hide()
    out.write("half a li")
    line.printed(ended=False)
    line.show(state)
    assert out.getvalue().endswith("half a li")
    line.settle()
    line.show(state)
    assert "half a li\n" in out.getvalue()
    assert out.getvalue().count("t waits") == 2
    line.say("kept")
    assert out.getvalue().endswith("\r\x1b[2Kkept\n")
