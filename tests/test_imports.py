"""What a command must not import before it needs it: start-up time is felt, and a list holds better than a clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.editor.conftest import RDEV
from tests.editor.editor import framed

HOUSE = Path(__file__).parents[1]
SAY_MODULES = (
    "import atexit, json, sys; atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))"
)


def imported_by(folder: Path, *words: str) -> set[str]:
    """All modules of an `rdev-bridge` that ran to its end."""
    code = f"{SAY_MODULES}; from rdev_bridge.cli.main import main; sys.argv[1:] = {list(words)!r}; sys.exit(main())"
    environ = {**os.environ, "PYTHONPATH": str(HOUSE), "XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, check=True, timeout=60
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def found(modules: set[str], *rooms: str) -> list[str]:
    return sorted(name for name in modules if any(name == room or name.startswith(f"{room}.") for room in rooms))


def test_run_loads_no_editor_no_server_and_nothing_of_a_task_s(tmp_path: Path) -> None:
    modules = imported_by(tmp_path, "run", "--", "true")
    assert "rdev_bridge.runs.runner" in modules
    not_needed = ["rdev_bridge.editor", "rdev_bridge.server", "rdev_bridge.watch", "rdev_bridge.problems"]
    not_needed += ["rdev_bridge.sync", "lsprotocol", "pygls", "starlette", "uvicorn", "watchfiles", "re2"]
    assert found(modules, *not_needed, "keyring", "click", "rich", "pygments") == []


def test_help_loads_next_to_nothing(tmp_path: Path) -> None:
    assert found(imported_by(tmp_path, "--version"), "asyncio", "httpx", "msgspec", "rdev_bridge.settings") == []


def test_the_daemon_answers_initialize_before_it_loads_what_a_run_needs(tmp_path: Path) -> None:
    """A daemon that hears `initialize` and then nothing more; what it had loaded when it answered is in its answer."""
    code = (
        "import sys, os, json\n"
        "from rdev_bridge.editor.channel import Writer\n"
        "send = Writer.send\n"
        "def noting(self, body):\n"
        "    if b'serverInfo' in body:\n"
        "        os.write(2, json.dumps(sorted(sys.modules)).encode() + b'\\n')\n"
        "    send(self, body)\n"
        "Writer.send = noting\n"
        "from rdev_bridge.cli.main import main\n"
        "sys.exit(main(['lsp']))\n"
    )
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": None, "capabilities": RDEV}}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=framed(hello),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
        capture_output=True,
        timeout=60,
    )
    assert b"serverInfo" in done.stdout
    modules = set(json.loads(next(line for line in done.stderr.splitlines() if line.startswith(b"["))))
    late = ["httpx", "httpcore", "anyio", "rdev_bridge.app", "rdev_bridge.runs.runner", "rdev_bridge.remote"]
    assert found(modules, *late, "lsprotocol", "pygls", "watchfiles", "re2", "keyring") == []
