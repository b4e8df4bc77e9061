"""The five clients that the rdev guide prints, in their five real stacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server.served import Served, parse, serving

CLIENTS = Path(__file__).parent / "clients"
TOOLS = Path(__file__).parents[2] / ".tools"
NODE_MODULES = Path(__file__).parents[1] / "tools" / "node_modules"
COMMAND = r"""
echo first; echo; printf 'tab\there \033[1mbold\033[0m "quoted" back\\slash\r\n'; echo error line >&2
printf '\302\205\342\200\250\342\200\251\013\014\n\001\377\n'
head -c 1048576 /dev/zero; echo; yes '"' | head -c 300000 | tr -d '\n'; echo
seq 1 3000; printf unended; exit 3
"""


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"this test needs {name}; tests/run installs it"
    return found


def run(*argv: str | Path, **environ: str) -> dict[str, Any]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, env={**os.environ, **environ}, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def node_package(name: str) -> None:
    assert (NODE_MODULES / name).is_dir(), "run `npm ci --prefix tests/tools --ignore-scripts` (tests/run does it)"


@pytest.fixture(scope="session")
def go_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("go") / "client"
    environ = {"GOCACHE": str(TOOLS / "go-cache"), "GO111MODULE": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    argv = [program("go"), "build", "-o", str(binary), str(CLIENTS / "client.go")]
    subprocess.run(argv, check=True, timeout=110, env={**os.environ, **environ})
    return binary


def check(found: dict[str, Any], server: Served) -> None:
    expected = [[e.data["stream"], e.data["line"]] for e in server.run(COMMAND) if e.name == "output"]
    for stream in ("stdout", "stderr"):
        assert [s for s in found["seen"] if s[0] == stream] == [e for e in expected if e[0] == stream]
    assert len(found["seen"]) == len(expected) > 3100
    assert found["result"]["exit_code"] == 3
    assert found["result"]["duration_ms"] >= 0


def test_requests_and_sseclient(shared: Served) -> None:
    check(run(sys.executable, CLIENTS / "with_requests.py", shared.url, "p", shared.key, COMMAND), shared)


def test_aiohttp(shared: Served) -> None:
    check(run(sys.executable, CLIENTS / "with_aiohttp.py", shared.url, "p", shared.key, COMMAND), shared)


def test_node_eventsource(shared: Served) -> None:
    node_package("eventsource")
    check(run(program("node"), CLIENTS / "with_eventsource.cjs", shared.url, "p", shared.key, COMMAND), shared)


def test_go_scanner(shared: Served, go_client: Path) -> None:
    check(run(go_client, shared.url, "p", shared.key, COMMAND), shared)


def test_go_s_quoting_is_not_always_json(shared: Served, go_client: Path) -> None:
    found = run(go_client, shared.url, "p", shared.key, "echo \a")
    assert found["refused"].startswith("400 ")
    assert "line 1, column 19" in found["refused"]


def test_chromium(root: Path, state: Path) -> None:
    """The page of the same origin reads its streams without a key; strangers start nothing and read nothing."""
    node_package("playwright-core")
    with serving(root, state) as server:
        told = {"url": server.url, "key": server.key, "executable": program("chromium")}
        found = run(program("node"), CLIENTS / "browser.cjs", json.dumps(told))
        lines = [["stdout", f"line {number}"] for number in range(100)]
        for way in ("proxied", "own", "cut"):
            page = found[way]
            assert [s for s in page["seen"] if s[0] == "stdout"] == lines, way
            assert [s for s in page["seen"] if s[0] == "stderr"] == [["stderr", "err"]]
            assert page["result"]["exit_code"] == 3
            assert page["connected"] == (2 if way == "cut" else 1)
            assert page["cookies"] == "", "no script can read the ticket"
        assert found["ended"] == {"lines": 1}, "204 stops an EventSource"
        assert found["attack"] == {
            "posted": "TypeError",
            "simple": "opaque 0",
            "fetched": "TypeError",
            "streamed": "error 2",
            "script": "error",
        }
        assert found["rebound"] == [403, 403]
        assert not (root / "attacked").exists()
        assert parse(server.read(server.start("true")))[-1].name == "complete", "and it still serves"
