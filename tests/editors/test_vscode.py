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

[tasks.saved]
command = "echo saved"
watch = ["*.txt"]

[tasks.flood]
command = "seq 1 1000000"
"""

# one group: they all build the one .vsix
pytestmark = [pytest.mark.editor, pytest.mark.timeout(600), pytest.mark.xdist_group("vscode")]


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
    (folder / "note.txt").write_text("")
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
            "files.exclude": {"**/__pycache__": True},  # no .pyc comes into a list while a row of it is clicked
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


PYTHON_EXTENSION = """\
exports.activate = () => ({
  environments: {
    getActiveEnvironmentPath: () => ({ path: process.env.RDEV_TEST_PYTHON }),
    resolveEnvironment: async ({ path }) =>
      path && { executable: { uri: require('vscode').Uri.file(path) } },
    onDidChangeActiveEnvironmentPath: () => ({ dispose() {} }),
  },
});
"""


def stand_in_for_the_python_extension(folder: Path) -> None:
    """What of the Python extension's published API the extension uses; that extension itself is not to be had here."""
    folder.mkdir(parents=True)
    manifest = {"name": "python", "publisher": "ms-python", "version": "1.0.0", "main": "./main.js"}
    (folder / "package.json").write_text(json.dumps(manifest | {"engines": {"vscode": "^1.95.0"}}))
    (folder / "main.js").write_text(PYTHON_EXTENSION)


@pytest.mark.shows("vscode", "flood")
def test_the_extension_in_its_host(vsix: Path, workspace: Path, tmp_path: Path) -> None:
    del vsix
    stand_in_for_the_python_extension(tmp_path / "code" / "extensions" / "ms-python.python-1.0.0")
    said = node("mocha.mjs", str(tmp_path / "code"), str(workspace), settings())
    passed, failed = said.strip().splitlines()[-1].split(", ")
    assert int(passed.split()[0]) > 5
    assert failed == "0 failed"


def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("RDEV_TEST_PICTURES", tmp_path / "pictures"))


@pytest.mark.shows("vscode", "run", "pick", "lenses", "actions", "progress", "cancel", "result", "diagnostics")
@pytest.mark.shows("vscode", "next-error", "save", "watch", "output", "colours", "runs", "attach", "log", "status")
def test_a_walk_through_the_installed_extension(vsix: Path, shop: Path, tmp_path: Path) -> None:
    del vsix
    kept = pictures(tmp_path)
    said = node("walk.mjs", str(tmp_path / "code"), str(shop), settings(), str(kept))
    assert "saw the colour" in said
    assert "saw the problem on its line" in said
    assert "saw every line once although the bridge was killed" in said
    assert "saw another editor's run end" in said
    assert "saw no bridge left" in said
    wanted = {"lenses", "failed", "build", "problem", "problems", "running", "runs", "cancelled", "attached", "saved"}
    assert {path.stem for path in kept.glob("*.png")} >= wanted


@pytest.mark.shows("vscode", "health")
def test_the_first_minutes_with_a_stranger_s_folders_and_no_bridge(vsix: Path, shop: Path, tmp_path: Path) -> None:
    del vsix
    said = node("first.mjs", str(tmp_path / "code"), str(shop), settings(), str(pictures(tmp_path)))
    assert "came to its end" in said
