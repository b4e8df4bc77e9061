"""`rdev-bridge watch` in a real repository: how often it runs, on what, and that endless saves let a run end."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.bridge import PATIENCE_S, Bridge
from tests.support.other_folder import other_folder
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = 2000
SAVE_EVERY_S = 0.3
TASKS = """\
[tasks.show]
command = "cat src/a.txt"
watch = ["src/**"]

[tasks.name]
command = "printf '%s\\\\n' ${changedFiles}"
watch = ["src/**"]

[tasks.long]
command = "sleep 1.5"
watch = ["src/**"]
on_busy = "restart"

[tasks.format]
command = "sed -i 's/ *= */ = /' src/*.txt; echo made > src/made.txt"
watch = ["src/**"]

[tasks.build]
command = "echo built"

[tasks.test]
command = "cat src/a.txt"
depends_on = ["build"]
watch = ["src/**"]
"""


class Watching:
    """`watch --output jsonl TASK`, and its events as they come."""

    def __init__(self, bridge: Bridge, *words: str, environ: dict[str, str] | None = None) -> None:
        self.process = bridge.start("watch", "--output", "jsonl", *words, **({"env": environ} if environ else {}))
        self.probe = bridge.folder.parent / "probe"
        self.said: list[str] = []
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._listen)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said += [line.decode() for line in self.process.stderr]

    def until(self, event: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next event of that name; those before it are passed over."""
        while True:
            found = self._events.get(timeout=timeout_s)
            if found["event"] == event:
                return found

    def run(self) -> tuple[list[str], list[str], dict[str, Any]]:
        """The next run of the task itself: the names that started it, its output, and how it ended."""
        started = self.until("runStarted")
        lines: list[str] = []
        while True:
            event = self._events.get(timeout=PATIENCE_S)
            if event["event"] == "output" and event["runId"] == started["run"]["runId"]:
                lines.append(event["line"])
            if event["event"] == "runFinished" and event["run"]["runId"] == started["run"]["runId"]:
                self._let_the_clock_pass()
                return [uri.rpartition("/")[2] for uri in started["trigger"].get("files", [])], lines, event["run"]

    def _let_the_clock_pass(self) -> None:
        """A file system's clock lags by a tick, and what was made in a run's last tick is held to be the run's."""
        now_s = time.time()
        eventually(lambda: (self.probe.touch(), self.probe.stat().st_mtime > now_s)[1], what="the file system's clock")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            for thread in self._threads:
                thread.join()
            for pipe in (self.process.stdout, self.process.stderr):
                assert pipe is not None
                pipe.close()


@pytest.fixture
def bridge(bridge: Bridge) -> Bridge:
    (bridge.folder / "rdev.toml").write_text(TASKS)
    (bridge.folder / "src").mkdir()
    (bridge.folder / "src" / "a.txt").write_text("a=0\n")
    return bridge


@pytest.fixture
def watch(bridge: Bridge) -> Iterator[Any]:
    started: list[Watching] = []

    def start(*words: str, environ: dict[str, str] | None = None) -> Watching:
        started.append(Watching(bridge, *words, environ=environ))
        return started[-1]

    yield start
    for one in started:
        one.close()


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "gc.auto=0"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_ten_quick_saves_are_two_runs_and_the_second_sees_the_last(bridge: Bridge, watch: Any) -> None:
    watching = watch("show")
    assert watching.run()[1] == ["a=0"]
    for number in range(1, 11):
        (bridge.folder / "src" / "a.txt").write_text(f"a={number}\n")
        if number == 1:
            first = watching.until("runStarted")
            assert first["trigger"]["kind"] == "change"
    names, lines, _ = watching.run()
    assert (names, lines) == (["a.txt"], ["a=10"])
    (bridge.folder / "src" / "last.txt").write_text("")
    assert watching.run()[0] == ["last.txt"], "there was a third run"


def test_a_switch_of_branches_with_two_thousand_changed_files_is_one_run(bridge: Bridge, watch: Any) -> None:
    folder = bridge.folder
    git(folder, "init", "-q", "-b", "main")
    for number in range(FILES):
        path = folder / "src" / f"d{number % 40}" / f"f{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "switch", "-q", "-c", "other")
    for number in range(FILES):
        (folder / "src" / f"d{number % 40}" / f"f{number}.txt").write_text("two, and longer\n")
    git(folder, "commit", "-q", "-a", "-m", "two")
    watching = watch("show")
    watching.run()
    git(folder, "switch", "-q", "main")
    names, _, _ = watching.run()
    assert len(names) == FILES
    (folder / "src" / "last.txt").write_text("")
    assert watching.run()[0] == ["last.txt"], "the switch was more than one run"


def test_the_command_is_handed_the_changed_files(bridge: Bridge, watch: Any) -> None:
    watching = watch("name")
    watching.run()
    odd = "it's $(odd) ü.txt"
    (bridge.folder / "src" / odd).write_text("")
    assert watching.run()[1] == [str(bridge.folder / "src" / odd)]


def test_an_endless_stream_of_saves_lets_a_run_finish_under_restart(bridge: Bridge, watch: Any) -> None:
    files = [bridge.folder / "src" / f"s{number}.txt" for number in range(300)]
    for file in files:
        file.write_text("")
    watching = watch("long")
    watching.until("runStarted")
    enough = threading.Event()

    def save_on_and_on() -> None:
        for file in files:
            file.write_text("saved")
            if enough.wait(SAVE_EVERY_S):
                return

    saving = threading.Thread(target=save_on_and_on)
    saving.start()
    try:
        outcomes: list[str] = []
        while "succeeded" not in outcomes[1:]:
            outcomes.append(watching.until("runFinished")["run"]["outcome"])
            assert len(outcomes) < 300
        assert saving.is_alive()
    finally:
        enough.set()
        saving.join()
    assert outcomes.count("superseded") >= 4
    assert set(outcomes) == {"superseded", "succeeded"}


def test_a_task_that_formats_its_own_sources_runs_once_more_and_says_why(bridge: Bridge, watch: Any) -> None:
    last = bridge.folder / "src" / "last.md"  # there before: what is made during a run passes for the run's own
    last.write_text("")
    watching = watch("format")
    watching.run()
    (bridge.folder / "src" / "a.txt").write_text("a=1\n")
    assert watching.run()[0] == ["a.txt"]
    last.write_text("edited")
    seen = []
    while "last.md" not in seen:
        seen += watching.run()[0]
        assert seen.count("a.txt") <= 1, "it goes round"
    assert (bridge.folder / "src" / "a.txt").read_text() == "a = 1\n"
    watching.close()
    assert any("s output: " in line and "src/" in line for line in watching.said)


def test_what_a_task_depends_on_runs_first_and_names_whom_it_serves(bridge: Bridge, watch: Any) -> None:
    watching = watch("test")
    parent = watching.until("runStarted")["run"]["runId"]
    child = watching.until("runStarted")
    assert child["run"]["parentRunId"] == parent
    assert child["trigger"]["kind"] == "dependency"
    ends = [watching.until("runFinished")["run"] for _ in range(2)]
    assert [(end["task"], end["outcome"]) for end in ends] == [("build", "succeeded"), ("test", "succeeded")]


def test_what_is_saved_runs_in_the_servers_folder(bridge: Bridge, watch: Any, tmp_path: Path) -> None:
    with other_folder(tmp_path / "there") as server:
        toml = f'remote_root = "{server.root}"\n' + TASKS.replace("[tasks.name]", 'sync = "push"\n[tasks.name]')
        (bridge.folder / "rdev.toml").write_text(toml)
        watching = watch("--on", "src/**", "show", environ=server.environ)
        _, lines, first = watching.run()
        assert lines == ["a=0"]
        (bridge.folder / "src" / "a.txt").write_text("a=1\n")
        _, lines, second = watching.run()
        assert lines == ["a=1"]
        assert second["workspaceState"] != first["workspaceState"]
        (bridge.folder / "src" / "b.txt").write_text("b")
        watching.run()
        assert (server.root / "src" / "b.txt").read_text() == "b"
        (bridge.folder / "src" / "b.txt").unlink()
        _, _, last = watching.run()
        assert not (server.root / "src" / "b.txt").exists()
        assert last["workspaceState"] == second["workspaceState"]
