"""A push through HTTP: to our own server with another folder, and to one that knows the two calls of the API alone."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.model import RemoteServer, Secret, SyncPush, Target, Task
from rdev_bridge.remote.connect import open_server
from rdev_bridge.sync import Barrier
from tests.support.foreign_server import ForeignServer
from tests.support.localshell import kill
from tests.sync.conftest import tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def served(kind: str, root: Path, key: str) -> AsyncIterator[tuple[str, str]]:
    """A server whose files are in `root`: its url and project."""
    if kind == "foreign":
        async with ForeignServer(key=key, cwd=str(root)) as server:
            yield server.url, server.project
        return
    process = await _serve(root, key)
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        yield said["url"], said["project"]
    finally:
        process.terminate()
        await process.wait()
        kill(process.pid)


async def _serve(root: Path, key: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "rdev_bridge",
        "serve",
        str(root),
        "--port",
        "0",
        cwd=HERE,
        env=os.environ | {"RDEV_API_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize("kind", ["embedded", "foreign"])
@pytest.mark.parametrize("same_machine", [True, False], ids=["here", "elsewhere"])
async def test_push_to_a_server_with_another_folder(
    tmp_path: Path, kind: str, same_machine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here / "src", there):
        folder.mkdir(parents=True)
    for number in range(40):
        (here / "src" / f"f{number}").write_bytes(os.urandom(5000))
    (here / "grüße\n'x'").write_text("odd")
    key = f"rdev_{secrets.token_hex(24)}"
    async with (
        served(kind, there, key) as (url, project),
        open_server(Target(RemoteServer("w", url), project), key=Secret(key)) as connector,
    ):
        if not same_machine:
            ask = connector.ask

            async def elsewhere(script: str, *, timeout_s: float, cancellable: bool) -> object:
                script = script.replace("\nproof='", "\nproof='/elsewhere")
                return await ask(script, timeout_s=timeout_s, cancellable=cancellable)

            monkeypatch.setattr(connector, "ask", elsewhere)
        barrier = Barrier()
        task = Task(name="test", folder=here, command="true", sync=SyncPush())
        target = Target(RemoteServer("w", url), project, str(there))
        assert (await barrier(task, target, connector, here, consent=True)).files == 41
        assert tree(there) == tree(here)
        (here / "src" / "f1").unlink()
        (here / "src" / "f2").write_text("saved")
        result = await barrier(task, target, connector, here, consent=True)
        assert (result.files, result.deleted) == (1, 1)
        assert tree(there) == tree(here)


@pytest.mark.parametrize("kind", ["embedded", "foreign"])
async def test_a_server_that_works_in_the_very_folder_gets_nothing(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path)
    key = f"rdev_{secrets.token_hex(24)}"
    async with (
        served(kind, tmp_path, key) as (url, project),
        open_server(Target(RemoteServer("w", url), project), key=Secret(key)) as connector,
    ):
        task = Task(name="test", folder=tmp_path, command="true", sync=SyncPush())
        target = Target(RemoteServer("w", url), project, f"{tmp_path}-link")
        result = await Barrier()(task, target, connector, tmp_path, consent=True)
    assert (result.files, result.state is not None) == (0, True)
    assert set(tree(tmp_path)) == {"a"}
    assert not (tmp_path / ".rdev-push").exists()
