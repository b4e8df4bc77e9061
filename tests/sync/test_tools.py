"""A push finds out which tools the server has, and does with few."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.sync import SyncError
from rdev_bridge.sync.tools import DECODERS, HASHES, encoded, found, script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sync.conftest import Pushed

ALWAYS = ["mv", "mkdir", "rm", "rmdir", "cat", "chmod", "ln", "wc", "find", "sleep"]


def only(folder: Path, *names: str) -> str:
    """A PATH with nothing but these tools."""
    folder.mkdir()
    for name in {*ALWAYS, *names}:
        real = shutil.which(name) or (shutil.which("busybox") if name == "uudecode" else None)
        assert real is not None, f"install {name}"
        (folder / name).symlink_to(real)
    return str(folder)


@pytest.mark.parametrize(
    "names",
    [
        ["sha256sum", "base64", "tar", "gzip", "readlink"],
        ["shasum", "perl", "env", "tar", "readlink"],
        ["openssl", "gzip"],
        ["sha256sum", "uudecode"],
        ["sha256sum"],
        ["sha256sum", "tar", "gzip", "printf"],
    ],
    ids=lambda names: "+".join(names),
)
async def test_push_with_few_tools(pushed_by: Pushed, tmp_path: Path, names: list[str]) -> None:
    pushed = pushed_by
    command = shutil.which(pushed.shell.shell[0])
    assert command is not None
    if "mksh" in command:
        names = [*names, "printf"]  # not part of that shell
    pushed.shell.shell = [command, *pushed.shell.shell[1:]]
    pushed.shell.path = only(tmp_path / "tools", *names)
    pushed.write("a/all bytes", bytes(range(256)) * 30)
    pushed.write("run", "#!/bin/sh", executable=True)
    pushed.write("a/b/large", os.urandom(150_000))
    pushed.write("a/empty", "")
    (pushed.here / "nothing").mkdir()
    if "readlink" in names:
        (pushed.here / "link").symlink_to("run")
    await pushed.push()
    pushed.alike()
    pushed.write("a/b/large", os.urandom(150_000))
    pushed.write("run", "plain")
    await pushed.push()
    pushed.alike()


async def test_links_without_readlink_are_told(pushed: Pushed, tmp_path: Path) -> None:
    pushed.shell.shell = [shutil.which("dash") or "dash"]
    pushed.shell.path = only(tmp_path / "tools", "sha256sum", "base64", "tar", "gzip")
    pushed.write("run", "x")
    (pushed.here / "link").symlink_to("run")
    result = await pushed.push()
    assert (pushed.there / "run").read_text() == "x"
    assert result.refused == ("link: the server has no readlink",)


async def test_a_server_without_any_hash_tool_is_told(pushed: Pushed, tmp_path: Path) -> None:
    pushed.shell.shell = [shutil.which("dash") or "dash"]
    pushed.shell.path = only(tmp_path / "tools", "base64", "tar", "gzip")
    pushed.write("a", "x")
    with pytest.raises(SyncError, match="sha256sum, shasum, openssl"):
        await pushed.push()


async def test_tools_that_changed_are_found_again(pushed: Pushed, tmp_path: Path) -> None:
    pushed.write("a", "x")
    await pushed.push()
    pushed.shell.shell = [shutil.which("dash") or "dash"]
    pushed.shell.path = only(tmp_path / "tools", "openssl")
    pushed.write("a", "another image")
    await pushed.push()
    pushed.alike()


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_what_is_encoded_is_shell_safe_ascii(name: str) -> None:
    data = encoded(name, bytes(range(256)))
    assert data.isascii()
    assert b"'" not in data


def test_names_in_the_answer_choose_the_tools() -> None:
    assert found({"hash": "shasum", "decode": "perl", "tar": "none"}).tar is False
    with pytest.raises(SyncError, match="decoder"):
        found({"hash": next(iter(HASHES)), "decode": "none"})


def test_scripts_are_clean_for_shellcheck(tmp_path: Path) -> None:
    assert shutil.which("shellcheck"), "install shellcheck"
    names = ["prelude", "look", "report", "part", "arrived", "have", "open", "apply"]
    for name in names:
        (tmp_path / f"{name}.sh").write_bytes(script(name))
    # SC2148: they are texts for `sh -c`, without a first line. SC2034, SC2154: what they share, the bridge joins.
    arguments = ["shellcheck", "--shell=sh", "--exclude=SC2148,SC2034,SC2154", *(f"{name}.sh" for name in names)]
    checked = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
