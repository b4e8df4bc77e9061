"""A real Vim with ALE and `editors/vim`, in a terminal."""

from __future__ import annotations

import os
from pathlib import Path

from tests.editors.neovim import PATH
from tests.editors.terminal import Terminal
from tests.support.wait import eventually

VIMRC = f"""\
set nocompatible noswapfile nomore
let g:ale_linters = {{'python': ['rdev']}}
filetype plugin on
packadd! ale
set runtimepath+={Path(__file__).parents[2] / "editors" / "vim"}
"""


def open_vim(folder: Path, file: str, vimrc: Path) -> Terminal:
    """Vim in `folder`, with the file open; `vimrc` is where its configuration goes."""
    vimrc.write_text(VIMRC)
    environ = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}
    argv = ["vim", "-u", vimrc, "-i", "NONE", file]
    return Terminal(argv, columns=120, rows=24, environ=environ, cwd=folder)


def wait_until_nothing_runs(vim: Terminal) -> None:
    """Ask Vim to cancel until it says that there is nothing to cancel any more."""

    def has_ended() -> bool:
        vim.type(":Rdev cancel", "Enter")
        return "nothing is running" in vim.wait_for(r"rdev: (cancelling|nothing is running)")

    eventually(has_ended, 30.0, "the end of what ran")
