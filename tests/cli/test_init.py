"""`init`: what it finds in a folder, what it takes over from VS Code, and that it can read what it writes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdev_bridge.cli.init_detect import detect
from rdev_bridge.cli.init_draft import Draft, Findings, document, to_toml
from rdev_bridge.cli.init_vscode import relaxed_json, take_over
from rdev_bridge.settings import Source, load_workspace, workspace_from

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from rdev_bridge.model import Task
    from tests.cli.bridge import Bridge


def found(folder: Path, **files: str) -> dict[str, Draft]:
    """The drafts of a folder with these files; `__` stands for a dot, `___` for a slash."""
    for name, text in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    findings = Findings()
    take_over(folder, findings)
    detect(folder, findings)
    return {draft.name: draft for draft in findings.drafts}


def commands(folder: Path, **files: str) -> dict[str, str]:
    return {name: draft.command for name, draft in found(folder, **files).items()}


def test_python(tmp_path: Path) -> None:
    drafts = found(tmp_path, pyproject__toml="[tool.pytest.ini_options]\n[tool.mypy]\n[tool.ruff]\n", uv__lock="")
    assert {name: draft.command for name, draft in drafts.items()} == {
        "test": "uv run pytest",
        "mypy": "uv run mypy .",
        "ruff": "uv run ruff check .",
    }
    assert (drafts["test"].group, drafts["test"].watch, drafts["test"].problem_matcher) == (
        "test",
        ("**/*.py",),
        "pytest",
    )


def test_python_without_pytest(tmp_path: Path) -> None:
    files = {"pyproject__toml": "[project]\nname='x'\n", "tests___test_a__py": ""}
    assert commands(tmp_path, **files) == {"test": "python3 -m unittest discover tests"}


def test_python_of_the_folder_itself(tmp_path: Path) -> None:
    files = {"pyproject__toml": "[tool.ruff]\n", "__venv___bin___python": "", "tests___test_a__py": ""}
    assert commands(tmp_path, **files) == {
        "test": ".venv/bin/python -m unittest discover tests",
        "ruff": ".venv/bin/python -m ruff check .",
    }
    assert commands(tmp_path, uv__lock="")["ruff"] == "uv run ruff check ."


def test_node(tmp_path: Path) -> None:
    scripts = {
        "build": "tsc -p .",
        "test:unit": "vitest run",
        "pretest:unit": "x",
        "prepare": "husky",
        "dev": "tsc --watch",
        "a b;c": "eslint .",
        "test": "node --test",
    }
    drafts = found(tmp_path, package__json=json.dumps({"scripts": scripts}), yarn__lock="")
    assert {name: (d.command, d.group, d.problem_matcher, bool(d.watch)) for name, d in drafts.items()} == {
        "build": ("yarn run build", "build", "$tsc", False),
        "test:unit": ("yarn run test:unit", "test", "vitest", True),
        "dev": ("yarn run dev", "run", "$tsc-watch", False),
        "a b;c": ("yarn run 'a b;c'", None, "$eslint-stylish", False),
        "test": ("yarn run test", "test", "node-test", True),
    }


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        (
            ".PHONY: all x\\\n  check\nall: a.o ## everything\nx y: z\ncheck:\na.o: a.c\nV := 1\n%.o: %.c\n",
            "all x check",
        ),
        ("build: main.c\n\tcc\ntest:: build\nmain.o: main.c\nVAR=x:y\nrandom:\n", "build test"),
        ("all test: a b\n\techo build: no\n", "all test"),
    ],
)
def test_make(tmp_path: Path, text: str, targets: str) -> None:
    assert list(found(tmp_path, Makefile=text)) == targets.split()


def test_makes_own_words_about_a_target(tmp_path: Path) -> None:
    drafts = found(tmp_path, Makefile="build: x ## all of it\ntest: # a note\n", main__c="")
    assert (drafts["build"].description, drafts["test"].description) == ("all of it", None)
    assert drafts["build"].problem_matcher == "gcc"


def test_just(tmp_path: Path) -> None:
    text = (
        "set shell := ['sh']\nx := 'y'\n# run it\ntest *args: build\n  cargo test\n@build:\n  x\n_own:\n  x\n"
        "[private]\nhidden:\n  x\ndeploy target:\n  x\nfmt mode='all':\n  x\n"
    )
    drafts = found(tmp_path, justfile=text)
    assert list(drafts) == ["test", "build", "fmt"]
    assert (drafts["test"].command, drafts["test"].description) == ("just test", "run it")


def test_cargo_and_go(tmp_path: Path) -> None:
    assert commands(tmp_path, Cargo__toml="[package]\n", src___main__rs="", go__mod="module x\n") == {
        "build": "cargo build",
        "test": "cargo test",
        "clippy": "cargo clippy",
        "run": "cargo run",
        "go-build": "go build ./...",
        "go-test": "go test ./...",
        "vet": "go vet ./...",
    }


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for name in ("package.json", "pyproject.toml"):
        (tmp_path / name).write_text("{")
    (tmp_path / "Makefile").mkdir()
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode/tasks.json").write_text('{"tasks": [')
    findings = Findings()
    take_over(tmp_path, findings)
    detect(tmp_path, findings)
    assert findings.drafts == []
    assert [note.split(" ")[0] for note in findings.notes] == [
        ".vscode/tasks.json",
        "Makefile",
        "pyproject.toml",
        "package.json",
    ]


TASKS_JSON = r"""
// comment
{ "version": "2.0.0", /* more // */
  "options": {"env": {"ALL": "1"}},
  "tasks": [
    {
      "label": "Build all", "type": "shell", "command": "make",
      "args": ["-j4", "${workspaceRoot}/a b", {"value": "x 'y", "quoting": "strong"}, "//no comment",],
      "group": {"kind": "build", "isDefault": true}, "detail": "builds,] it",
      "options": {"cwd": "${workspaceFolder}/sub", "env": {"A": "1", "B-C": "2"}},
      "problemMatcher": ["$gcc", "$nope", {
        "owner": "x", "pattern": {"regexp": "^(.*):(\\d+): (.*)$", "file": 1, "line": 2, "message": 3}
      }],
      "presentation": {"reveal": "always"},
    },
    {
      "label": "proc", "type": "process", "command": "/opt/my tool", "args": ["${file}", "a;b"],
      "runOptions": {"runOn": "folderOpen"}
    },
    {"label": "os", "command": "dir", "windows": {"command": "dir"}, "linux": {"command": "ls ${env:HOME}"}},
    {"label": "ask", "command": "echo ${input:x}"},
    {"label": "both", "dependsOn": ["Build all", "proc", "gone"], "dependsOrder": "sequence"},
    {"type": "docker-build", "label": "gulp"},
    {"type": "npm", "script": "lint", "path": "web", "problemMatcher": "$eslint-stylish"},
    {"type": "typescript", "tsconfig": "a b.json", "option": "watch", "problemMatcher": "$tsc-watch"},
    {"label": "loop a", "command": "x", "dependsOn": "loop b"},
    {"label": "loop b", "command": "x2", "dependsOn": {"type": "npm", "script": "z"}},
    "nonsense",
    {"label": "loop b", "command": "again"},
  ],
}
"""


def test_vscode(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode/tasks.json").write_text(TASKS_JSON)
    findings = Findings()
    take_over(tmp_path, findings)
    workspace = workspace_from(tmp_path, Source.parse(tmp_path / "rdev.toml", document(findings.drafts).encode()))
    tasks = workspace.tasks
    build = tasks["Build all"]
    assert build.command == "make -j4 ${workspaceFolder}'/a b' 'x '\"'\"'y' '//no comment'"
    assert (build.group, build.description, build.cwd) == ("build", "builds,] it", "sub")
    assert build.env == {"ALL": "1", "A": "1"}
    assert build.problem_matcher[0] == "$gcc"
    assert build.problem_matcher[1]["pattern"]["regexp"] == r"^(.*):(\d+): (.*)$"
    assert tasks["proc"].command == "'/opt/my tool' ${file} 'a;b'"
    assert tasks["os"].command == "ls ${HOME}"
    assert (tasks["both"].command, tasks["both"].depends_on) == ("true", ("Build all", "proc"))
    assert (tasks["lint"].command, tasks["lint"].cwd) == ("npm run lint", "web")
    assert "npx tsc -p 'a b.json' --watch" in {task.command for task in tasks.values()}
    assert "ask" not in tasks
    told = "\n".join(findings.notes)
    for word in (
        "B-C",
        "$nope",
        "'ask' was left out",
        "gulp",
        "folder was opened",
        "in parallel",
        "'gone'",
        "extension",
        "object",
    ):
        assert word in told


def taken_over(folder: Path, tasks: object, **more: object) -> tuple[dict[str, Task], str]:
    """The tasks as they are read from what `init` writes of this tasks.json, and its notes."""
    (folder / ".vscode").mkdir()
    (folder / ".vscode/tasks.json").write_text(json.dumps({"tasks": tasks, **more}))
    findings = Findings()
    take_over(folder, findings)
    written = Source.parse(folder / "rdev.toml", document(findings.drafts).encode())
    return dict(workspace_from(folder, written).tasks), "\n".join(findings.notes)


@pytest.mark.parametrize(
    ("kind", "args", "words"),
    [
        (
            "shell",
            ["plain", "a b", "it's", "'q u'", "*.py", "$(date)", "a\\ b", ""],
            "plain 'a b' 'it'\"'\"'s' 'q u' *.py $(date) a\\ b ''",
        ),
        ("process", ["a b", "*.py", "$(date)", "$HOME"], "'a b' '*.py' '$(date)' '$HOME'"),
        ("shell", [{"value": "x y", "quoting": "escape"}], "'x y'"),
        (
            "shell",
            [{"value": "x y", "quoting": "strong"}, {"value": "$HOME z", "quoting": "weak"}],
            "'x y' \"$HOME z\"",
        ),
        ("shell", ["${file}", "-o", "${fileDirname}/a b"], "${file} -o ${fileDirname}'/a b'"),
    ],
)
def test_arguments_are_quoted_as_vscode_does(tmp_path: Path, kind: str, args: list[object], words: str) -> None:
    tasks, _ = taken_over(tmp_path, [{"label": "t", "type": kind, "command": "p", "args": args}])
    assert tasks["t"].command == f"p {words}"


@pytest.mark.parametrize(
    ("task", "command"),
    [
        ({"type": "cargo", "command": "test", "args": ["--", "a b"]}, "cargo test -- 'a b'"),
        ({"type": "go", "command": "build", "args": ["${fileDirname}"]}, "go build ${fileDirname}"),
        ({"type": "gulp", "task": "compile"}, "npx gulp compile"),
        ({"type": "npm", "script": "a b", "path": "ui/"}, "npm run 'a b'"),
    ],
)
def test_tasks_of_extensions_that_run_a_program_we_know(tmp_path: Path, task: dict[str, object], command: str) -> None:
    tasks, notes = taken_over(tmp_path, [task | {"label": "t"}])
    assert (tasks["t"].command, notes) == (command, "")


def test_what_vscode_would_ask_for_is_its_default(tmp_path: Path) -> None:
    where = {"id": "where", "type": "promptString", "default": "a b"}
    asked = [where, {"id": "who", "type": "pickString", "options": []}]
    commands = {"one": "go ${input:where}", "two": "go ${input:where} ${input:who}", "three": "x ${config:a.b}"}
    listed = [{"label": label, "command": command} for label, command in commands.items()]
    tasks, notes = taken_over(tmp_path, listed, inputs=asked)
    assert {name: task.command for name, task in tasks.items()} == {"one": "go 'a b'"}
    assert notes.splitlines() == [
        ".vscode/tasks.json: 'one' asked for 'where'; here it is its default, 'a b'",
        ".vscode/tasks.json: 'two' was left out: it uses ${input:who}, which only VS Code can fill in",
        ".vscode/tasks.json: 'three' was left out: it uses ${config:a.b}, which only VS Code can fill in",
    ]


def test_two_tasks_of_one_command_are_two(tmp_path: Path) -> None:
    npm = {"type": "npm", "script": "build"}
    listed = [npm, {"label": "a", "dependsOn": npm}, {"label": "b", "dependsOn": ["a"]}]
    tasks, notes = taken_over(tmp_path, listed)
    assert {name: task.depends_on for name, task in tasks.items()} == {"build": (), "a": ("build",), "b": ("a",)}
    assert notes == ""


def test_a_circle_is_cut_and_told(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    tasks = [{"label": a, "command": f"echo {a}", "dependsOn": b} for a, b in (("a", "b"), ("b", "c"), ("c", "a"))]
    (tmp_path / ".vscode/tasks.json").write_text(json.dumps({"tasks": tasks}))
    findings = Findings()
    take_over(tmp_path, findings)
    assert workspace_from(tmp_path, Source.parse(tmp_path / "x", document(findings.drafts).encode())).tasks
    assert any("waited for itself" in note for note in findings.notes)


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 9),
        st.text(max_size=6),
        st.sampled_from(["shell", "a", "${file}", "'"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = "label type command args options group dependsOn problemMatcher detail linux script path tsconfig runOptions"
fields = st.sampled_from(names.split())


@given(st.lists(st.dictionaries(fields, json_values, max_size=8) | json_values, max_size=4))
@settings(max_examples=200)
def test_any_tasks_json_gives_a_file_that_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, tasks: list[object]
) -> None:
    folder = tmp_path_factory.mktemp("w")
    (folder / ".vscode").mkdir()
    (folder / ".vscode/tasks.json").write_text(json.dumps({"tasks": tasks}))
    findings = Findings()
    take_over(folder, findings)
    workspace = workspace_from(folder, Source.parse(folder / "rdev.toml", document(findings.drafts).encode()))
    assert list(workspace.tasks) == [draft.name for draft in findings.drafts]


@given(st.dictionaries(st.text(), json_values))
def test_values_survive_the_way_through_toml(value: dict[str, object]) -> None:
    import tomllib

    def without_nulls(value: object) -> object:
        match value:
            case dict():
                return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
            case list():
                return [without_nulls(inner) for inner in value if inner is not None]
        return value

    assert tomllib.loads(f"x = {to_toml(value)}")["x"] == without_nulls(value)


def test_json_as_vscode_reads_it() -> None:
    assert relaxed_json('\ufeff{"a": "// no, /* no */ ,]", /* x */ "b": [1, 2, ], // y\n}') == {
        "a": "// no, /* no */ ,]",
        "b": [1, 2],
    }


def test_it_writes_once_and_tells_what(bridge: Bridge) -> None:
    (bridge.folder / "Makefile").write_text("test:\n\t@echo made it\n")
    done = bridge.call("init")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[1].split() == ["test", "make", "test", "Makefile"]
    assert b"wrote " in done.stderr
    assert done.stderr.endswith(b"/rdev.toml; now try: rdev-bridge run test\n")
    assert load_workspace(bridge.folder).tasks["test"].command == "make test"
    before = (bridge.folder / "rdev.toml").read_bytes()
    again = bridge.call("init")
    assert (again.returncode, (bridge.folder / "rdev.toml").read_bytes()) == (2, before)
    assert b"--force" in again.stderr
    assert bridge.call("init", "--print").stdout == before
    (bridge.folder / "Makefile").write_text("build:\n")
    assert bridge.call("init", "--force").returncode == 0
    assert list(load_workspace(bridge.folder).tasks) == ["build"]


def test_what_it_wrote_runs(bridge: Bridge) -> None:
    assert shutil.which("make"), "this test needs make: apt-get install make"
    (bridge.folder / "Makefile").write_text("test:\n\t@echo made it\n")
    bridge.call("init")
    done: subprocess.CompletedProcess[bytes] = bridge.call("run", "test")
    assert (done.returncode, done.stdout) == (0, b"made it\n")


def test_an_empty_folder_gets_a_lesson(bridge: Bridge) -> None:
    done = bridge.call("init")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"how to write one" in done.stderr
    text = (bridge.folder / "rdev.toml").read_text()
    assert max(map(len, text.splitlines())) <= 78, "it does not wrap where `trust` shows it"
    lesson = text[text.index("# [tasks.test]") :].replace("# More that a task can have:\n", "")
    taught = "\n".join(line.removeprefix("# ") for line in lesson.splitlines() if line != "#")
    (bridge.folder / "rdev.toml").write_text(taught + "\n[tasks.build]\ncommand = 'x'\n")
    assert load_workspace(bridge.folder).tasks["test"].timeout_s == 600
