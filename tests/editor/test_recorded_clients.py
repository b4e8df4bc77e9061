"""All that a run brings, through each real editor's own capabilities: pytest-lsp's recordings, and ours in `clients`.

`Editor` fails a test in which a message uses more than its client declared (`declared.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_lsp

from rdev_bridge.editor.client import path_from_uri
from tests.editor.declared import Declared
from tests.editor.editor import Editor
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDINGS = [
    *sorted((Path(pytest_lsp.__file__).parent / "clients").glob("*.json")),
    *sorted((Path(__file__).parent / "clients").glob("*.json")),
]
# They may come at any time and as often as they like; what must come is asked for below.
ANY_TIME = (
    *("window/logMessage", "window/showMessage", "$/progress", "textDocument/publishDiagnostics"),
    *("rdev/runStarted", "rdev/output", "rdev/runFinished", "rdev/connection", "rdev/tasksChanged", "rdev/runStale"),
)
TASKS = """\
[tasks.compile]
command = "printf 'app.c:2:5: error: that is wrong\\\\napp.c:1:1: note: this is why\\\\n' >&2; exit 3"
problem_matcher = "gcc"

[tasks.wait]
command = "echo $$ > pid; exec sleep 600"

[tasks.watch]
command = "echo seen"
watch = ["*.c"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "rdev.toml").write_text(TASKS)
    (tmp_path / "app.c").write_text("int x;\nint y z;\n")
    return tmp_path


# their differences to a newer version are none that a message of ours could show
OLD = ("neovim_v0.6", "neovim_v0.7", "neovim_v0.9", "neovim_v0.10")


@pytest.fixture(
    params=[
        pytest.param(path, id=path.stem, marks=[pytest.mark.full] if path.stem.startswith(OLD) else [])
        for path in RECORDINGS
    ]
)
def hello(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What one editor says in `initialize`."""
    said: dict[str, Any] = json.loads(request.param.read_text())
    return said


def has(hello: dict[str, Any], *keys: str) -> bool:
    value: Any = hello["capabilities"]
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value not in (None, False)


def knows_rdev(hello: dict[str, Any]) -> bool:
    return has(hello, "experimental", "rdev") or "rdev" in hello.get("initializationOptions", {})


def end_of(editor: Editor, hello: dict[str, Any], run_id: str, words: str) -> None:
    """How this editor shows that a run ended: by our own notification, in its progress, or in a message."""
    if knows_rdev(hello):
        run: dict[str, Any] = {}
        while run.get("runId") != run_id:
            run = editor.expect("rdev/runFinished")["run"]
        assert words.split()[0] == run["outcome"]
    elif has(hello, "window", "workDoneProgress"):
        value: dict[str, Any] = {}
        while value.get("kind") != "end":
            value = editor.expect("$/progress", token=f"rdev-{run_id}")["value"]
        assert value["message"].startswith(words)
    else:
        said = ""
        while words not in said:
            said = editor.expect("window/logMessage")["message"]


def test_a_run_its_problem_its_end_and_its_log(project: Path, hello: dict[str, Any]) -> None:
    app, settings = (project / "app.c").as_uri(), (project / "rdev.toml").as_uri()
    shown: Callable[[Any], Any] = lambda _: {"success": True}  # noqa: E731
    with Editor(project, ignored=ANY_TIME, answers={"window/showDocument": shown}) as editor:
        editor.initialize(**hello)
        lenses = editor.call("textDocument/codeLens", {"textDocument": {"uri": settings}})
        assert [lens["command"]["command"] for lens in lenses[:2]] == ["rdev.run", "rdev.watch"]
        run_id = editor.call("workspace/executeCommand", lenses[0]["command"])["runId"]
        end_of(editor, hello, run_id, "failed with exit code 3")

        diagnostics: list[Any] = []
        while not diagnostics:
            diagnostics = editor.expect("textDocument/publishDiagnostics", uri=app)["diagnostics"]
        assert diagnostics[0]["message"] == "that is wrong"
        can_relate = has(hello, "textDocument", "publishDiagnostics", "relatedInformation")
        assert ("relatedInformation" in diagnostics[0]) is can_relate

        place = {"textDocument": {"uri": app}, "range": diagnostics[0]["range"]}
        actions = editor.call("textDocument/codeAction", {**place, "context": {"diagnostics": diagnostics}})
        assert {"Run compile again", "Run wait"} <= {action["title"] for action in actions}

        [run] = editor.execute("rdev.runs")["runs"]
        log = path_from_uri(run["logUri"])
        assert (run["exitCode"], log is not None and "that is wrong" in log.read_text()) == (3, True)
        editor.execute("rdev.showOutput", run_id)
        if has(hello, "window", "showDocument", "support"):
            eventually(lambda: "window/showDocument" in {asked["method"] for asked in editor.asked}, what="the log")
            [asked] = [asked for asked in editor.asked if asked["method"] == "window/showDocument"]
            assert asked["params"]["uri"] == run["logUri"]
        else:
            said = ""
            while "is in" not in said:
                said = editor.expect("window/showMessage")["message"]
            assert said.endswith(str(log))


def test_cancel(project: Path, hello: dict[str, Any]) -> None:
    with Editor(project, ignored=ANY_TIME) as editor:
        editor.initialize(**hello)
        run_id = editor.execute("rdev.run", "wait")["runId"]
        pid = project / "pid"
        eventually(lambda: pid.exists() and pid.read_text().strip(), what="the command's process")
        if has(hello, "window", "workDoneProgress") and not knows_rdev(hello):
            editor.expect("$/progress")
            editor.notify("window/workDoneProgress/cancel", {"token": f"rdev-{run_id}"})
        else:
            assert editor.execute("rdev.cancel", run_id) == {"accepted": True}
        end_of(editor, hello, run_id, "cancelled")
        assert not Path("/proc", pid.read_text().strip()).exists()


def test_a_question_of_trust_and_a_run_on_save(project: Path, hello: dict[str, Any]) -> None:
    saved = {"textDocument": {"uri": (project / "app.c").as_uri()}}
    trust = {"window/showMessageRequest": {"title": "Trust this workspace"}}
    vouched = hello.get("initializationOptions", {}).get("rdev", {}).get("trusted") is True
    with Editor(project, ignored=ANY_TIME, answers=trust) as editor:
        editor.initialize(**hello)
        editor.execute("rdev.tasks")
        if not vouched:
            (project / "app.c").write_text("int a;\n")
            editor.notify("textDocument/didSave", saved)
            if has(hello, "window", "showMessage"):
                asked: Callable[[], bool] = lambda: any(  # noqa: E731
                    one["method"] == "window/showMessageRequest" for one in editor.asked
                )
                eventually(asked, what="the question")
            else:
                assert "rdev.trust" in editor.expect("window/showMessage")["message"]
                assert editor.execute("rdev.trust") == {"trusted": True}
            trusted = lambda: all(task["trusted"] for task in editor.execute("rdev.tasks")["tasks"])  # noqa: E731
            eventually(trusted, what="trust")
        if vouched or not has(hello, "window", "showMessage"):  # else the save that was asked about runs
            (project / "app.c").write_text("int b;\n")
            editor.notify("textDocument/didSave", saved)
        eventually(lambda: editor.execute("rdev.runs")["runs"], what="a run")
        run_id = editor.execute("rdev.runs")["runs"][0]["runId"]
        end_of(editor, hello, run_id, "succeeded")


def test_settings_and_folders_that_change(project: Path, hello: dict[str, Any], tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "rdev.toml").write_text('[tasks.more]\ncommand = "true"\n')

    def tasks() -> set[str]:
        return {task["id"] for task in editor.execute("rdev.tasks")["tasks"]}

    with Editor(project, ignored=ANY_TIME) as editor:
        editor.initialize(**hello)
        assert tasks() == {"compile", "wait", "watch"}
        (project / "rdev.toml").write_text('[tasks.new]\ncommand = "true"\n')
        editor.notify("textDocument/didSave", {"textDocument": {"uri": (project / "rdev.toml").as_uri()}})
        eventually(lambda: tasks() == {"new"}, what="the new task")
        added = [{"uri": other.as_uri(), "name": "other"}]
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": added, "removed": []}})
        eventually(lambda: tasks() == {"new", "more"}, what="the other folder's task")


# ── the check itself ──

DIAGNOSTIC: dict[str, Any] = {"range": None, "message": "", "relatedInformation": []}


@pytest.mark.parametrize(
    ("message", "method"),
    [
        ({"id": 1, "method": "workspace/codeLens/refresh", "params": None}, None),
        ({"id": 1, "method": "window/workDoneProgress/create", "params": {"token": "x"}}, None),
        ({"id": 1, "method": "window/showDocument", "params": {"uri": "file:///x"}}, None),
        ({"id": 1, "method": "window/showMessageRequest", "params": {"message": "?"}}, None),
        ({"id": 1, "method": "workspace/applyEdit", "params": {}}, None),
        ({"id": 1, "method": "workspace/invented", "params": {}}, None),
        (
            {
                "id": 1,
                "method": "client/registerCapability",
                "params": {"registrations": [{"method": "workspace/didChangeWatchedFiles"}]},
            },
            None,
        ),
        ({"method": "$/progress", "params": {"token": "x", "value": {}}}, None),
        ({"method": "rdev/output", "params": {}}, None),
        ({"method": "textDocument/publishDiagnostics", "params": {"diagnostics": [DIAGNOSTIC]}}, None),
        ({"method": "textDocument/publishDiagnostics", "params": {"diagnostics": [], "version": 1}}, None),
        ({"id": 1, "result": {"capabilities": {"positionEncoding": "utf-8"}}}, "initialize"),
        ({"id": 1, "result": {"capabilities": {"codeActionProvider": {}}}}, "initialize"),
        ({"id": 1, "result": [{"title": "x", "kind": "quickfix"}]}, "textDocument/codeAction"),
        ({"id": 1, "result": {"documentChanges": []}}, "textDocument/rename"),
    ],
    ids=lambda value: str(value.get("method", "")) if isinstance(value, dict) else str(value),
)
def test_a_client_that_declares_nothing_is_owed_nothing(message: dict[str, Any], method: str | None) -> None:
    assert list(Declared({"capabilities": {}}).complaints(message, method))
