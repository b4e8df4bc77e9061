"""Real Vim with ALE and `editors/vim`, as a person sees it in a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.editors.vim import open_vim, wait_until_nothing_runs
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.editors.terminal import Terminal

pytestmark = pytest.mark.editor

TASKS = """\
[tasks.check]
command = "sh check.sh"
watch = ["*.py"]
problem_matcher = "generic"

[tasks.slow]
command = "echo $$ > pid; sleep 600"

[tasks.show]
command = "printf '%s ' ${relativeFile} > said; printf '%s ' > /dev/null"
"""
CHECK = """\
grep -n bad app.py | sed 's/^\\([0-9]*\\):.*/app.py:\\1:1: error: it is bad/'
! grep -q bad app.py
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rdev.toml").write_text(TASKS)
    (tmp_path / "check.sh").write_text(CHECK)
    (tmp_path / "app.py").write_text("one\nbad\n")
    return tmp_path


@pytest.fixture
def vim(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with open_vim(folder, "app.py", tmp_path_factory.mktemp("vim") / "vimrc") as terminal:
        terminal.wait_for("one")
        yield terminal
        terminal.type("Escape", ":qall!", "Enter")


def ask(vim: Terminal, folder: Path, expression: str) -> Any:
    """The value of a Vim expression."""
    answer = folder / "answer"
    answer.unlink(missing_ok=True)
    vim.type(f":silent call writefile([json_encode({expression})], 'part') | call rename('part', 'answer')", "Enter")
    eventually(answer.exists, what="Vim's answer")
    return json.loads(answer.read_text())


def wait_for(vim: Terminal, folder: Path, expression: str) -> Any:
    found: list[Any] = [None]

    def is_there() -> bool:
        found[0] = ask(vim, folder, expression)
        return bool(found[0])

    eventually(is_there, 30.0, expression)
    return found[0]


def problems(vim: Terminal, folder: Path) -> list[list[object]]:
    return list(wait_for(vim, folder, "map(getloclist(0), {_, item -> [item.lnum, item.text]})"))


def wait_until_connected(vim: Terminal, folder: Path) -> None:
    """ALE tells the bridge of no save before it has opened the file with it."""
    wait_for(vim, folder, "len(filter(values(ale#lsp#GetConnections()), {_, it -> it.initialized}))")


@pytest.mark.shows("vim-ale", "pick", "actions", "result", "diagnostics")
def test_a_task_from_the_code_actions_its_end_and_its_problem(folder: Path, vim: Terminal) -> None:
    vim.type(":ALECodeAction", "Enter")
    menu = vim.wait_for(r"\) Run slow[\s\S]*Type number")
    (number,) = [line.split(")")[0].strip() for line in menu.splitlines() if line.endswith(") Run check")]
    vim.type(number, "Enter")
    shown = vim.wait_for("check failed with exit code 1")
    assert "output.log" not in shown
    assert "Press ENTER" not in shown
    assert problems(vim, folder) == [[2, "it is bad"]]
    vim.type(":2", "Enter")
    vim.wait_for("it is bad")  # ALE tells the problem of the cursor's line


@pytest.mark.shows("vim-ale", "run")
def test_a_task_by_its_name_with_the_file_of_the_buffer(folder: Path, vim: Terminal) -> None:
    vim.type(":Rdev run sh", "Tab", " -v", "Enter")
    vim.wait_for("show succeeded")
    assert (folder / "said").read_text() == "app.py "


@pytest.mark.shows("vim-ale", "cancel")
def test_cancel_means_dead(folder: Path, vim: Terminal) -> None:
    vim.type(":Rdev run slow", "Enter")
    pid = folder / "pid"
    eventually(lambda: pid.exists() and pid.read_text().strip(), what="the command's process")
    vim.type(":Rdev cancel", "Enter")
    eventually(lambda: not Path("/proc", pid.read_text().strip()).exists(), what="the command's end")
    wait_until_nothing_runs(vim)


@pytest.mark.shows("vim-ale", "save")
def test_write_runs_what_watches_the_file(folder: Path, vim: Terminal) -> None:
    subprocess.run([sys.executable, "-m", "rdev_bridge", "trust", "--yes"], cwd=folder, check=True, capture_output=True)
    wait_until_connected(vim, folder)
    vim.type(":call setline(1, 'bad') | write", "Enter")
    assert problems(vim, folder) == [[1, "it is bad"], [2, "it is bad"]]


@pytest.mark.shows("vim-ale", "watch")
def test_watch_switches_run_on_save(folder: Path, vim: Terminal) -> None:
    wait_until_connected(vim, folder)
    vim.type(":Rdev watch check", "Enter")
    vim.wait_for("rdev: runs on save")
    vim.type(":call setline(1, 'bad') | write", "Enter")
    assert problems(vim, folder) == [[1, "it is bad"], [2, "it is bad"]]


def test_what_is_wrong_is_said(folder: Path, vim: Terminal) -> None:
    for typed, said in {
        ":Rdev rum": "there is no :Rdev rum; there are cancel, log, run, watch",
        ":Rdev run": "run what. :Rdev run {task}, or :ALECodeAction",
        ":Rdev run chekc": "check",
        ":set filetype= | Rdev run check": "put `filetype plugin on` into your vimrc",
    }.items():
        vim.type(typed, "Enter")
        vim.wait_for(said)
