"""The example of the documentation, as it stands there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "run_task.py"


def test_the_page_shows_the_file() -> None:
    assert EXAMPLE.read_text() in (ROOT / "docs" / "scripting.md").read_text()
    assert len(EXAMPLE.read_text().splitlines()) <= 30


def test_it_runs_a_task(workspace: Path) -> None:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(task: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, EXAMPLE, task]
        return subprocess.run(argv, cwd=workspace, env=environ, capture_output=True, text=True, timeout=60, check=False)

    done = run("hello")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 0)
    done = run("fail")
    assert (done.stdout, done.returncode) == ("broken\n", 3)
    done = run("hellp")
    assert "did you mean 'hello'" in done.stderr
    assert done.returncode == 1
