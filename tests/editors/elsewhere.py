"""A small real project whose files the server keeps elsewhere: a test that fails, a type error, a C warning.

The workspace is `local`, the server's `remote`; its C sources have a third path there, which a `[[paths]]` pair maps.
Its Python is in a folder with a blank, a percent sign and, where the editor can bear it, letters that are not ASCII.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "größe 100%"
ASCII_PACKAGE = "size 100%"
PRICES = "def total(price: int, count: int) -> int:\n    return price + count\n"
TEST = (
    "from app.prices import total\n\n\ndef test_nothing() -> None:\n    assert total(0, 0) == 0\n\n\n"
    "def test_total() -> None:\n    assert total(3, 4) == 12\n"
)
LABELS = 'count: int = "many"\n'
COUNT = 'int count(void)\n{\n\tconst char *face = "🦀é"; int unused = 3;\n\treturn face[0];\n}\n'


@dataclass(frozen=True)
class Expected:
    """One diagnostic as an editor should show it; `line` counts from 1, `word` is what begins at its place."""

    path: str
    line: int
    word: str
    message: str
    task: str
    severity: str


@dataclass(frozen=True)
class Elsewhere:
    local: Path
    package: str

    @property
    def mended(self) -> Path:
        """The file whose mistake the failing test finds."""
        return self.local / self.package / "app/prices.py"

    @property
    def expected(self) -> list[Expected]:
        """What must be shown."""
        wrong = "Incompatible types in assignment"
        return [
            Expected(f"{self.package}/app/labels.py", 1, '"many"', wrong, "types", "error"),
            Expected(f"{self.package}/test_prices.py", 9, "assert", "test_total: assert 7 == 12", "test", "error"),
            Expected("native/count.c", 3, "unused", "unused variable", "build", "warning"),
        ]

    def text(self, path: str) -> str:
        return (self.local / path).read_text("utf-8")


@pytest.fixture
def elsewhere(tmp_path: Path, own_home: Path, request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    """The project, trusted by its user, a server for `remote`, and the user's own configuration that names it."""
    package = getattr(request, "param", PACKAGE)
    local, remote, vendor = tmp_path / "my project", tmp_path / "on the server", tmp_path / "opt"
    for path, text in {
        f"{package}/app/__init__.py": "",
        f"{package}/app/prices.py": PRICES,
        f"{package}/app/labels.py": LABELS,
        f"{package}/test_prices.py": TEST,
        "native/count.c": COUNT,
    }.items():
        (local / path).parent.mkdir(parents=True, exist_ok=True)
        (local / path).write_text(text, "utf-8")
    remote.mkdir()
    vendor.mkdir()
    (vendor / "native").symlink_to(remote / "native")
    (local / "rdev.toml").write_text(_settings(package, remote, vendor), "utf-8")
    subprocess.run(["git", "init", "-q", local], check=True)
    config = own_home / ".config/rdev-bridge/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "rdev_bridge", "serve", remote, "--project", "shop", "--port", "0"]
    server = subprocess.Popen(
        [*argv, "--state-dir", tmp_path / "state"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "RDEV_API_KEY": "a-key"},
    )
    with server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        config.write_text(
            f'default_server = "work"\n[servers.work]\nurl = "{url}"\napi_key_command = ["echo", "a-key"]\n'
        )
        trust = [sys.executable, "-m", "rdev_bridge", "trust", "--yes", local]
        subprocess.run(trust, check=True, capture_output=True)
        try:
            yield Elsewhere(local, package)
        finally:
            server.terminate()


def _settings(package: str, remote: Path, vendor: Path) -> str:
    python = shlex.quote(sys.executable)
    return f"""\
project = "shop"
remote_root = {json.dumps(str(remote))}

[[paths]]
local = "native"
remote = {json.dumps(str(vendor / "native"))}

[tasks.test]
command = {json.dumps(f"{python} -m pytest -q -p no:cacheprovider")}
cwd = {json.dumps(package)}
watch = ["**/*.py"]
problem_matcher = "pytest"
sync = "push"

[tasks.types]
command = {json.dumps(f"{python} -m mypy --show-absolute-path --show-column-numbers app")}
cwd = {json.dumps(package)}
watch = ["**/*.py"]
problem_matcher = "mypy"
sync = "push"

[tasks.build]
command = "gcc -Wall -c {vendor}/native/count.c -o /dev/null"
watch = ["**/*.c"]
problem_matcher = "$gcc"
sync = "push"
"""
