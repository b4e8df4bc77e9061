"""`:Rdev …` in a real Neovim: what each word does, its completion, its pickers, and what it says where it can't."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim import PLUGIN, Neovim
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.editor

TASKS = """\
[tasks.test]
command = "echo $* ${relativeFile}"
description = "unit tests"

[tasks.watched]
command = "cat app.py"
watch = ["*.py"]

[tasks.slow]
command = "echo $$ > pid; echo started; sleep 600"
"""

LOADED = "return vim.tbl_filter(function(name) return name:find('^rdev') end, vim.tbl_keys(package.loaded))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rdev.toml").write_text(TASKS)
    (tmp_path / "app.py").write_text("one\n")
    return tmp_path


@pytest.fixture
def neovim(folder: Path) -> Iterator[Neovim]:
    with Neovim(folder, "app.py") as neovim:
        yield neovim


def pid_in(folder: Path) -> int:
    file = folder / "pid"
    eventually(lambda: file.exists() and file.read_text().strip(), what="the command's process")
    return int(file.read_text())


@contextmanager
def started(argv: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def is_dead(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def completions(neovim: Neovim, line: str) -> list[str]:
    return list(neovim.lua("return vim.fn.getcompletion(..., 'cmdline')", line))


def test_nothing_is_loaded_where_no_rdev_toml_is(tmp_path: Path) -> None:
    """Neither at the start nor by a statusline that is drawn: no module of ours, no LSP client, no bridge."""
    (tmp_path / "app.py").write_text("one\n")
    (tmp_path / ".git").mkdir()
    statusline = "vim.o.laststatus = 2\nvim.o.statusline = \"%{v:lua.require'rdev'.statusline()}\"\n"
    with Neovim(tmp_path, "app.py", setup=statusline) as neovim:
        neovim.command("redrawstatus!")
        assert neovim.lua("return vim.bo.filetype") == "python"
        assert neovim.lua(LOADED) == ["rdev"]  # which the statusline asks for
        assert not neovim.lua("return package.loaded['vim.lsp']")
        neovim.command("Rdev! echo here > it")  # asked for by name, it starts
        assert neovim.finished()[0]["outcome"] == "succeeded"
        assert (tmp_path / "it").read_text() == "here\n"


def test_a_project_loads_no_more_than_the_clients_configuration(folder: Path) -> None:
    with Neovim(folder, "app.py") as neovim:
        neovim.wait_for_client()
        assert neovim.lua(LOADED) == ["rdev.lsp"]


def test_a_client_of_the_users_own_is_configured_and_left_alone(folder: Path) -> None:
    mine = "vim.g.rdev_enable = false\nvim.lsp.config('rdev', { cmd_env = { MINE = '1' } })\n"
    with Neovim(folder, "app.py", setup=mine) as neovim:
        assert neovim.lua("return #vim.lsp.get_clients({ _uninitialized = true })") == 0
        neovim.lua("vim.lsp.enable('rdev')")
        neovim.wait_for_client()
        assert neovim.lua("return vim.lsp.get_clients()[1].config.cmd_env") == {"MINE": "1"}
        neovim.command("Rdev run test")
        neovim.finished()


def test_arguments_and_the_current_file_reach_the_task(neovim: Neovim) -> None:
    neovim.wait_for_client()
    neovim.command("Rdev run test -k 'two words'")
    assert neovim.finished()[0]["outcome"] == "succeeded"
    assert "app.py" in neovim.lines("rdev://test")[1]
    assert "-k" in neovim.lines("rdev://test")[1]


@pytest.mark.shows("nvim", "pick")
def test_without_a_name_one_chooses(neovim: Neovim) -> None:
    neovim.wait_for_client()
    neovim.choose("unit tests")
    neovim.command("Rdev run")
    (run,) = neovim.finished()
    assert run["task"] == "test"
    assert neovim.lua("return _G.chosen") == [{"prompt": "Run task", "kind": "rdev.task"}]


def test_completion_knows_words_tasks_and_runs(neovim: Neovim) -> None:
    assert completions(neovim, "Rdev ") == ["attach", "cancel", "log", "run", "runs", "watch"]
    assert completions(neovim, "silent Rdev ru") == ["run", "runs"]
    assert completions(neovim, "Rdev run ") == ["test", "watched", "slow"]
    assert completions(neovim, "Rdev run t") == ["test"]
    assert completions(neovim, "Rdev watch w") == ["watched"]
    assert completions(neovim, "Rdev! ") == []
    neovim.command("Rdev run test")
    (run,) = neovim.finished()
    assert completions(neovim, "Rdev log ") == [run["runId"]]
    assert completions(neovim, "Rdev attach ") == [run["runId"]]
    assert completions(neovim, "Rdev cancel ") == []
    neovim.command("Rdev cancel nonsense")
    neovim.told("nonsense")


@pytest.mark.shows("nvim", "cancel", "status")
def test_cancel_means_dead_and_the_statusline_tells_all_of_it(folder: Path, neovim: Neovim) -> None:
    statusline = "require('rdev').statusline()"
    neovim.wait_for_client()
    assert neovim.lua(f"return {statusline}") == ""
    neovim.command("Rdev run slow")
    pid = pid_in(folder)
    neovim.wait(f"{statusline}:match('^rdev: slow %d+s$')")
    assert neovim.wait(f"{statusline}:match('^rdev: slow [1-9]s$')")
    neovim.lua(
        """
        local runs = require('rdev.runs')
        local cancelling = runs.cancelling
        runs.cancelling = function(...)
          cancelling(...)
          _G.seen = runs.summary()
        end
        """
    )
    neovim.command("Rdev cancel")
    assert neovim.finished()[0]["outcome"] == "cancelled"
    assert is_dead(pid)
    assert neovim.lua("return _G.seen") == "rdev: slow cancelling"
    assert neovim.lua(f"return {statusline}") == "rdev: slow cancelled"
    neovim.command("Rdev cancel")
    neovim.told("nothing is running")


def test_ctrl_c_in_the_output_window_cancels_its_run(folder: Path, neovim: Neovim) -> None:
    neovim.command("Rdev run slow")
    pid = pid_in(folder)
    neovim.wait("vim.fn.bufwinid('rdev://slow') > 0")
    neovim.command("call win_gotoid(bufwinid('rdev://slow')) | redraw")  # typed while it draws, it interrupts that
    neovim.call("nvim_input", "<C-c>")
    assert neovim.finished()[0]["outcome"] == "cancelled"
    assert is_dead(pid)
    neovim.call("nvim_input", "q")
    neovim.wait("vim.fn.bufwinid('rdev://slow') == -1")


@pytest.mark.shows("nvim", "runs", "attach")
def test_a_run_of_the_terminal_is_seen_followed_and_cancelled(folder: Path, neovim: Neovim) -> None:
    command = "echo first; echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done; echo second; sleep 600"
    argv = [sys.executable, "-m", "rdev_bridge", "run", "--", command]
    with started(argv, folder) as terminal:
        assert terminal.stdout is not None
        assert terminal.stdout.readline() == b"first\n"
        pid = pid_in(folder)
        neovim.wait_for_client()
        neovim.choose("echo first")
        neovim.command("Rdev attach")
        name = neovim.output_buffer()
        neovim.wait_for_lines(name, lambda lines: lines[1:] == ["first"])
        (folder / "go").touch()
        neovim.wait_for_lines(name, lambda lines: lines[1:] == ["first", "second"])
        neovim.command("Rdev cancel")  # not this editor's own
        neovim.told("nothing is running")
        assert not is_dead(pid)
        (run_id,) = completions(neovim, "Rdev cancel ")
        neovim.command(f"Rdev cancel {run_id}")
        assert neovim.finished()[0]["outcome"] == "cancelled"
        assert terminal.wait(60) == 130
        assert is_dead(pid)
        assert neovim.lines(name)[1:] == ["first", "second", "> cancelled"]


def test_an_ended_run_is_shown_again_from_the_list(neovim: Neovim) -> None:
    neovim.command("Rdev! seq 3; exit 4")
    neovim.finished()
    neovim.command("bwipeout! rdev://")
    neovim.choose("exit code 4")
    neovim.command("Rdev runs")
    neovim.finished(2)
    assert neovim.lua("return _G.chosen") == [{"prompt": "Runs, newest first", "kind": "rdev.run"}]
    assert neovim.lines("rdev://seq 3; exit 4")[1:4] == ["1", "2", "3"]


def test_attaching_to_a_run_of_ones_own_doubles_nothing(folder: Path, neovim: Neovim) -> None:
    neovim.command("Rdev! echo first; echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done; echo second")
    pid_in(folder)
    (run_id,) = completions(neovim, "Rdev attach ")
    neovim.command(f"Rdev attach {run_id}")
    name = neovim.output_buffer()
    neovim.wait_for_lines(name, lambda lines: lines[1:] == ["first"])
    (folder / "go").touch()
    neovim.finished()
    neovim.wait_for_lines(name, lambda lines: lines[1:3] == ["first", "second"] and len(lines) == 4)


@pytest.mark.shows("nvim", "watch")
def test_watch_switches_run_on_save(folder: Path, neovim: Neovim) -> None:
    neovim.wait_for_client()
    neovim.command("Rdev watch nothing")
    neovim.told('there is no task "nothing"')
    neovim.command("Rdev watch watched")
    neovim.told("watched runs on save")
    neovim.command("call setline(1, 'two')")
    neovim.command("write")
    (run,) = neovim.finished()
    assert run["task"] == "watched"
    assert neovim.lines("rdev://watched")[1] == "two"
    assert neovim.lua("return vim.fn.bufwinid('rdev://watched')") == -1, "what started by itself opens no window"
    neovim.choose("watched")
    neovim.command("Rdev watch")
    neovim.told("watched does not run on save any more")


@pytest.mark.shows("nvim", "log")
def test_log_opens_the_whole_output(folder: Path, neovim: Neovim) -> None:
    neovim.wait_for_client()
    neovim.command("Rdev log")
    neovim.told("nothing has run yet")
    neovim.command("Rdev! seq 1 70000")
    (run,) = neovim.finished()
    neovim.command("Rdev log")
    neovim.wait("vim.api.nvim_buf_get_name(0):find('output.log')")
    assert neovim.lua("return vim.api.nvim_buf_line_count(0)") == 70000
    assert neovim.lua("return vim.bo.readonly")
    neovim.command("close")
    neovim.command(f"Rdev log {run['runId']}")
    neovim.wait("vim.api.nvim_buf_get_name(0):find('output.log')")


def test_what_is_wrong_is_said_with_what_to_do(neovim: Neovim) -> None:
    for command, said in {
        "Rdev rum": "there is no :Rdev rum; there are attach, cancel, log, run, runs, watch",
        "Rdev run tset": "test",
        "Rdev!": "run what? :Rdev! {command}",
    }.items():
        neovim.command(command)
        neovim.told(said)
    refused = neovim.lua("return select(2, pcall(require('rdev').setup, { hight = 3 }))")
    assert 'unknown option "hight"; see :help rdev-options' in refused
    assert "height" in neovim.lua("return select(2, pcall(require('rdev').setup, { height = 'tall' }))")


def test_a_bridge_that_is_not_there_is_said_and_checkhealth_says_why(folder: Path) -> None:
    setup = "vim.lsp.config('rdev', { cmd = { 'no-such-bridge', 'lsp' } })"
    with Neovim(folder, setup=setup) as neovim:
        neovim.command("Rdev run test")
        neovim.told("the bridge did not start; :checkhealth rdev says why")
        neovim.command("checkhealth rdev")
        report = "\n".join(neovim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)"))
        assert '"no-such-bridge" is not on PATH' in report
        assert "pip install ." in report


@pytest.mark.shows("nvim", "health")
def test_checkhealth_asks_the_doctor(folder: Path, neovim: Neovim) -> None:
    neovim.wait_for_client()
    neovim.command("checkhealth rdev")
    report = "\n".join(neovim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)"))
    assert f"tasks come from {folder / 'rdev.toml'}" in report
    assert "the bridge is running for" in report
    assert "latency" in report.lower()
    assert "ERROR" not in report


def test_the_help_has_a_tag_for_everything(folder: Path, neovim: Neovim) -> None:
    shutil.copytree(PLUGIN / "doc", folder / "doc")
    neovim.command(f"helptags {folder}/doc")
    assert (folder / "doc" / "tags").read_text() == (PLUGIN / "doc" / "tags").read_text()
    for topic in [
        "rdev",
        ":Rdev",
        "rdev-options",
        "rdev.run()",
        "rdev.cancel()",
        "rdev.statusline()",
        "RdevRunFinished",
    ]:
        neovim.command(f"help {topic}")
        assert neovim.lua("return vim.fn.expand('%:t')") == "rdev.txt"
