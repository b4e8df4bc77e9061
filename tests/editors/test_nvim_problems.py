"""Problems, lenses, actions, progress and run on save with the plugin in a real Neovim."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim import Neovim

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.editor

TASKS = """\
[tasks.check]
command = "sh check.sh"
watch = ["*.py"]
problem_matcher = "generic"

[tasks.slow]
command = "echo started; while [ ! -e go ]; do sleep 0.05; done"
"""
# each line of app.py and other.py that holds `bad` is a problem
CHECK = """\
grep -n bad app.py other.py | sed 's/^\\([^:]*\\):\\([0-9]*\\):.*/\\1:\\2:1: error: it is bad/'
! grep -q bad app.py other.py
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rdev.toml").write_text(TASKS)
    (tmp_path / "check.sh").write_text(CHECK)
    (tmp_path / "app.py").write_text("one\ntwo\nbad\n")
    (tmp_path / "other.py").write_text("one\nbad\n")
    return tmp_path


def trust(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "rdev_bridge", "trust", "--yes"], cwd=folder, check=True, capture_output=True)


@pytest.mark.shows("nvim", "diagnostics", "next-error")
def test_problems_stand_on_their_lines_and_in_the_quickfix_list(folder: Path) -> None:
    with Neovim(folder, "app.py") as neovim:
        neovim.command("Rdev run check")
        (run,) = neovim.finished()
        assert run["diagnostics"] == {"errors": 2, "warnings": 0}
        (mine,) = neovim.lua("return vim.diagnostic.get(0)")
        assert (mine["lnum"], mine["message"], mine["source"]) == (2, "it is bad", "rdev:check")
        assert neovim.lua("return vim.fn.getqflist({ title = 0 }).title") == "rdev: check"
        neovim.command("cfirst")
        assert neovim.lua("return { vim.fn.expand('%:t'), vim.fn.line('.') }") == ["app.py", 3]
        neovim.command("cnext")
        assert neovim.lua("return { vim.fn.expand('%:t'), vim.fn.line('.') }") == ["other.py", 2]

        (folder / "other.py").write_text("good\n")
        (folder / "app.py").write_text("good\n")
        neovim.command("Rdev run check")
        neovim.finished(2)
        assert neovim.lua("return #vim.diagnostic.get(nil)") == 0
        assert neovim.lua("return vim.fn.getqflist({ size = 0 }).size") == 0


def test_a_quickfix_list_of_the_users_is_left_alone(folder: Path) -> None:
    (folder / "app.py").write_text("good\n")
    (folder / "other.py").write_text("good\n")
    with Neovim(folder, "app.py") as neovim:
        neovim.lua("vim.fn.setqflist({}, ' ', { title = 'mine', items = { { text = 'x', bufnr = 1, lnum = 1 } } })")
        neovim.command("Rdev run check")
        neovim.finished()
        assert neovim.lua("return vim.fn.getqflist({ title = 0, size = 0 })") == {"title": "mine", "size": 1}


@pytest.mark.shows("nvim", "save")
def test_write_runs_what_watches_the_file(folder: Path) -> None:
    trust(folder)
    with Neovim(folder, "app.py") as neovim:
        neovim.wait_for_client()
        neovim.wait("vim.lsp.buf_is_attached(0, vim.lsp.get_clients({ name = 'rdev' })[1].id)")
        neovim.command("call setline(1, 'bad')")
        neovim.command("write")
        (run,) = neovim.finished()
        assert run["task"] == "check"
        assert neovim.lua("return vim.tbl_map(function(d) return d.lnum end, vim.diagnostic.get(0))") == [0, 2]
        assert neovim.lua("return vim.fn.bufwinid('rdev://check')") == -1


def test_a_run_that_started_by_itself_may_open_its_window_when_it_fails(folder: Path) -> None:
    trust(folder)
    with Neovim(folder, "app.py", setup="require('rdev').setup({ open_on_failure = true })") as neovim:
        neovim.wait_for_client()
        neovim.command("write")
        neovim.finished()
        assert neovim.lua("return vim.fn.bufwinid('rdev://check')") > 0


@pytest.mark.shows("nvim", "lenses", "actions", "progress")
def test_lenses_actions_and_progress_are_there_beside_the_commands(folder: Path) -> None:
    with Neovim(folder, "rdev.toml") as neovim:
        neovim.wait_for_client()
        neovim.lua("vim.lsp.codelens.refresh({ bufnr = 0 })")
        lenses = neovim.wait("vim.tbl_map(function(lens) return lens.command.title end, vim.lsp.codelens.get(0))")
        assert lenses == ["▶ Run check", "Watch", "▶ Run slow", "Watch"]
        neovim.choose("Run slow")
        neovim.command("call cursor(6, 1)")
        neovim.lua("vim.lsp.codelens.run()")
        assert neovim.wait("vim.lsp.status():match('slow.*')")
        neovim.wait_for_lines("rdev://slow", lambda lines: lines[1:] == ["started"])
        (folder / "go").touch()
        neovim.finished()

        neovim.command("edit app.py")
        neovim.wait("vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1] ~= nil")
        neovim.choose("Run check")
        neovim.lua("vim.lsp.buf.code_action()")
        assert neovim.finished(2)[1]["task"] == "check"
        neovim.command("call cursor(3, 1)")
        neovim.choose("Show output of check")
        neovim.lua("vim.lsp.buf.code_action()")
        neovim.wait("vim.api.nvim_buf_get_name(0):find('output.log')")
