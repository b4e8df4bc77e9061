"""The process that walks beside a push: it finds what a walk of our own would, and never outlives the bridge."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rdev_bridge.sync import Barrier, survey, walker
from rdev_bridge.sync.memory import save_scan
from rdev_bridge.sync.scan import Scan, scan
from rdev_bridge.sync.walker import Walker, fingerprint
from tests.remote.test_embedded import is_alive
from tests.support.localshell import SHELLS, LocalShell
from tests.support.wait import eventually
from tests.sync.conftest import Pushed
from tests.sync.test_property import EDITS, edit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def small_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walker, "_WORTH_FILES", 0)


@pytest.fixture
async def walking(tmp_path: Path) -> AsyncIterator[tuple[Walker, Path, Scan]]:
    """A walker that knows a folder, the folder, and what is in there."""
    folder = tmp_path / "w\udcff"
    (folder / "sub").mkdir(parents=True)
    (folder / ".gitignore").write_text("*.o\n")
    for name in ("a", "sub/b\udcfe", "sub/x.o"):
        (folder / name).write_text("x")
    found, one = scan(folder), Walker()
    await ready(one, folder, found, tmp_path / "kept")
    yield one, folder, found
    await one.aclose()


async def ready(one: Walker, folder: Path, found: Scan, file: Path) -> None:
    save_scan(file, found)
    one.forget(folder)
    one.get_ready(folder, found, file)
    assert one._getting_ready is not None
    await one._getting_ready


async def test_it_finds_what_our_own_walk_finds(walking: tuple[Walker, Path, Scan]) -> None:
    one, folder, found = walking
    assert await one.walk(folder) == fingerprint(found)
    for step in (
        lambda: (folder / "a").write_text("y"),
        lambda: (folder / "sub/new").write_text("y"),
        lambda: (folder / "sub/new").unlink(),
        lambda: (folder / "a").chmod(0o755),
        lambda: (folder / "out").symlink_to("/etc/passwd"),
        lambda: (folder / ".gitignore").write_text("*.o\nnew/\n"),
        lambda: (folder / "sub/link").symlink_to("../a"),
    ):
        step()
        assert await one.walk(folder) != fingerprint(found), "what changed was not seen"
        found = scan(folder, found)
        assert await one.walk(folder) == fingerprint(found)


async def test_a_new_ignored_file_is_no_difference(walking: tuple[Walker, Path, Scan]) -> None:
    one, folder, found = walking
    (folder / "sub/y.o").write_text("y")
    assert await one.walk(folder) == fingerprint(found)


async def test_it_answers_nothing_where_it_cannot_tell(walking: tuple[Walker, Path, Scan], tmp_path: Path) -> None:
    one, folder, found = walking
    assert await one.walk(tmp_path) == "", "a folder that it was not told of"
    folder.rename(tmp_path / "elsewhere")
    assert await one.walk(folder) != fingerprint(found)
    (tmp_path / "elsewhere").rename(folder)
    assert await one.walk(folder) == fingerprint(found)


async def test_once_it_died_nobody_answers_until_it_is_made_ready_again(
    walking: tuple[Walker, Path, Scan], tmp_path: Path
) -> None:
    one, folder, found = walking
    for _ in range(walker._STARTS):
        os.kill(one._process.pid, signal.SIGKILL)
        assert await one.walk(folder) == ""
        await ready(one, folder, found, tmp_path / "kept")
        assert await one.walk(folder) == fingerprint(found)
    os.kill(one._process.pid, signal.SIGKILL)
    assert await one.walk(folder) == ""
    one.get_ready(folder, found, tmp_path / "kept")
    assert await one.walk(folder) == "", "it is given up after some deaths"


async def test_the_answer_to_a_question_that_was_taken_back_is_no_other_ones(
    walking: tuple[Walker, Path, Scan], tmp_path: Path
) -> None:
    one, folder, found = walking
    one.walk(folder).cancel()
    (folder / "a").write_text("changed after that question")
    assert await one.walk(folder) != fingerprint(found)
    found = scan(folder, found)
    await ready(one, folder, found, tmp_path / "kept")
    assert await one.walk(folder) == fingerprint(found)


async def test_it_can_be_closed_at_any_time(walking: tuple[Walker, Path, Scan], tmp_path: Path) -> None:
    _, folder, found = walking
    for steps in range(60):
        one = Walker()
        one.get_ready(folder, found, tmp_path / "kept")
        for _ in range(steps):
            await asyncio.sleep(0)
        await one.aclose()
        assert one._process is None
        assert await one.walk(folder) == ""


async def test_closing_ends_the_process(walking: tuple[Walker, Path, Scan]) -> None:
    one, *_ = walking
    pid = one._process.pid
    await one.aclose()
    assert not is_alive(pid)


BRIDGE = """
import asyncio, sys
from pathlib import Path
from rdev_bridge.sync import walker
from rdev_bridge.sync.memory import save_scan
from rdev_bridge.sync.scan import scan
walker._WORTH_FILES = 0

async def main():
    one, folder = walker.Walker(), Path(sys.argv[1])
    found, file = scan(folder), folder.with_name("kept")
    save_scan(file, found)
    one.get_ready(folder, found, file)
    await one._getting_ready
    print(one._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_it_ends_with_a_bridge_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    bridge = subprocess.Popen([sys.executable, "-c", BRIDGE, str(tmp_path / "w")], stdout=subprocess.PIPE)
    assert bridge.stdout is not None
    pid = int(bridge.stdout.readline())
    assert is_alive(pid)
    bridge.kill()
    bridge.wait()
    bridge.stdout.close()
    eventually(lambda: not is_alive(pid))


async def test_no_module_of_a_workspace_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "msgspec.py").write_text("open('loaded', 'w')")
    monkeypatch.chdir(tmp_path)
    one, found = Walker(), scan(tmp_path)
    await ready(one, tmp_path, found, tmp_path.with_name("kept"))
    assert await one.walk(tmp_path) == fingerprint(found)
    await one.aclose()
    assert not (tmp_path / "loaded").exists()


async def test_a_push_walks_itself_only_where_the_walker_saw_more(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = []

    def counted(*args: object) -> Scan:
        walks.append(args)
        return scan(*args)

    monkeypatch.setattr(survey, "scan", counted)
    one = pushed.barrier._known.scans.walker
    file = pushed.write("d/f", "1")
    await pushed.push()
    await pushed.push(changed=[])
    await one._getting_ready
    walks.clear()
    pushed.write("d/f", "2")
    await pushed.push(changed=[file])
    pushed.alike()
    assert walks == []
    pushed.write("d/g", "an edit that nobody told")
    pushed.write("d/f", "3")
    await pushed.push(changed=[file])
    pushed.alike()
    assert len(walks) == 1
    await one._getting_ready
    os.kill(one._process.pid, signal.SIGKILL)
    pushed.write("d/g", "another")
    await pushed.push(changed=[])
    pushed.alike()
    assert len(walks) == 2
    await pushed.barrier.aclose()


async def play(pushed: Pushed, script: list[tuple[str, str | None, object]]) -> None:
    pushed.barrier = Barrier()
    one = pushed.barrier._known.scans.walker
    await pushed.push()
    await pushed.push(changed=[])
    for kind, name, detail in script:
        if one._getting_ready is not None:
            await one._getting_ready
        if kind == "push":
            await pushed.push(changed=[])
            pushed.alike()
        elif kind != "restart":
            await edit(pushed, kind, name, detail)
    await pushed.push(changed=[])
    pushed.alike()
    await pushed.barrier.aclose()


_FILE = [("write", "a", b"\0"), ("mode", "a", False)]
_FOLDER = [("write", "a/a", b""), ("mode", "a", False)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(script=st.lists(EDITS, max_size=25))
@example(script=[*_FILE, ("push", None, None), *_FOLDER, ("wipe", None, None)])
@example(script=[*_FOLDER, ("push", None, None), *_FILE, ("wipe", None, None)])
def test_whatever_nobody_tells_is_brought(
    script: list[tuple[str, str | None, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("base").resolve()
    pushed = Pushed(base / "here", base / "there", LocalShell(base, SHELLS["dash"]))
    pushed.here.mkdir()
    pushed.there.mkdir()
    asyncio.run(play(pushed, script))
