"""Real Neovim with its built-in client alone: five lines of configuration, or the file for `lsp/`, and no plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.editors.neovim import PATH, PLUGIN, Neovim
from tests.editors.terminal import Terminal
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.editor

FIVE_LINES = """\
vim.lsp.config('rdev', {
  cmd = { 'rdev-bridge', 'lsp' },
  root_markers = { 'rdev.toml', '.git' },
})
vim.lsp.enable('rdev')
"""

# What Neovim shows: progress (`:help LspProgress`) and messages.
SEEN = """
_G.progress, _G.messages = {}, {}
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event)
    table.insert(_G.progress, event.data.params.value)
    table.insert(_G.messages, vim.lsp.status())
  end,
})
"""
TASKS = """\
[tasks.test]
command = "echo $$ > pid; echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exit 3"

[tasks.check]
command = "cat app.py; echo 'app.py:2:1: error: it is bad'; exit 1"
watch = ["*.py"]
problem_matcher = "generic"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rdev.toml").write_text(TASKS)
    (tmp_path / "app.py").write_text("one\ntwo\n")
    return tmp_path


@pytest.fixture
def lsp_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A configuration that holds `lsp/rdev.lua` as it stands in the project, and one line that enables it."""
    runtime = tmp_path_factory.mktemp("runtime")
    (runtime / "lsp").mkdir()
    shutil.copy(PLUGIN / "lsp" / "rdev.lua", runtime / "lsp")
    return f"vim.opt.runtimepath:append('{runtime}')\nvim.lsp.enable('rdev')\n"


@pytest.fixture
def neovim(folder: Path, lsp_file: str) -> Iterator[Neovim]:
    with Neovim(folder, "app.py", setup=lsp_file + SEEN, plugin=False) as neovim:
        neovim.wait_for_client()
        yield neovim


def lenses(neovim: Neovim) -> list[str]:
    neovim.lua("vim.lsp.codelens.refresh({ bufnr = 0 })")
    titles = "vim.tbl_map(function(lens) return lens.command.title end, vim.lsp.codelens.get(0))"
    return list(neovim.wait(titles, "code lenses"))


def run_lens(neovim: Neovim, line: int, title: str) -> None:
    neovim.choose(title)
    neovim.command(f"call cursor({line}, 1)")
    neovim.lua("vim.lsp.codelens.run()")


def code_action(neovim: Neovim, title: str) -> None:
    neovim.choose(title)
    neovim.lua("vim.lsp.buf.code_action()")


def progress(neovim: Neovim, kind: str) -> dict[str, Any]:
    found = f"vim.iter(_G.progress):find(function(value) return value.kind == '{kind}' end)"
    return dict(neovim.wait(found, f"progress of kind {kind}"))


@pytest.mark.shows("nvim-builtin", "run", "pick", "lenses", "progress", "result")
def test_five_lines_run_a_task_from_its_lens_with_progress_and_end(folder: Path) -> None:
    assert len(FIVE_LINES.splitlines()) == 5
    with Neovim(folder, "rdev.toml", setup=FIVE_LINES + SEEN, plugin=False) as neovim:
        neovim.wait_for_client()
        assert lenses(neovim)[:2] == ["▶ Run test", "Watch"]
        run_lens(neovim, 1, "Run test")
        assert progress(neovim, "begin") == {"kind": "begin", "title": "test", "cancellable": True}
        neovim.wait("vim.iter(_G.messages):any(function(said) return said:find('test: 1 line · one', 1, true) end)")
        (folder / "go").touch()
        assert progress(neovim, "end")["message"].startswith("failed with exit code 3")
        neovim.told("test failed with exit code 3")
        code_action(neovim, "Show output of test (failed with exit code 3)")
        neovim.wait("vim.api.nvim_buf_get_name(0):find('output.log')")


@pytest.mark.shows("nvim-builtin", "cancel")
def test_the_cancel_lens_ends_the_command(folder: Path, neovim: Neovim) -> None:
    neovim.command("edit rdev.toml")
    neovim.wait("vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1] ~= nil")
    lenses(neovim)
    run_lens(neovim, 1, "Run test")
    eventually(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    eventually(lambda: "■ Cancel" in lenses(neovim), what="the cancel lens")
    run_lens(neovim, 1, "Cancel")
    assert progress(neovim, "end")["message"].startswith("cancelled")
    assert not Path("/proc", (folder / "pid").read_text().strip()).exists()


@pytest.mark.shows("nvim-builtin", "actions", "diagnostics", "next-error", "log")
def test_an_action_from_any_file_its_problem_and_its_log(neovim: Neovim) -> None:
    code_action(neovim, "Run check")
    (problem,) = neovim.wait("vim.diagnostic.get(0)")
    assert (problem["lnum"], problem["message"], problem["source"]) == (1, "it is bad", "rdev:check")
    neovim.lua("vim.diagnostic.setqflist({ open = false })")
    neovim.command("cfirst")
    assert neovim.lua("return { vim.fn.expand('%:t'), vim.fn.line('.') }") == ["app.py", 2]
    code_action(neovim, "Show output of check")
    neovim.wait("vim.api.nvim_buf_get_name(0):find('output.log')")
    assert neovim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")[0] == "one"


@pytest.mark.shows("nvim-builtin", "save")
def test_write_runs_what_watches_the_file(folder: Path, lsp_file: str) -> None:
    subprocess.run([sys.executable, "-m", "rdev_bridge", "trust", "--yes"], cwd=folder, check=True, capture_output=True)
    with Neovim(folder, "app.py", setup=lsp_file + SEEN, plugin=False) as neovim:
        neovim.wait_for_client()
        neovim.wait("vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1] ~= nil")
        neovim.command("write")
        assert progress(neovim, "begin")["title"] == "check"
        neovim.wait("vim.diagnostic.get(0)")


@pytest.mark.shows("nvim-builtin", "watch")
def test_the_watch_lens_and_the_trust_question(folder: Path, neovim: Neovim) -> None:
    """A stranger's workspace asks first, with `vim.ui.select`; a lens that names the task needs no question."""
    neovim.choose("Not now")
    neovim.command("write")
    neovim.wait("#_G.chosen == 1", "the question whether to trust")
    assert neovim.lua("return #_G.progress") == 0
    neovim.command("edit rdev.toml")
    lenses(neovim)
    run_lens(neovim, 4, "Watch")
    eventually(lambda: "Stop watching" in lenses(neovim), what="the lens of a task that is watched")
    neovim.command("edit app.py")
    neovim.command("call setline(1, 'three')")
    neovim.command("write")
    assert progress(neovim, "begin")["title"] == "check"


def test_a_yes_to_the_trust_question_runs_the_save(folder: Path, neovim: Neovim) -> None:
    del folder
    neovim.choose("Trust this workspace")
    neovim.command("write")
    assert progress(neovim, "begin")["title"] == "check"


def test_no_message_stops_the_user_at_80_columns(folder: Path, lsp_file: str, tmp_path_factory: Any) -> None:
    """Neither the end of a run nor a warning asks for Enter, and an end does not end the list that is open."""
    init = tmp_path_factory.mktemp("init") / "init.lua"
    attached = "vim.api.nvim_create_autocmd('LspAttach', { command = 'set statusline=attached' })\n"
    init.write_text(f"vim.o.swapfile = false\n{attached}{lsp_file}")
    argv = ["nvim", "-u", init, "-i", "NONE", "app.py"]
    with Terminal(argv, columns=80, rows=24, environ={**os.environ, "PATH": PATH}, cwd=folder) as terminal:
        terminal.wait_for("attached")
        terminal.type("gra")
        terminal.wait_for("1: Run test")
        terminal.type("1", "Enter")
        eventually((folder / "pid").exists)
        terminal.type("gra")
        terminal.wait_for("3: Cancel test")
        (folder / "go").touch()
        listed = [sys.executable, "-m", "rdev_bridge", "runs"]
        eventually(lambda: b"failed" in subprocess.run(listed, cwd=folder, check=True, capture_output=True).stdout)
        terminal.type("2", "Enter")
        terminal.wait_for("rdev: check failed with exit code 1")
        shown = terminal.wait_for("E two")
        assert "Press ENTER" not in shown
        assert "Error executing" not in shown
        terminal.type("gra")
        terminal.wait_for("Show output of test")
        terminal.type("3", "Enter")
        assert "Press ENTER" not in terminal.wait_for("app.py:2:1: error: it is bad")


def test_no_bridge_starts_where_no_rdev_toml_is(tmp_path_factory: pytest.TempPathFactory, lsp_file: str) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "app.py").write_text("one\n")
    (folder / ".git").mkdir()
    with Neovim(folder, "app.py", setup=lsp_file, plugin=False) as neovim:
        assert neovim.lua("return vim.bo.filetype") == "python"
        assert neovim.lua("return #vim.lsp.get_clients({ _uninitialized = true })") == 0
