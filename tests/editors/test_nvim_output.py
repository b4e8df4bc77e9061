"""The plugin's output window in a real Neovim: colours, following, floods, and whose buffer is whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim import Neovim

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.editor

WINDOW = "vim.fn.bufwinid('rdev://{}')"


def tasks(folder: Path, **commands: str) -> None:
    (folder / "rdev.toml").write_text(
        "".join(f"[tasks.{name}]\ncommand = '''{text}'''\n" for name, text in commands.items())
    )


def highlights(neovim: Neovim, name: str) -> list[list[object]]:
    """[text, group] for all that is coloured in a buffer."""
    return list(
        neovim.lua(
            """
            local buffer = vim.fn.bufnr(...)
            return vim.tbl_map(function(mark)
              local row, from, to = mark[2], mark[3], mark[4].end_col
              return { vim.api.nvim_buf_get_text(buffer, row, from, row, to, {})[1], mark[4].hl_group }
            end, vim.api.nvim_buf_get_extmarks(buffer, -1, 0, -1, { details = true, type = 'highlight' }))
            """,
            name,
        )
    )


@pytest.mark.shows("nvim", "run", "output", "colours", "result")
def test_a_run_is_shown_in_its_colours_without_taking_the_cursor(tmp_path: Path) -> None:
    tasks(tmp_path, test=r"printf 'plain \033[1;31mred\033[0m\n\033[38;5;208morange\033[4m both\n'; echo on; exit 3")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        (run,) = neovim.finished()
        assert (run["outcome"], run["exitCode"]) == ("failed", 3)
        lines = neovim.lines("rdev://test")
        assert lines[1:4] == ["plain red", "orange both", "on"]
        assert lines[-1].startswith("> exit code 3 in ")
        coloured = [found for found in highlights(neovim, "rdev://test") if ">" not in str(found[0])]
        assert coloured == [
            ["red", "RdevAnsi1Bold"],
            ["orange", "RdevAnsi208"],
            [" both", "RdevAnsi208Underline"],
            ["on", "RdevAnsi208Underline"],  # a colour that nobody ended goes on, as in a terminal
        ]
        assert neovim.lua("return vim.api.nvim_get_hl(0, {name = 'RdevAnsi208'})")["fg"] == 0xFF8700
        assert neovim.lua(f"return {WINDOW.format('test')}") > 0
        assert neovim.lua("return vim.fn.expand('%:t')") == "rdev.toml"
        neovim.told("test: exit code 3")


def test_colours_outlive_a_change_of_colour_scheme(tmp_path: Path) -> None:
    tasks(tmp_path, test=r"printf '\033[31mred\n'")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        neovim.finished()
        neovim.command("colorscheme habamax")
        assert "fg" in neovim.lua("return vim.api.nvim_get_hl(0, {name = 'RdevAnsi1'})")


def test_the_window_follows_until_the_cursor_leaves_the_end(tmp_path: Path) -> None:
    tasks(tmp_path, test="seq 1 100; while [ ! -e go ]; do sleep 0.05; done; seq 101 200")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        neovim.wait_for_lines("rdev://test", lambda lines: lines[-1:] == ["100"])
        window = neovim.lua(f"return {WINDOW.format('test')}")
        assert neovim.lua("return vim.api.nvim_win_get_cursor(...)[1]", window) == 101
        neovim.lua("vim.api.nvim_win_set_cursor(..., {7, 0})", window)
        (tmp_path / "go").touch()
        neovim.finished()
        assert neovim.lua("return vim.api.nvim_win_get_cursor(...)[1]", window) == 7
        neovim.command("Rdev run test")
        neovim.finished(2)
        assert neovim.lua("return vim.api.nvim_win_get_cursor(...)[1]", window) == len(neovim.lines("rdev://test"))


def test_a_progress_bar_shows_what_a_terminal_shows_in_the_end(tmp_path: Path) -> None:
    tasks(tmp_path, test=r"printf '10%%\r50%%\r100%%\r\n'; printf 'one\r\n\n'")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        neovim.finished()
        assert neovim.lines("rdev://test")[1:4] == ["100%", "one", ""]


def test_a_line_feed_inside_a_line_is_a_space(tmp_path: Path) -> None:
    """Some servers send one; the bridge counts what they sent as one line."""
    tasks(tmp_path, test="while [ ! -e go ]; do sleep 0.05; done")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        neovim.wait("vim.fn.bufwinid('rdev://test') > 0")
        sent = (
            "{ runId = vim.b[vim.fn.bufnr('rdev://test')].rdev_run_id, seq = 0, chunks = { { lines = { 'a\\nb' } } } }"
        )
        neovim.lua(f"vim.lsp.config.rdev.handlers['rdev/output'](nil, {sent}, {{ client_id = 1 }})")
        neovim.wait_for_lines("rdev://test", lambda lines: lines[1:] == ["a b"])
        (tmp_path / "go").touch()
        neovim.finished()


@pytest.mark.shows("nvim", "flood")
@pytest.mark.parametrize(
    "command",
    ["seq 1 1000000", r"yes ^[32mgreen^[0m-and-plain | sed 's/\^/\x1b/g' | head -300000"],
    ids=["plain", "coloured"],
)
def test_a_flood_leaves_neovim_responsive_and_its_buffer_bounded(tmp_path: Path, command: str) -> None:
    """Neovim answers again and again while a million lines arrive, and no mark outlives its line."""
    tasks(tmp_path, flood=command)
    with Neovim(tmp_path, "rdev.toml", setup="require('rdev').setup({ max_lines = 20000 })") as neovim:
        neovim.wait_for_client()
        neovim.command("Rdev run flood")
        seen = set()
        while not neovim.lua("return #_G.finished > 0"):
            seen.add(neovim.lua("return vim.fn.getbufvar('rdev://flood', 'changedtick')"))
        assert len(seen) > 4, "Neovim answered between the parts of the flood, not before and after it"
        lines = neovim.lines("rdev://flood")
        assert len(lines) == 20000
        if "seq" in command:
            assert lines[:-1] == [str(number) for number in range(1_000_000 - 19_998, 1_000_001)]
            assert "the first 980001 lines are in its log" in lines[-1]
        else:
            assert set(lines[:-1]) == {"green-and-plain"}
            assert len(highlights(neovim, "rdev://flood")) == 20000


def test_a_run_beside_another_of_its_task_has_a_buffer_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "rdev.toml").write_text(
        '[tasks.test]\non_busy = "parallel"\n'
        'command = "echo begun; while [ ! -e go ]; do sleep 0.05; done; echo ended"\n'
    )
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        neovim.wait_for_lines("rdev://test", lambda lines: len(lines) == 2)
        neovim.command("Rdev run test")
        names = neovim.wait(
            "(function(names) return #names == 2 and names end)(vim.iter(vim.api.nvim_list_bufs())"
            ":map(vim.api.nvim_buf_get_name):filter(function(name) return name:find('^rdev://') end):totable())"
        )
        neovim.wait_for_lines(names[1], lambda lines: len(lines) == 2)
        (tmp_path / "go").touch()
        neovim.finished(2)
        for name in names:
            assert [line.split()[0] for line in neovim.lines(name)] == [">", "begun", "ended", ">"]


def test_a_buffer_that_was_deleted_comes_back_with_the_next_run(tmp_path: Path) -> None:
    tasks(tmp_path, test="echo hello")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        for count, delete in enumerate(["bdelete", "bwipeout", "close"], 1):
            neovim.command("Rdev run test")
            neovim.finished(count)
            assert neovim.lines("rdev://test")[1] == "hello"
            assert not neovim.lua("return vim.bo[vim.fn.bufnr('rdev://test')].modifiable")
            neovim.command(f"call win_gotoid({WINDOW.format('test').replace('vim.fn.', '')})")
            neovim.command(f"{delete}!")


def test_two_projects_each_with_a_bridge_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        tasks(tmp_path / name, **{name: "pwd; sleep 600"})
    with Neovim(tmp_path, "one/rdev.toml") as neovim:
        neovim.command("Rdev run one")
        neovim.wait_for_lines("rdev://one", lambda lines: lines[1:] == [str(tmp_path / "one")])
        neovim.command(f"edit {tmp_path}/two/rdev.toml")
        neovim.wait("vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1] ~= nil")
        assert neovim.lua("return #vim.lsp.get_clients({ name = 'rdev' })") == 2
        neovim.command("Rdev run two")
        neovim.wait_for_lines("rdev://two", lambda lines: lines[1:] == [str(tmp_path / "two")])
        for count, name in enumerate(["one", "two"], 1):
            neovim.command(f"sbuffer rdev://{name}")
            neovim.call("nvim_input", "<C-c>")
            assert neovim.finished(count)[-1]["task"] == name


def test_a_buffer_closed_while_its_run_goes_on_harms_nothing(tmp_path: Path) -> None:
    tasks(tmp_path, test="echo one; while [ ! -e go ]; do sleep 0.05; done; seq 1 1000")
    with Neovim(tmp_path, "rdev.toml") as neovim:
        neovim.command("Rdev run test")
        neovim.wait_for_lines("rdev://test", lambda lines: len(lines) == 2)
        neovim.command("bwipeout! rdev://test")
        (tmp_path / "go").touch()
        (run,) = neovim.finished()
        assert run["outcome"] == "succeeded"
        assert neovim.messages() == ""
