"""A real terminal for an editor under test: tmux draws it, a test reads it and types into it.

    with Terminal(["nvim", "app.py"], columns=110, rows=32, environ=..., cwd=...) as terminal:
        terminal.wait_for("1 failed")
        terminal.type(":Rdev cancel", "Enter")
        terminal.picture(Path("docs/pictures/nvim.png"), title="Neovim")

`python -m tests.editors.terminal OUT.png SECONDS COMMAND...` takes a picture by hand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.editors.picture import page, render
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Terminal:
    """A program in a tmux of its own: what a person would see, and what a person would type."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        columns: int = 110,
        rows: int = 32,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        tmux = shutil.which("tmux")
        assert tmux is not None, "install tmux"
        self.columns, self.rows = columns, rows
        self._folder = Path(tempfile.mkdtemp(prefix="rdev-tmux-"))  # a socket's path must be short
        self._tmux = [tmux, "-u", "-f", "/dev/null", "-S", str(self._folder / "socket")]
        words = [str(word) for word in argv]
        options = ["-x", str(columns), "-y", str(rows), *(["-c", str(cwd)] if cwd else [])]
        command = [
            *self._tmux,
            "new-session",
            "-d",
            *options,
            "env",
            "TERM=tmux-256color",
            "COLORTERM=truecolor",
            *words,
        ]
        setup = [
            ";",
            "set",
            "-g",
            "status",
            "off",
            ";",
            "set",
            "-g",
            "remain-on-exit",
            "on",
            ";",
            "set",
            "-sg",
            "escape-time",
            "0",
        ]
        subprocess.run([*command, *setup], env=dict(environ) if environ else None, check=True, timeout=60)

    def _ask(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True, timeout=60).stdout

    def text(self) -> str:
        """What stands on the screen."""
        return self._ask("capture-pane", "-p")

    def type(self, *keys: str) -> None:
        """Type text, or keys by tmux's names (`Enter`, `Escape`, `C-c`)."""
        for key in keys:
            named = re.fullmatch(r"Enter|Escape|Tab|Space|BSpace|Up|Down|Left|Right|PageUp|PageDown|[CM]-.|F\d+", key)
            self._ask("send-keys", *([] if named else ["-l"]), key)

    def wait_for(self, wanted: str, timeout_s: float = 60.0) -> str:
        """The screen's text once `wanted` (a regular expression) stands on it."""
        seen: list[str] = [""]

        def stands() -> bool:
            seen[0] = self.text()
            return re.search(wanted, seen[0]) is not None

        try:
            eventually(stands, timeout_s, f"{wanted!r} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{seen[0]}") from None
        return seen[0]

    def picture(self, to: Path, title: str) -> None:
        render(*page(self._ask("capture-pane", "-p", "-e", "-N"), self.columns, self.rows, title), to)

    def close(self) -> None:
        """End the program and its terminal; what the program leaves behind is its own."""
        if self._folder.exists():
            subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False, timeout=60)
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main(argv: Sequence[str]) -> None:
    to, seconds, *command = argv
    with Terminal(command) as terminal:
        time.sleep(float(seconds))
        terminal.picture(Path(to), command[0])


if __name__ == "__main__":
    main(sys.argv[1:])
