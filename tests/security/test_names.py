"""Names of files that would like to be commands, from the file system through `watch` to a real shell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.support.wait import eventually

if TYPE_CHECKING:
    from tests.cli.bridge import Bridge

NAMES = [
    "$(touch p1).py",
    "`touch p2`.py",
    "'; touch p3; '.py",
    "a\ntouch p4\n.py",
    "-rf",
    '"; touch p5; "',
    "*",
    "~",
    "é .py",
]
RDEV_TOML = r"""
[tasks.lint]
command = '''printf '%s\0' ${changedFiles} >>.seen'''
watch = ["src/**"]
"""


def test_changed_files_of_any_name_are_arguments(bridge: Bridge) -> None:
    source = bridge.folder / "src"
    source.mkdir()
    (bridge.folder / ".gitignore").write_text(".seen\n")
    (bridge.folder / "rdev.toml").write_text(RDEV_TOML)
    process = bridge.start("watch", "lint")
    with process:
        assert process.stderr is not None
        try:
            said = b""
            while b"waits for changes" not in said:
                said += process.stderr.readline()
            for name in NAMES:
                (source / name).write_text("x")
            wanted = {os.fsencode(source / name) for name in NAMES}

            def seen() -> set[bytes]:
                return set((bridge.folder / ".seen").read_bytes().split(b"\0"))

            eventually(lambda: wanted <= seen(), what="every name, whole")
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert seen() <= wanted | {b""}
    assert not list(bridge.folder.rglob("p[0-9]"))


def test_the_file_of_a_run_is_one_argument(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(
        """[tasks.show]\ncommand = '''printf '<%s>' "${relativeFile}" ${file}'''\n"""
    )
    for name in NAMES:
        (bridge.folder / name).write_text("x")
        done = bridge.call("run", "--file", name, "show") if name != "-rf" else bridge.call("run", "--file=-rf", "show")
        relative = f"./{name}" if name.startswith("-") else name
        assert done.stdout.decode() == f"<{relative}><{bridge.folder / name}>", done.stderr
    assert not list(bridge.folder.glob("p[0-9]"))
