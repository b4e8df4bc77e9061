"""What each real editor declares, as `tests/editor/clients` keeps it for the tests of the generic client.

`RDEV_TEST_RECORD=1` writes the files anew, for an editor's new version.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.editors.neovim import PATH, Neovim
from tests.editors.terminal import Terminal
from tests.editors.test_emacs import PACKAGE, emacs
from tests.editors.test_vscode import node, settings, vsix
from tests.editors.vim import VIMRC
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["vsix"]

pytestmark = [pytest.mark.editor, pytest.mark.timeout(400)]

CLIENTS = Path(__file__).parents[1] / "editor" / "clients"
# A bridge that keeps the first message and goes.
RECORDER = """\
import os, sys
from pathlib import Path
if "--version" in sys.argv:
    sys.exit(print("rdev-bridge 0.1.0"))
words = sys.stdin.buffer.readline().split()
sys.stdin.buffer.readline()
part = Path(os.environ["RECORD"] + ".part")
part.write_bytes(sys.stdin.buffer.read(int(words[1])))
part.rename(os.environ["RECORD"])
"""


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a `rdev-bridge` that records, which stands first on the PATH of what is started."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "rdev-bridge"
    program.write_text(f"#!{sys.executable}\n{RECORDER}")
    program.chmod(0o755)
    monkeypatch.setenv("RECORD", str(tmp_path / "recorded.json"))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "rdev.toml").write_text('[tasks.hello]\ncommand = "echo hello"\n')
    (folder / "app.py").touch()
    return folder


def check(name: str, open_editor: Callable[[], object]) -> None:
    """Let an editor say hello, and compare what it declares with what is kept under `name`."""
    recorded = Path(os.environ["RECORD"])
    open_editor()
    hello: dict[str, Any] = json.loads(recorded.read_bytes())["params"]
    # of what an editor says of itself: all that may decide what it is sent; not who, where and when it is
    said = {"clientInfo": {"name": hello.get("clientInfo", {}).get("name", name)}}
    said |= {key: hello[key] for key in ("capabilities", "initializationOptions") if key in hello}
    kept = CLIENTS / f"{name}.json"
    text = json.dumps(said, indent=1, sort_keys=True) + "\n"
    if "RDEV_TEST_RECORD" in os.environ:
        kept.write_text(text)
    assert json.loads(kept.read_text()) == json.loads(text), f"RDEV_TEST_RECORD=1 writes {kept.name} anew"


def has_said_hello() -> bool:
    return Path(os.environ["RECORD"]).exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("neovim", {"plugin": True}),
        (
            "neovim_builtin",
            {
                "plugin": False,
                "setup": "vim.lsp.config('rdev', { cmd = { 'rdev-bridge', 'lsp' }, root_markers = { 'rdev.toml' } })\n"
                "vim.lsp.enable('rdev')\n",
            },
        ),
    ],
)
def test_neovim(name: str, options: dict[str, Any], folder: Path, recorder: Path) -> None:
    def run() -> None:
        first = f"vim.env.PATH = '{recorder}:' .. vim.env.PATH\n"
        with Neovim(folder, "rdev.toml", **options | {"setup": first + options.get("setup", "")}):
            eventually(has_said_hello, 60, "Neovim's hello")

    check(name, run)


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("emacs", "(require 'rdev) (require 'rdev-mode) (rdev-mode 1)"),
        (
            "emacs_eglot",
            '(require \'eglot) (add-to-list \'eglot-server-programs \'(prog-mode . ("rdev-bridge" "lsp")))'
            "(ignore-errors (apply #'eglot--connect (eglot--guess-contact)))",
        ),
    ],
)
def test_emacs(name: str, program: str, folder: Path, recorder: Path) -> None:
    wait = '(with-timeout (60) (while (not (file-exists-p (getenv "RECORD"))) (accept-process-output nil 0.05)))'
    first = f'(push "{recorder}" exec-path) (setenv "PATH" (concat "{recorder}:" (getenv "PATH")))'
    words = ["-q", "-L", PACKAGE, "--eval", f'(progn {first} (find-file "app.py") {program} {wait})']
    check(name, lambda: emacs(*words, cwd=folder))


def test_vim_with_ale(folder: Path, recorder: Path) -> None:
    (folder / "vimrc").write_text(VIMRC)
    environ = {**os.environ, "PATH": f"{recorder}:{PATH}"}

    def run() -> None:
        argv = ["vim", "-u", folder / "vimrc", "-i", "NONE", "app.py"]
        with Terminal(argv, environ=environ, cwd=folder):
            eventually(has_said_hello, 60, "Vim's hello")

    check("vim_ale", run)


@pytest.mark.xdist_group("vscode")
def test_vscode(vsix: Path, folder: Path, recorder: Path, tmp_path: Path) -> None:
    del vsix
    told = settings(**{"rdev.server.command": [str(recorder / "rdev-bridge")]})
    check("vscode", lambda: node("open.mjs", str(tmp_path / "code"), str(folder), told, os.environ["RECORD"]))
