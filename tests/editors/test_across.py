"""A task started in one editor, or in the terminal, is seen, followed and cancelled in another; all know its end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.bridge import Bridge
from tests.editors.emacs_server import Emacs
from tests.editors.neovim import Neovim
from tests.editors.vim import open_vim, wait_until_nothing_runs
from tests.support.wait import eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

pytestmark = pytest.mark.editor

NEOVIM_BUILTIN = """\
vim.lsp.config('rdev', { cmd = { 'rdev-bridge', 'lsp' }, root_markers = { 'rdev.toml' } })
vim.lsp.enable('rdev')
_G.progress = {}
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) table.insert(_G.progress, event.data.params.value) end,
})
"""
COMMAND = "echo $$ > pid; echo first; while [ ! -e go ]; do sleep 0.05; done; echo second; sleep 600"


def test_started_in_vim_followed_and_cancelled_in_neovim(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.txt").write_text("one\n")
    command = "echo $$ > pid; echo first; while [ ! -e go ]; do sleep 0.05; done; echo second; sleep 600"
    (folder / "rdev.toml").write_text(f"[tasks.slow]\ncommand = '{command}'\n")
    with open_vim(folder, "app.txt", tmp_path / "vimrc") as vim, Neovim(folder, "app.txt") as neovim:
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
        wait_until_nothing_runs(vim)  # Vim's bridge knows of its end too
        vim.type(":qall!", "Enter")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "rdev.toml").write_text(f"[tasks.slow]\ncommand = '{COMMAND}'\n")
    (folder / "app.txt").write_text("one\n")
    yield folder
    (folder / "go").touch()  # so that it ends also where the test failed


def process_of(folder: Path) -> Path:
    """Where the kernel keeps the running command."""
    pid = folder / "pid"
    eventually(lambda: pid.exists() and pid.read_text().strip(), what="the command's process")
    return Path("/proc", pid.read_text().strip())


def run_id(folder: Path) -> str:
    """The newest run, as the terminal tells it."""
    told = Bridge(folder).runs()
    return str(told[0]["runId"])


@contextlib.contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `rdev-bridge` in a terminal of its own, which does not outlive a test that fails."""
    with Bridge(folder).start(*words) as process:
        try:
            yield process
        finally:
            process.kill()


def test_started_in_neovim_without_a_plugin_followed_and_cancelled_in_emacs(project: Path) -> None:
    with Neovim(project, "rdev.toml", setup=NEOVIM_BUILTIN, plugin=False) as neovim, Emacs(project) as emacs:
        neovim.wait_for_client()
        neovim.lua("vim.lsp.get_clients({name = 'rdev'})[1]:exec_cmd({command = 'rdev.run', arguments = {'slow'}})")
        process = process_of(project)
        assert "slow" in emacs.listed()
        assert "running" in emacs.listed()
        run = run_id(project)
        emacs.eval(f'(rdev-attach "{run}")')
        emacs.wait_for("\nfirst\n")
        (project / "go").touch()
        emacs.wait_for("\nfirst\nsecond\n")
        assert process.exists()
        emacs.eval(f'(rdev-cancel "{run}")')
        emacs.wait_for("slow cancelled")
        assert not process.exists()
        neovim.wait(
            "vim.iter(_G.progress):any(function(it) return it.kind == 'end' and it.message:find('^cancelled') end)"
        )


def test_started_in_emacs_followed_and_cancelled_in_neovim(project: Path) -> None:
    with Neovim(project, "app.txt") as neovim, Emacs(project) as emacs:
        emacs.eval('(rdev-run "slow")')
        process = process_of(project)
        run = run_id(project)
        assert neovim.wait("vim.fn.getcompletion('Rdev attach ', 'cmdline')") == [run]
        neovim.command(f"Rdev attach {run}")
        neovim.wait_for_lines("rdev://slow", lambda lines: lines[1:] == ["first"])
        neovim.command(f"Rdev cancel {run}")
        (finished,) = neovim.finished()
        assert finished["outcome"] == "cancelled"
        assert not process.exists()
        emacs.wait_for("slow cancelled")


def test_started_in_the_terminal_followed_and_cancelled_in_emacs(project: Path) -> None:
    with Emacs(project) as emacs, started(project, "run", "slow") as terminal:
        process = process_of(project)
        run = run_id(project)
        assert run in emacs.listed()
        emacs.eval(f'(rdev-attach "{run}")')
        emacs.wait_for("\nfirst\n")
        emacs.eval(f'(rdev-cancel "{run}")')
        emacs.wait_for("slow cancelled")
        assert not process.exists()
        out, _ = terminal.communicate(timeout=30)
        assert (out, terminal.returncode) == (b"first\n", 130)


def test_started_in_emacs_followed_and_cancelled_in_the_terminal(project: Path) -> None:
    with Emacs(project) as emacs:
        emacs.eval('(rdev-run "slow")')
        process = process_of(project)
        run = run_id(project)
        with started(project, "attach", "--all", "--no-cancel", run) as terminal:
            assert terminal.stdout is not None
            assert terminal.stdout.readline() == b"first\n"
            (project / "go").touch()
            assert terminal.stdout.readline() == b"second\n"
            assert Bridge(project).call("cancel", run).returncode == 0
            assert not process.exists()
            assert terminal.wait(60) == 130
        emacs.wait_for("slow cancelled")
