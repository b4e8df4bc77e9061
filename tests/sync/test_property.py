"""Whatever is done to a workspace, the server's tree ends as the workspace is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdev_bridge.sync import Barrier
from tests.support.localshell import SHELLS, LocalShell
from tests.sync.conftest import Pushed

NAMES = st.sampled_from(["a", "b", "c", "-d", "e f", "g'h", "i\nj", "k\\l", "ö", "x\udcff"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(st.binary(max_size=20), st.integers(0, 60_000).map(lambda size: b"z" * size))
EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, CONTENTS),
    st.tuples(st.just("run"), PATHS, CONTENTS),
    st.tuples(st.just("mode"), PATHS, st.booleans()),
    st.tuples(st.just("folder"), PATHS, st.none()),
    st.tuples(st.just("link"), PATHS, NAMES),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("move"), PATHS, PATHS),
    st.tuples(st.just("push"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("wipe"), st.none(), st.none()),
)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def room_for(root: Path, path: Path) -> None:
    """Make the folders above `path`, whatever stands in their place."""
    above = root
    for name in path.relative_to(root).parts[:-1]:
        above /= name
        if not above.is_dir() or above.is_symlink():
            remove(above)
            above.mkdir()


async def edit(pushed: Pushed, kind: str, name: str | None, detail: object) -> None:
    if kind == "push":
        await pushed.push()
        pushed.alike()
    elif kind == "restart":
        pushed.barrier = Barrier()
    elif kind == "wipe":  # the server's folder came back empty
        shutil.rmtree(pushed.there)
        pushed.there.mkdir()
    if name is None:
        return
    path = pushed.here / name
    match kind:
        case "write" | "run":
            room_for(pushed.here, path)
            remove(path)
            assert isinstance(detail, bytes)
            path.write_bytes(detail)
            path.chmod(0o755 if kind == "run" else 0o644)
        case "mode" if path.is_file() and not path.is_symlink():
            path.chmod(0o755 if detail else 0o644)
        case "folder":
            room_for(pushed.here, path)
            remove(path)
            path.mkdir()
        case "link":
            room_for(pushed.here, path)
            remove(path)
            path.symlink_to(str(detail))
        case "remove":
            if path.parent.is_dir() and path.parent.resolve() == path.parent:
                remove(path)
        case "move":
            other = pushed.here / str(detail)
            inside = str(other).startswith(f"{path}/") or str(path).startswith(f"{other}/") or path == other
            if not inside and path.exists() and not path.is_symlink() and path.resolve() == path:
                room_for(pushed.here, other)
                if path.exists():
                    remove(other)
                    path.rename(other)


async def play(pushed: Pushed, script: list[tuple[str, str | None, object]]) -> None:
    for step in script:
        await edit(pushed, *step)
    await edit(pushed, "push", None, None)


def check(script: list[tuple[str, str | None, object]], shell: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch).resolve()
        pushed = Pushed(base / "here", base / "there", LocalShell(base, shell))
        pushed.here.mkdir()
        pushed.there.mkdir()
        asyncio.run(play(pushed, script))


QUICK = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
LONG = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(st.lists(EDITS, max_size=25))
def test_the_trees_are_equal_after_every_push(script: list[tuple[str, str | None, object]]) -> None:
    check(script, SHELLS["dash"])


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shell", SHELLS)
@LONG
@given(script=st.lists(EDITS, max_size=40))
def test_the_trees_are_equal_in_every_shell(shell: str, script: list[tuple[str, str | None, object]]) -> None:
    check(script, SHELLS[shell])
