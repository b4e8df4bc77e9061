"""The extension in a real VS Code: its Mocha tests in the extension host, and a person's walk through the .vsix."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
EXTENSION = REPOSITORY / "editors" / "vscode"
PROGRAMS = Path(__file__).with_name("vscode")
TASKS = """\
[tasks.hello]
command = "printf 'one\\\\n\\\\033[32mall green\\\\033[0m\\\\n'"
description = "greets in colour"

[tasks.fail]
command = "exit 7"

[tasks.check]
command = "echo 'app.py:2:5: error: undefined name nmae'; exit 1"
group = "build"
problem_matcher = "generic"

[tasks.slow]
command = "echo $$ > slow.pid; exec sleep 600"

[tasks.flood]
command = "seq 1 1000000"
"""

pytestmark = [pytest.mark.editor, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def vsix() -> Path:
    """The extension, checked, bundled and packaged by its one command."""
    for step in (["run", "-s", "bundle"], ["run", "-s", "bundle:test"], ["run", "-s", "package"]):
        subprocess.run(["npm", *step], cwd=EXTENSION, check=True, stdout=subprocess.DEVNULL, timeout=300)
    return EXTENSION / "dist" / "rdev-bridge.vsix"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "rdev.toml").write_text(TASKS)
    (folder / "app.py").write_text("name = 'shop'\nprint(nmae)\n")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The example that all pictures show."""
    return shutil.copytree(REPOSITORY / "docs" / "examples" / "shop", tmp_path / "shop")


def settings(**more: object) -> str:
    bridge = shutil.which("rdev-bridge", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return json.dumps(
        {
            "rdev.server.command": [bridge],
            "terminal.integrated.gpuAcceleration": "off",  # rows as elements, so that they can be read
            "workbench.colorTheme": "Default Dark Modern",
            "workbench.startupEditor": "none",
            "workbench.secondarySideBar.defaultVisibility": "hidden",
            "chat.disableAIFeatures": True,
            "editor.minimap.enabled": False,
            "remote.autoForwardPorts": False,
            **more,
        }
    )


def node(program: str, *words: str) -> str:
    done = subprocess.run(
        ["node", str(PROGRAMS / program), *words],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_extension_in_its_host(vsix: Path, workspace: Path, tmp_path: Path) -> None:
    del vsix
    said = node("mocha.mjs", str(tmp_path / "code"), str(workspace), settings())
    passed, failed = said.strip().splitlines()[-1].split(", ")
    assert int(passed.split()[0]) > 5
    assert failed == "0 failed"


@pytest.mark.shows("vscode", "run", "lenses", "cancel", "result", "diagnostics", "output", "colours", "status")
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("RDEV_TEST_PICTURES", tmp_path / "pictures"))


@pytest.mark.shows("vscode", "run", "lenses", "cancel", "result", "diagnostics", "output", "colours", "status")
def test_a_walk_through_the_installed_extension(vsix: Path, shop: Path, tmp_path: Path) -> None:
    del vsix
    kept = pictures(tmp_path)
    said = node("walk.mjs", str(tmp_path / "code"), str(shop), settings(), str(kept))
    assert "saw the colour" in said
    assert "saw the problem on its line" in said
    assert "saw every line once although the bridge was killed" in said
    assert "saw no bridge left" in said
    wanted = {"lenses", "failed", "build", "problem", "problems", "running", "runs", "cancelled", "saved"}
    assert {path.stem for path in kept.glob("*.png")} >= wanted
