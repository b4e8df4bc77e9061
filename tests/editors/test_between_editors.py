"""A task started in one editor is seen, followed and cancelled in another; each keeps what it knows right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.editors.neovim import PATH, Neovim
from tests.editors.terminal import Terminal
from tests.support.wait import eventually

pytestmark = pytest.mark.editor

VIMRC = f"""\
set nocompatible noswapfile
filetype plugin on
packadd! ale
set runtimepath+={Path(__file__).parents[2] / "editors" / "vim"}
"""


def test_started_in_vim_followed_and_cancelled_in_neovim(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "vimrc").write_text(VIMRC)
    (folder / "app.txt").write_text("one\n")
    command = "echo $$ > pid; echo first; while [ ! -e go ]; do sleep 0.05; done; echo second; sleep 600"
    (folder / "rdev.toml").write_text(f"[tasks.slow]\ncommand = '{command}'\n")
    environ = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}
    argv = ["vim", "-u", tmp_path / "vimrc", "-i", "NONE", "app.txt"]
    with Terminal(argv, columns=200, rows=20, environ=environ, cwd=folder) as vim, Neovim(folder, "app.txt") as neovim:
        vim.wait_for("one")
        vim.type(":Rdev run slow", "Enter")
        eventually(lambda: (folder / "pid").exists() and (folder / "pid").read_text(), what="the command's process")
        pid = (folder / "pid").read_text().strip()
        (run_id,) = neovim.wait("vim.fn.getcompletion('Rdev attach ', 'cmdline')")

        def is_followed() -> bool:  # for a moment the run is there, and the server has not yet said what its name is
            neovim.command(f"Rdev attach {run_id}")
            return bool(neovim.lines("rdev://slow"))

        eventually(is_followed, what="the output in Neovim")
        neovim.wait_for_lines("rdev://slow", lambda lines: lines[1:] == ["first"])
        (folder / "go").touch()
        neovim.wait_for_lines("rdev://slow", lambda lines: lines[1:] == ["first", "second"])
        assert Path("/proc", pid).exists()
        neovim.command(f"Rdev cancel {run_id}")
        (run,) = neovim.finished()
        assert (run["outcome"], run["task"]) == ("cancelled", "slow")
        assert not Path("/proc", pid).exists()
        vim.type(":Rdev cancel", "Enter")
        vim.wait_for("nothing is running")  # Vim's bridge knows of its end too
        vim.type(":qall!", "Enter")
