from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from rdev_bridge.cli.status_line import KEYS_CONFLICT, StatusLine, WatchState, describe, line_of, result, seconds
from rdev_bridge.cli.width import shortened, width, wrapped
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
         "running t, 12 s; a.py changed; runs again after that"),
        (WatchState("t", running_since_s=88.0, asks_whose=True), "●", "running t, 12 s; m mine  r again"),
        (WatchState("t", running_since_s=88.0, overtaken=True), "●", "running t, 12 s; files changed since"),
        (WatchState("t", running_since_s=88.0, syncing="bringing 2 files"), "●", "running t, 12 s; bringing 2 files"),
        (WatchState("t", last=replace(ended(Outcome.ERROR), reason="syncConflict")), "!", "o overwrite theirs"),
        (WatchState("t", running_since_s=88.0, cancelling=True), "●", "cancelling t, 12 s"),
        (WatchState("t", paused=True, changed=True), "‖", "t paused, files changed"),
        (WatchState("t", last=ended(Outcome.SUCCEEDED, duration_ms=100)), "✓", "t passed in 0.1 s; waits for changes"),
        (WatchState("t", last=replace(ended(Outcome.SUCCEEDED), stale=True)), "✓", "t passed; files changed since; "),
        (WatchState("t", last=ended(Outcome.FAILED, exit_code=1)), "✗", "t failed (exit 1); waits"),
        (WatchState("t", running_since_s=99.0, last=ended(Outcome.FAILED, exit_code=1)), "●", "last failed (exit 1)"),
    ],
)  # fmt: skip
def test_the_state_in_one_line(state: WatchState, mark: str, words: str) -> None:
    shown_mark, _, wordings = describe(state, 100.0)
    assert shown_mark == mark
    assert words in wordings[0]
    assert not any("\n" in shown for shown in wordings)


def test_durations_and_names_are_short() -> None:
    assert [seconds(s) for s in (0, 9.94, 12.4, 59.6, 61, 3600)] == [
        "0.0 s", "9.9 s", "12 s", "1 min 00 s", "1 min 01 s", "60 min 00 s",
    ]  # fmt: skip
    assert shortened("one\ntwo  three", 20) == "one two three"
    assert shortened("abcdefgh", 5) == "abcd…"


FAILED = ended(Outcome.FAILED, exit_code=2, duration_ms=400)


@pytest.mark.parametrize(
    ("state", "columns", "line"),
    [
        (WatchState("test", last=FAILED), 75,
         "test failed (exit 2) in 0.4 s; waits for changes; r run  p pause  q quit"),
        (WatchState("typecheck", last=FAILED), 75, "typecheck failed (exit 2) in 0.4 s; waits; r run  p pause  q quit"),
        (WatchState("test", last=FAILED), 50, "test failed (exit 2) in 0.4 s; waits for changes"),
        (WatchState("test", last=FAILED), 36, "test failed (exit 2) in 0.4 s"),
        (WatchState("test", last=FAILED), 20, "test failed (exit 2…"),
        (WatchState("test", running_since_s=99.0, why="main.c changed", last=FAILED), 75,
         "running test, 1.0 s; last failed (exit 2) in 0.4 s; c cancel  q quit"),
        (WatchState("test", running_since_s=99.0, why="main.c changed", last=FAILED), 40,
         "running test, 1.0 s; c cancel  q quit"),
        (WatchState("test", running_since_s=99.0, why="main.c changed"), 75,
         "running test, 1.0 s; main.c changed; r again  c cancel  q quit"),
        (WatchState("test", paused=True, changed=True, last=FAILED), 75,
         "test paused, files changed; r run  p go on  q quit"),
        (WatchState("t", last=replace(FAILED, reason="syncConflict")), 50, KEYS_CONFLICT),
    ],
)  # fmt: skip
def test_the_keys_stay_at_80_columns_and_no_line_wraps(state: WatchState, columns: int, line: str) -> None:
    _, _, wordings = describe(state, 100.0)
    assert line_of(wordings, columns) == line
    assert width(line) <= columns


def test_widths_are_those_of_a_terminal() -> None:
    assert width("日本語") == 6
    assert shortened("日本語のテスト", 8) == "日本語…"
    assert width("e\u0301") == 1
    assert wrapped("src/a.py and 2 more changed", 15) == "src/a.py and 2\n   more changed"
    assert wrapped("a_word_that_does_not_fit at all", 10) == "a_word_that_does_not_fit\n   at all"


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def drawn(out: io.StringIO) -> str:
        StatusLine(out).show(WatchState("t", paused=True))
        return out.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[33m" in drawn(Terminal())
    assert drawn(Terminal()).startswith("\x1b[0m"), "a colour that the output left on stays with it"
    assert "\x1b[33m" not in drawn(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[33m" not in drawn(Terminal())


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
    assert out.getvalue().endswith("\r\x1b[Jkept\n")
