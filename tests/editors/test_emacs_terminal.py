"""Emacs as a person sees it, in a terminal: the picture in the documentation is taken here."""

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
# The package's own two lines, and what keeps a fresh Emacs quiet.
INIT = """\
(setq inhibit-startup-screen t native-comp-deferred-compilation nil)
(menu-bar-mode -1)
(load-theme 'modus-vivendi t)
(set-face-background 'default "unspecified-bg")
(setq compilation-context-lines 15)
(global-rdev-mode 1)
(define-key project-prefix-map "t" 'rdev-command-map)
"""


@pytest.fixture
def shop() -> Iterator[Path]:
    """The project of all pictures, where its path is short enough to be read on them."""
    with tempfile.TemporaryDirectory(prefix="rdev-") as folder:
        yield shutil.copytree(REPOSITORY / "docs" / "examples" / "shop", Path(folder, "shop"))


@pytest.mark.shows("emacs", "run", "diagnostics", "next-error", "status")
def test_a_failing_test_from_the_run_to_the_line_that_is_wrong(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "init.el").write_text(INIT)
    package = REPOSITORY / "editors" / "emacs"
    argv = ["emacs", "-nw", "-q", "-L", package, "-l", "rdev-mode", "-l", "rdev", "-l", tmp_path / "init.el"]
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with Terminal([*argv, shop / "shop" / "cart.py"], columns=104, rows=50, environ=environ, cwd=shop) as terminal:
        terminal.wait_for("class Cart")
        terminal.type("C-x", "p", "t", "r")
        terminal.wait_for("Run task .default test")
        terminal.type("Enter")
        terminal.wait_for(r"rdev\[test failed\]")
        terminal.wait_for(r"test failed with exit code 1 after")
        terminal.type("M-g", "n")
        terminal.wait_for(r"def test_adds_up")
        terminal.type("M-g", "n")
        terminal.wait_for(r"has no attribute 'quantiy'.*rdev:test")  # Flymake tells of the line that point is on
        terminal.picture(Path(os.environ.get("RDEV_TEST_PICTURES", tmp_path)) / "emacs.png", title="Emacs")
