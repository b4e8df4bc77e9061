"""Neovim and Vim in a terminal, on the project of the documentation's pictures.

`RDEV_TEST_PICTURES=docs/pictures` keeps what they show.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.editors.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.editor

REPOSITORY = Path(__file__).parents[2]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

INIT_LUA = f"""\
vim.opt.runtimepath:append('{REPOSITORY}/editors/nvim')
vim.o.swapfile = false
vim.o.number = true
vim.o.laststatus = 3
vim.o.fillchars = 'eob: '
vim.o.statusline = " %t %m%=%{{v:lua.require'rdev'.statusline()}}   %l:%c "
vim.diagnostic.config({{ virtual_lines = true }})
require('rdev').setup({{ height = 26 }})
"""
VIMRC = f"""\
set nocompatible noswapfile number laststatus=2 background=dark ruler
let &fillchars = 'eob: '
filetype plugin on
syntax on
highlight SignColumn ctermbg=NONE
let g:ale_linters = {{'python': ['rdev']}}
let g:ale_open_list = 1
let g:ale_list_window_size = 2
let g:ale_set_highlights = 0
packadd! ale
set runtimepath+={REPOSITORY}/editors/vim
"""


@pytest.fixture
def shop() -> Iterator[Path]:
    """A copy of the project, since running it leaves things behind; its path is short, as a person's is."""
    with tempfile.TemporaryDirectory(prefix="") as folder:
        yield Path(shutil.copytree(REPOSITORY / "docs" / "examples" / "shop", Path(folder, "shop")))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("RDEV_TEST_PICTURES", tmp_path / "pictures"))


def environ() -> dict[str, str]:
    return {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}


def test_neovim(shop: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "init.lua").write_text(INIT_LUA)
    argv = ["nvim", "-u", tmp_path / "init.lua", "-i", "NONE", "+25", "shop/cart.py"]
    with Terminal(argv, columns=116, rows=44, environ=environ(), cwd=shop) as terminal:
        terminal.wait_for("class Cart")
        terminal.type(":Rdev run test", "Enter")
        terminal.wait_for("rdev: test failed")
        terminal.wait_for("adds up")
        terminal.wait_for("─ .*test_adds_up: AttributeError: 'Line' object has no attribute 'quantiy'")
        terminal.wait_for("> exit code 1")
        terminal.type("C-l")  # the message has been seen
        terminal.picture(pictures / "nvim.png", "Neovim")
        terminal.type(":qall!", "Enter")


def test_vim_with_ale(shop: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "vimrc").write_text(VIMRC)
    argv = ["vim", "-u", tmp_path / "vimrc", "-i", "NONE", "+25", "shop/cart.py"]
    with Terminal(argv, columns=116, rows=28, environ=environ(), cwd=shop) as terminal:
        terminal.wait_for("class Cart")
        terminal.type(":Rdev run test", "Enter")
        terminal.wait_for(r"cart.py\|25 col [\d-]+ error\| .*'Line' object has no attribute")
        terminal.wait_for("rdev: test failed with exit code 1")
        terminal.picture(pictures / "vim.png", "Vim with ALE")
        terminal.type(":qall!", "Enter")
