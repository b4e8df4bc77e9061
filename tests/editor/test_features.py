"""The features' pure parts, as tables."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge import trust
from rdev_bridge.editor.client import client_from, path_from_uri
from rdev_bridge.editor.features import code_action, code_lens, settings_file
from rdev_bridge.editor.features.code_action import CodeActionContext, CodeActionParams, TextDocument
from rdev_bridge.editor.features.diagnostics import DiagnosticsPublisher, settings_diagnostic
from rdev_bridge.editor.features.execute_command import ExecuteCommandParams, request_of
from rdev_bridge.editor.features.log_message import BURST_LINES, LAST_LINES, LogView
from rdev_bridge.editor.features.output import FRAME_CHARS, FRAME_LINES, output_frames
from rdev_bridge.editor.features.run import RunParams, request_from
from rdev_bridge.editor.features.settings_file import SettingsWatch
from rdev_bridge.editor.features.show_output import ShowOutputParams, choose
from rdev_bridge.editor.features.tasks import TaskIndex
from rdev_bridge.editor.features.trust import question
from rdev_bridge.editor.peer import Peer
from rdev_bridge.editor.wording import ending, headline, title_of
from rdev_bridge.errors import RdevError, SettingsError, UsageError
from rdev_bridge.model import (
    BusyPolicy,
    Chunk,
    DiagnosticCounts,
    Location,
    Outcome,
    Run,
    RunRequest,
    RunState,
    Stream,
    Task,
)
from tests.support.wait import eventually_async

WORK, PLAY = Path("/home/me/work"), Path("/home/me/play")


def task(name: str, folder: Path = WORK, command: str = "make", line: int = 3, **fields: Any) -> Task:
    return Task(name=name, folder=folder, command=command, location=Location(folder / "rdev.toml", line), **fields)


def run(run_id: str = "r1", **fields: Any) -> Run:
    given_fields = {
        "command": "make",
        "folder": WORK,
        "project": "work",
        "server": "embedded",
        "state": RunState.FINISHED,
        "started_at": datetime(2026, 1, 31, tzinfo=UTC),
        "log_path": Path("/state/r1/output.log"),
        **fields,
    }
    return Run(run_id=run_id, **given_fields)


# ── tasks ──


def test_ids_are_as_short_as_they_can_be() -> None:
    twin = Path("/elsewhere/work")
    index = TaskIndex([task("test"), task("lint"), task("lint", PLAY), task("deploy"), task("deploy", twin)])
    assert list(index.tasks) == ["test", "work:lint", "play:lint", f"{WORK}:deploy", f"{twin}:deploy"]
    assert all(index.find(task_id) is found for task_id, found in index.tasks.items())


def test_a_bare_name_means_the_first_folder() -> None:
    index = TaskIndex([task("lint", PLAY), task("lint")])
    assert index.find("lint", order=[WORK, PLAY]).folder == WORK
    assert index.find("lint", PLAY).folder == PLAY


@pytest.mark.parametrize(
    ("wanted", "hint"), [("tset", "did you mean 'test'"), ("zzz", "known are lint, test"), ("", "known are")]
)
def test_an_unknown_task_names_the_nearest(wanted: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        TaskIndex([task("test"), task("lint")]).find(wanted)


def test_with_no_tasks_it_says_how_to_get_some() -> None:
    with pytest.raises(UsageError, match="rdev-bridge init"):
        TaskIndex([]).find("test")


# ── run ──


def test_a_request_carries_all_it_was_given() -> None:
    index = TaskIndex([task("test")])
    params = RunParams(task="test", arguments=["-k", "a b"], env={"A": "1"}, on_busy="restart", file="file:///x%20y")
    request = request_from(params, index, [WORK])
    assert request.task is index.tasks["test"]
    assert request.command is None
    assert request.arguments == ("-k", "a b")
    assert request.on_busy is BusyPolicy.RESTART
    assert request.file == Path("/x y")


def test_null_is_as_good_as_nothing() -> None:
    names = ("task", "folder", "arguments", "env", "cwd", "onBusy", "onClientExit", "file", "syncConflict")
    params = msgspec.convert({"command": "make", **dict.fromkeys(names)}, RunParams)
    assert request_from(params, TaskIndex([]), [WORK]) == RunRequest(folder=WORK, command="make")


@pytest.mark.parametrize(
    ("folder", "expected"), [(None, WORK), (PLAY.as_uri(), PLAY), (str(PLAY), PLAY), ("play", PLAY)]
)
def test_a_command_runs_in_an_open_folder(folder: str | None, expected: Path) -> None:
    request = request_from(RunParams(command="make", folder=folder), TaskIndex([]), [WORK, PLAY])
    assert (request.folder, request.command) == (expected, "make")


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("rdev.run", ["test"], ("rdev/run", {"task": "test"})),
        ("rdev.run", ["test", ["-x"]], ("rdev/run", {"task": "test", "arguments": ["-x"]})),
        ("rdev.run", [{"command": "make"}], ("rdev/run", {"command": "make"})),
        ("rdev.cancel", None, ("rdev/cancel", {})),
        ("rdev.cancel", [None], ("rdev/cancel", {})),
        ("rdev.watch", ["test", False], ("rdev/watch", {"task": "test", "enabled": False})),
        ("rdev.tasks", ["whatever"], ("rdev/tasks", {})),
        ("rdev.showOutput", ["test"], ("rdev/showOutput", {"run": "test"})),
    ],
)
def test_commands_stand_for_requests(command: str, arguments: Any, expected: Any) -> None:
    assert request_of(ExecuteCommandParams(command, arguments)) == expected


# ── lenses and actions ──


def test_lenses_offer_what_can_be_done_now() -> None:
    tasks = {"test": task("test", line=3), "lint": task("lint", line=9), "far": task("far", PLAY)}
    runs = [
        run("r7", task="test", state=RunState.RUNNING),
        run("r6", task="lint", state=RunState.QUEUED),
        run("r2", task="lint", state=RunState.FINISHED, outcome=Outcome.FAILED, exit_code=3),
        run("r1", task="lint", state=RunState.FINISHED, outcome=Outcome.SUCCEEDED),
    ]
    found = code_lens.lenses(WORK / "rdev.toml", tasks, {"lint"}, runs)
    told = [(lens["range"]["start"]["line"], lens["command"]["title"], lens["command"]["arguments"]) for lens in found]
    assert told == [
        (3, "▶ Run test", ["test"]),
        (3, "Watch", ["test", True]),
        (3, "■ Cancel", ["r7"]),
        (9, "▶ Run lint", ["lint"]),
        (9, "Stop watching", ["lint", False]),
        (9, "■ Cancel (queued)", ["r6"]),
        (9, "Output (failed with exit code 3)", ["r2"]),
    ]


RUNS = [
    run("r9", command="make -j8", state=RunState.RUNNING),
    run("r8", task="test", state=RunState.RUNNING),
    run("r7", task="gone", outcome=Outcome.SUCCEEDED),
    run("r6", task="test", outcome=Outcome.FAILED, exit_code=3),
    run("r5", task="test", outcome=Outcome.SUCCEEDED),
]
LAST_RESULT = "Show output of test (failed with exit code 3)"
EVERYTHING = ["Run test", "Cancel make -j8", "Cancel test", LAST_RESULT]


def actions(only: list[str] | None = None, trigger: int | None = None, sources: tuple[str, ...] = ()) -> list[str]:
    context = CodeActionContext([{"source": source, "message": "m"} for source in sources], only, trigger)
    params = CodeActionParams(TextDocument("file:///x"), context)
    return [action["title"] for action in code_action.actions(params, {"test": task("test")}, RUNS, literals=True)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, EVERYTHING),
        ({"only": ["source"]}, EVERYTHING),
        ({"only": ["source.rdev"]}, EVERYTHING),
        ({"only": ["source.rdev.run"]}, ["Run test"]),
        ({"only": ["source.rdev.output"]}, [LAST_RESULT]),
        ({"only": ["source.organizeImports"]}, []),
        ({"only": ["quickfix"]}, []),
        ({"trigger": 2}, []),
        ({"trigger": 1}, EVERYTHING),
        ({"trigger": 2, "sources": ("rdev:test", "rdev:test")}, ["Run test again", "Show output of test"]),
        (
            {"only": ["quickfix"], "sources": ("rdev:test", "mypy", "rdev:gone")},
            ["Run test again", "Show output of test"],
        ),
    ],
)
def test_actions_come_where_they_are_wanted(asked: dict[str, Any], expected: list[str]) -> None:
    assert actions(**asked) == expected


def test_an_action_means_the_run_that_it_names() -> None:
    tasks = {"work:test": task("test"), "play:test": task("test", PLAY)}
    found = code_action.actions(CodeActionParams(TextDocument("file:///x")), tasks, RUNS, literals=True)
    assert [(action["command"]["command"], action["command"]["arguments"]) for action in found[2:]] == [
        ("rdev.cancel", ["r9"]),
        ("rdev.cancel", ["r8"]),
        ("rdev.showOutput", [{"runId": "r6", "task": "work:test"}]),
    ]


def on_diagnostic(uri: str, data: Any = None) -> list[tuple[str, Any]]:
    diagnostic = {"source": "rdev:test", "message": "m", **({} if data is None else {"data": data})}
    tasks = {"a:test": task("test", Path("/w/a")), "b:test": task("test", Path("/w/a/b"))}
    params = CodeActionParams(TextDocument(uri), CodeActionContext([diagnostic], ["quickfix"]))
    found = code_action.actions(params, tasks, [], literals=True)
    assert all(action["diagnostics"] == [diagnostic] for action in found)
    return [(action["command"]["command"], *action["command"]["arguments"]) for action in found]


def test_a_diagnostic_leads_back_to_the_run_that_reported_it() -> None:
    of_run = {"runId": "r7", "task": "b:test"}
    assert on_diagnostic("file:///w/a/b/x", {"runId": "r7"}) == [("rdev.rerun", of_run), ("rdev.showOutput", of_run)]
    for strange in ({}, {"runId": 7}, "r7", None):
        assert on_diagnostic("file:///w/a/x", strange) == [("rdev.run", "a:test"), ("rdev.showOutput", "a:test")]


@pytest.mark.parametrize(
    ("fields", "takes_file"),
    [
        ({"command": "pytest ${file}"}, True),
        ({"command": "make ${fileBasenameNoExtension}.o"}, True),
        ({"cwd": "${fileDirname}"}, True),
        ({"env": {"NAME": "${relativeFile}"}}, True),
        ({"depends_on": ("lint",)}, True),
        ({"command": "pytest ${workspaceFolder}"}, False),
        ({"command": "echo $${file} # ${file}"}, True),
        ({"command": "echo $${file}"}, False),
    ],
)
def test_a_task_that_takes_the_file_gets_it(fields: dict[str, Any], takes_file: bool) -> None:
    params = CodeActionParams(TextDocument("file:///x.py"))
    tasks = {"one": task("one", **fields), "lint": task("lint", command="lint ${file}")}
    commands = code_action.actions(params, tasks, [], literals=False)
    of_lint = {"task": "lint", "file": "file:///x.py"}
    of_one = {"task": "one", "file": "file:///x.py"} if takes_file else "one"
    assert [command["arguments"] for command in commands] == [[of_one], [of_lint]]


# ── output ──


def frames(chunks: list[Chunk], seq: int = 0) -> list[dict[str, Any]]:
    return [json.loads(body)["params"] for body in output_frames("r1", seq, chunks)]


@given(
    st.lists(
        st.builds(
            Chunk,
            st.sampled_from(Stream),
            st.lists(st.one_of(st.just("x" * 40_000), st.text(alphabet="ab🦀", max_size=5)), min_size=1, max_size=30),
        ),
        max_size=6,
    )
)
def test_frames_hold_every_line_once_and_in_order(chunks: list[Chunk]) -> None:
    seq = 5
    expected = [(chunk.stream.value, line) for chunk in chunks for line in chunk.lines]
    got = []
    for params in frames(chunks, seq):
        assert params["seq"] == seq
        lines = [(chunk["stream"], line) for chunk in params["chunks"] for line in chunk["lines"]]
        assert len(lines) <= FRAME_LINES
        assert len(lines) == 1 or sum(len(line) for _, line in lines) <= FRAME_CHARS
        seq += len(lines)
        got += lines
    assert got == expected


def test_many_lines_share_a_frame() -> None:
    assert len(frames([Chunk(Stream.STDOUT, ["line"] * 1000)])) == 1


def test_frames_hold_no_control_sequences() -> None:
    [params] = frames([Chunk(Stream.STDERR, ["\x1b]0;t\x07\x1b[31mred\x1b[0m"])])
    assert params["chunks"] == [{"stream": "stderr", "lines": ["\x1b[31mred\x1b[0m"]}]


# ── log messages ──


def text_of(message: bytes | None) -> str:
    return "" if message is None else json.loads(message)["params"]["message"]


def test_a_quiet_run_is_logged_whole() -> None:
    view = LogView(run(), clock=lambda: 0.0)
    assert text_of(view.output(["\x1b[31ma\x1b[0m", "b"])) == "a\nb"
    assert text_of(view.finished(run(outcome=Outcome.SUCCEEDED, duration_ms=1234))) == (
        "[make] succeeded after 1.2 s; output: /state/r1/output.log"
    )


def test_a_flood_is_cut_counted_and_its_end_kept() -> None:
    now = [0.0]
    view = LogView(run(), clock=lambda: now[0])
    shown = text_of(view.output([f"{n}" for n in range(10_000)])).split("\n")
    assert shown == [f"{n}" for n in range(BURST_LINES)]
    assert view.output(["more"] * 10_000) is None
    now[0] = 1.0
    resumed = text_of(view.output(["after"])).split("\n")
    assert resumed[0].startswith(f"… {20_000 - BURST_LINES:,} lines left out")
    assert resumed[1:] == ["after"]
    view.output([f"z{n}" for n in range(5000)])
    last = text_of(view.finished(run(outcome=Outcome.FAILED, exit_code=2))).split("\n")
    assert "lines left out" in last[0]
    assert last[1 : 1 + LAST_LINES] == [f"z{n}" for n in range(5000 - LAST_LINES, 5000)]
    assert "exit code 2" in last[-1]


def test_a_huge_line_is_shortened() -> None:
    assert len(text_of(LogView(run()).output(["x" * 1_000_000]))) < 3000


# ── words ──


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"outcome": Outcome.FAILED, "exit_code": 3, "duration_ms": 1234}, "failed with exit code 3 after 1.2 s"),
        ({"outcome": Outcome.SUCCEEDED, "duration_ms": 125_000}, "succeeded after 2 min 5 s"),
        ({"outcome": Outcome.LOST, "message": "gone\x07"}, "lost: its end could not be learnt: gone"),
        (
            {"outcome": Outcome.FAILED, "exit_code": 1, "diagnostics": DiagnosticCounts(errors=2)},
            "failed with exit code 1, 2 errors",
        ),
        ({"outcome": Outcome.CANCELLED}, "cancelled"),
    ],
)
def test_endings(fields: dict[str, Any], expected: str) -> None:
    assert ending(run(**fields)) == expected


def test_titles_are_short_and_plain() -> None:
    assert title_of(run(task="test")) == "test"
    assert title_of(run(command="echo\n\x1b[31m" + "x" * 100)).startswith("echo xxx")
    assert len(title_of(run(command="x" * 100))) == 60


FAILED = {"outcome": Outcome.FAILED, "exit_code": 127, "duration_ms": 12_300}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"task": "test"}, "test failed with exit code 127 after 12.3 s"),
        ({"task": "typecheck-everything"}, "typecheck-everything failed with exit code 127"),
        ({"command": "x" * 100}, f"{'x' * 31}… failed with exit code 127"),
        ({"task": "test", "message": "why " * 30}, f"test failed with exit code 127 after 12.3 s: {'why ' * 30}"),
    ],
)
def test_an_end_fits_one_line_unless_there_is_a_reason_to_tell(fields: dict[str, Any], expected: str) -> None:
    assert headline(run(**FAILED, **fields)) == expected
    assert len(expected) <= 58 or "message" in fields


def test_the_run_whose_output_is_meant() -> None:
    runs = [run("r3", task="lint"), run("r2", task="test"), run("r1", task="test")]
    tasks = {"test": task("test"), "far:test": task("test", PLAY)}
    assert choose(ShowOutputParams(), runs, tasks).run_id == "r3"
    dependency = run("r4", task="build", parent_run_id="r3")
    assert choose(ShowOutputParams(), [dependency, *runs], tasks).run_id == "r3"
    assert choose(ShowOutputParams(run="build"), [dependency, *runs], tasks).run_id == "r4"
    assert choose(ShowOutputParams(run="test"), runs, tasks).run_id == "r2"
    assert choose(ShowOutputParams(run="lint"), runs, tasks).run_id == "r3"  # its task was removed since
    assert choose(ShowOutputParams(run_id="r1"), runs, tasks).run_id == "r1"
    assert choose(ShowOutputParams(run_id="r1", task="lint"), runs, tasks).run_id == "r1"
    assert choose(ShowOutputParams(run_id="forgotten", task="test"), runs, tasks).run_id == "r2"
    for unknown in ("gone", "far:test"):
        with pytest.raises(UsageError, match=unknown):
            choose(ShowOutputParams(run=unknown), runs, tasks)
    with pytest.raises(UsageError, match="nothing has run"):
        choose(ShowOutputParams(), [], tasks)


# ── diagnostics ──


def test_several_owners_of_a_file_are_a_union_and_what_goes_is_cleared() -> None:
    sent: list[Any] = []
    publisher = DiagnosticsPublisher(Peer(lambda body: sent.append(json.loads(body)["params"]), lambda: None))
    path = Path("/w/a.py")
    publisher.set("test", path, [{"message": "t"}])
    publisher.set("lint", path, [{"message": "l"}])
    publisher.set("lint", path, [{"message": "l"}])
    publisher.set("test", path, [])
    publisher.set("lint", path, [])
    publisher.set("lint", path, [])
    assert [[d["message"] for d in params["diagnostics"]] for params in sent] == [["t"], ["t", "l"], ["l"], []]
    assert publisher.files_of("lint") == []


async def test_settings_are_looked_at_again_after_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[None] = []
    watch = SettingsWatch([tmp_path], lambda: changes.append(None))
    monkeypatch.setattr(settings_file, "LOOK_EVERY_S", 0.01)
    faults = iter([RdevError("the disk is away")])

    def grant_file(folder: Path) -> Path:
        for fault in faults:
            raise fault
        return folder / "grant"

    monkeypatch.setattr(settings_file, "grant_file", grant_file)
    looking = asyncio.create_task(watch.poll())
    (tmp_path / "rdev.toml").touch()
    await eventually_async(lambda: changes)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


def test_a_wrong_setting_is_shown_at_its_line() -> None:
    error = SettingsError("must be a string", path=Path("/w/rdev.toml"), line=7, key="tasks.test.command")
    diagnostic = settings_diagnostic(error)
    assert diagnostic["range"]["start"] == {"line": 6, "character": 0}
    assert diagnostic["message"] == "tasks.test.command: must be a string"


# ── the client ──


@pytest.mark.parametrize("params", [{}, {"capabilities": None}, {"capabilities": {"window": None, "general": 3}}])
def test_a_client_that_declares_nothing_can_nothing(params: dict[str, Any]) -> None:
    client = client_from(params)
    abilities = (client.rdev, client.progress, client.show_document, client.lens_refresh, client.trusted)
    assert not any(abilities)
    assert client.position_encoding == "utf-16"


@pytest.mark.parametrize(
    ("params", "rdev", "trusted"),
    [
        ({"capabilities": {"experimental": {"rdev": {}}}}, True, False),
        ({"capabilities": {"experimental": {"rdev": True}}}, True, False),
        ({"capabilities": {"experimental": {"rdev": []}}}, True, False),  # an empty table of Lua
        ({"initializationOptions": {"rdev": {"trusted": True}}}, True, True),
        ({"initializationOptions": {"rdev": {"trusted": "yes"}}}, True, False),
        ({"capabilities": {"experimental": {"rdev": False}}}, False, False),
        ({"initializationOptions": []}, False, False),
    ],
)
def test_who_knows_the_rdev_methods(params: dict[str, Any], rdev: bool, trusted: bool) -> None:
    client = client_from(params)
    assert (client.rdev, client.trusted) == (rdev, trusted)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            {"workspaceFolders": [{"uri": "file:///a%20b"}, {"uri": "file:///c"}], "rootUri": "file:///d"},
            ("/a b", "/c"),
        ),
        ({"workspaceFolders": None, "rootUri": "file:///d", "rootPath": "/e"}, ("/d",)),
        ({"rootPath": "/e"}, ("/e",)),
        ({"rootUri": None}, ()),
        ({"rootUri": "untitled:x"}, ()),
        ({"workspaceFolders": [{"uri": 5}, 7, {"uri": "file:///a"}, {"uri": "file:///a"}]}, ("/a",)),
    ],
)
def test_folders(params: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert client_from(params).folders == tuple(map(Path, expected))


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b", "/a/b"),
        ("file://localhost/a", "/a"),
        ("file:///%C3%BC%25", "/ü%"),
        ("file://host/a", None),
        ("http://x/a", None),
        ("untitled:Untitled-1", None),
        ("file:///a%00b", None),
        ("file://[bad", None),
        ("", None),
    ],
)
def test_uris(uri: str, path: str | None) -> None:
    assert path_from_uri(uri) == (None if path is None else Path(path))


def test_a_question_fits_on_a_screen_and_hides_nothing(tmp_path: Path) -> None:
    """VS Code takes its line ends away and cuts it after 1000 characters; Emacs shows a quarter of its frame."""
    command = f"{'x' * 300} \\u001b]0;x\\u0007\\n\\u202e"
    many = "".join(f'[tasks."t{n}\u00a0"]\ncommand = "{command}"\nwatch = "*"\n' for n in range(40)).replace(
        "\u00a0", ""
    )
    text = question(tmp_path / "a\nb\u202e", trust.review(tmp_path, many.encode()))
    head, *starts, more = text.splitlines()
    assert head.startswith("May tasks of ")
    assert "a\\nb\\u202e" in head
    assert [line[:8] for line in starts] == ["· t0: xx", "· t1: xx", "· t2: xx"]
    assert more == "· and 37 more; `rdev-bridge trust` shows all."
    assert len(text) < 700
    short = question(tmp_path, trust.review(tmp_path, many.replace("x" * 300, "").encode()))
    assert "· t0: \\x1b]0;x\\x07 \\u202e" in short
    assert not {"\x1b", "\u202e", "\x07"} & set(text + short)


def test_a_question_shows_what_is_another_than_it_was(tmp_path: Path) -> None:
    before = b"""
        [tasks]
        build.command = "make"
        test = { command = "pytest", depends_on = ["build"], watch = "*.py" }
        lint = { command = "ruff", watch = "*.py", sync = { command = "rsync -a . gpu:" } }
        idle.command = "never by itself"
    """
    first = trust.review(tmp_path, before)
    assert first.starts == ["test: pytest", "build: make", "lint: ruff", "lint, first on this machine: rsync -a . gpu:"]
    trust.grant(tmp_path, before)
    after = before.replace(b'"make"', b'"make evil"').replace(b'"pytest"', b'"pytest", env = { PATH = "." }')
    second = trust.review(tmp_path, after.replace(b"rsync -a", b"evil &&").replace(b"never", b"ever"))
    assert second.starts == [
        "test: pytest (its env changed)",
        "build: make evil",
        "lint, first on this machine: evil && . gpu:",
    ]
    elsewhere = trust.review(tmp_path, b'server = "evil"' + before)
    assert elsewhere.starts[0] == "test: pytest (its server changed)"
    unchanged = trust.review(tmp_path, before + b"# a comment")
    assert unchanged.starts == []
    assert question(tmp_path, unchanged).endswith("\n· they run what they ran before.")
    assert trust.review(tmp_path, b"[broken").starts == []
