"""Run on save in a real Neovim with its built-in client: the saved code, once, on the server that has it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.bridge import Bridge
from tests.editors.neovim import PLUGIN, Neovim
from tests.support.other_folder import OtherFolder, other_folder
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.editor

FILES = 2000
SETUP = f"vim.opt.runtimepath:append('{PLUGIN}')\nvim.lsp.enable('rdev')\n"
TASKS = """\
remote_root = "{root}"

[tasks.show]
command = "cat src/app.py; [ ! -e src/more.py ] || echo more"
watch = ["src/**"]
sync = "push"
"""
FORMAT = """
[tasks.format]
command = "sed -i 's/ *= */ = /' lib/app.py"
watch = ["lib/**"]
"""
TEN_SAVES = """
for number = 1, 10 do
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'x=' .. number })
  vim.cmd('silent write')
end
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("src", "lib"):
        (folder / name).mkdir(parents=True)
        (folder / name / "app.py").write_text("x=0\n")
    return folder


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherFolder]:
    with other_folder(tmp_path / "there") as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        yield server


def editing(folder: Path, tasks: str, file: str) -> Neovim:
    (folder / "rdev.toml").write_text(tasks)
    subprocess.run([sys.executable, "-m", "rdev_bridge", "trust", "--yes"], cwd=folder, check=True, capture_output=True)
    neovim = Neovim(folder, file, setup=SETUP, plugin=False)
    neovim.wait_for_client()
    neovim.wait("vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1] ~= nil")
    return neovim


def ended(folder: Path, count: int, last: list[str] | None = None) -> list[dict[str, Any]]:
    """All runs, oldest first, once so many have ended, the last of them with that output."""
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        found[:] = reversed(Bridge(folder).runs())
        over = [run for run in found if run["state"] == "finished"]
        return len(over) >= count and (last is None or output(over[-1]) == last)

    eventually(are_there, 60.0, f"the end of {count} runs")
    return found


def output(run: dict[str, Any]) -> list[str]:
    from rdev_bridge.editor.client import path_from_uri

    path = path_from_uri(run["logUri"])
    assert path is not None
    return path.read_text().splitlines()


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "gc.auto=0"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_saves_run_in_the_servers_folder_and_ten_quick_ones_are_two_runs(folder: Path, server: OtherFolder) -> None:
    with editing(folder, TASKS.format(root=server.root), "src/app.py") as neovim:
        neovim.command("call setline(1, 'x=saved')")
        neovim.command("write")
        assert output(ended(folder, 1)[0]) == ["x=saved"]
        neovim.lua(TEN_SAVES)
        ended(folder, 2, ["x=10"])
        (folder / "src" / "more.py").write_text("")
        runs = ended(folder, 3, ["x=10", "more"])
        assert len(runs) in (3, 4), "the first save, one or two for ten, and the new file"
        (folder / "src" / "more.py").unlink()
        ended(folder, len(runs) + 1, ["x=10"])
        assert not (server.root / "src" / "more.py").exists()


def test_a_switch_of_branches_is_one_run_on_the_branch(folder: Path, server: OtherFolder) -> None:
    git(folder, "init", "-q", "-b", "main")
    for number in range(FILES):
        (folder / "src" / f"f{number}.py").write_text("one\n")
    tasks = TASKS.format(root=server.root).replace("cat src/app.py", "cat src/f*.py | sort | uniq -c")
    (folder / "rdev.toml").write_text(tasks)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "switch", "-q", "-c", "other")
    for number in range(FILES):
        (folder / "src" / f"f{number}.py").write_text("two, and longer\n")
    git(folder, "commit", "-q", "-a", "-m", "two")
    with editing(folder, tasks, "lib/app.py"):
        git(folder, "switch", "-q", "main")
        assert output(ended(folder, 1)[0]) == [f"   {FILES} one"]
        (folder / "src" / "more.py").write_text("")
        runs = ended(folder, 2)
        assert (len(runs), output(runs[1])[-1]) == (2, "more")


def test_a_task_that_formats_the_saved_file_does_not_loop_and_says_so(folder: Path) -> None:
    with editing(folder, FORMAT, "lib/app.py") as neovim:
        neovim.command("call setline(1, 'x=1')")
        neovim.command("write")
        [told] = neovim.wait("_G.told")
        assert told == "rdev: lib/app.py looks like format's output: it starts no run"
        assert (folder / "lib" / "app.py").read_text() == "x = 1\n"
        runs = ended(folder, 2)
        (folder / "lib" / "more.py").write_text("")
        assert len(ended(folder, len(runs) + 1)) == 3, "once for the save, once for its own change, once for the last"
