"""`rdev/resolvePath`: from a path as the server's tools print it to the file on this side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor, Refused

if TYPE_CHECKING:
    from pathlib import Path

QUIET = ("rdev/runStarted", "rdev/output", "rdev/runFinished", "rdev/connection", "rdev/tasksChanged")


def test_a_path_of_the_server_becomes_the_file_of_the_workspace(workspace: Path) -> None:
    (workspace / "rdev.toml").write_text(
        'remote_root = "/srv/elsewhere"\n[tasks.test]\ncommand = "true"\ncwd = "/"\n[tasks.sub]\ncommand = "true"\n'
    )
    (workspace / "sub").mkdir()
    (workspace / "sub" / "app.py").touch()
    (workspace.parent / "outside.py").touch()
    with Editor(workspace, ignored=QUIET) as editor:
        editor.initialize(capabilities=RDEV)
        run_id = editor.call("rdev/run", {"task": "test"})["runId"]
        elsewhere = editor.call("rdev/run", {"command": "true", "cwd": "sub"})["runId"]

        def resolved(path: str, of: str = run_id) -> str | None:
            answer = editor.call("rdev/resolvePath", {"runId": of, "path": path})["uri"]
            assert answer is None or isinstance(answer, str)
            return answer

        here = (workspace / "sub" / "app.py").as_uri()
        assert resolved("/srv/elsewhere/sub/app.py") == here
        assert resolved("sub/app.py") == here
        assert resolved("app.py", elsewhere) == here
        assert resolved("app.py") is None
        assert resolved("/etc/passwd") is None
        assert resolved("/srv/elsewhere/../outside.py") is None
        with pytest.raises(Refused, match="there is no run"):
            resolved("sub/app.py", "r-unknown")
