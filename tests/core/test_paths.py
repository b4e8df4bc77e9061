"""The path map, both ways, as tables; and that nothing it gives lies outside the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.core.paths import PathMap, PathPair

HOME = Path("/home/me/app")
SAME = PathMap(HOME)
REMOTE = PathMap(HOME, "/workspace")
PAIRS = PathMap.of(HOME, "/workspace", [("/opt/gen/src", "generated"), ("/opt/gen", "vendor"), ("vendored", "lib/v")])
WINDOWS = PathMap(HOME, "C:\\Code\\App")
SHARE = PathMap(HOME, "\\\\Build\\share\\app")


@pytest.mark.parametrize(
    ("paths", "remote", "cwd", "local"),
    [
        (SAME, "/home/me/app/a.py", None, "a.py"),
        (SAME, "a.py", None, "a.py"),
        (SAME, "/home/me/other/a.py", None, None),
        (SAME, "/home/me/apple/a.py", None, None),
        (REMOTE, "/workspace/a.py", None, "a.py"),
        (REMOTE, "/workspace", None, "."),
        (REMOTE, "/workspaces/a.py", None, None),
        (REMOTE, "/home/me/app/a.py", None, None),
        (REMOTE, "a.py", "backend", "backend/a.py"),
        (REMOTE, "../a.py", "backend", "a.py"),
        (REMOTE, "../a.py", "/workspace/backend", "a.py"),
        (REMOTE, "a.py", "/elsewhere", None),
        (REMOTE, "../workspace/a.py", None, "a.py"),
        (REMOTE, "../a.py", None, None),
        (REMOTE, "x/../../../../etc/passwd", None, None),
        (REMOTE, "/workspace/../etc/passwd", None, None),
        (REMOTE, "/workspace/./b//c/../a.py", None, "b/a.py"),
        (REMOTE, "/../../workspace/a.py", None, "a.py"),
        (REMOTE, "100%/a b/%41.py", None, "100%/a b/%41.py"),
        (REMOTE, "file:///workspace/a%20b%25.py", None, "a b%.py"),
        (REMOTE, "file:///workspace/%2e%2e/etc/passwd", None, None),
        (REMOTE, "/workspace/grün/日本.py", None, "grün/日本.py"),
        (REMOTE, "odd\\name.py", None, "odd\\name.py"),
        (REMOTE, "C:\\workspace\\a.py", None, None),
        (REMOTE, "", None, None),
        (REMOTE, "a\0b", None, None),
        (PAIRS, "/opt/gen/src/a.py", None, "generated/a.py"),
        (PAIRS, "/opt/gen/a.py", None, "vendor/a.py"),
        (PAIRS, "/opt/a.py", None, None),
        (PAIRS, "vendored/a.py", None, "lib/v/a.py"),
        (PAIRS, "a.py", "/opt/gen/src/deep", "generated/deep/a.py"),
        (WINDOWS, "C:\\Code\\App\\src\\a.cs", None, "src/a.cs"),
        (WINDOWS, "c:/code/app/src/A.cs", None, "src/A.cs"),
        (WINDOWS, "src\\a.cs", None, "src/a.cs"),
        (WINDOWS, "src/a.cs", None, "src/a.cs"),
        (WINDOWS, "..\\a.cs", "src", "a.cs"),
        (WINDOWS, "\\Code\\App\\a.cs", None, "a.cs"),
        (WINDOWS, "D:\\Code\\App\\a.cs", None, None),
        (WINDOWS, "file:///C:/Code/App/a%20b.cs", None, "a b.cs"),
        (SHARE, "\\\\BUILD\\share\\APP\\a.cs", None, "a.cs"),
        (SHARE, "\\\\other\\share\\app\\a.cs", None, None),
    ],
)
def test_a_remote_path_names_a_local_file(paths: PathMap, remote: str, cwd: str | None, local: str | None) -> None:
    assert paths.to_local(remote, cwd) == (None if local is None else HOME / local)


@pytest.mark.parametrize(
    ("paths", "local", "remote"),
    [
        (SAME, "a b.py", "/home/me/app/a b.py"),
        (REMOTE, "src/../a.py", "/workspace/a.py"),
        (REMOTE, ".", "/workspace"),
        (REMOTE, "/etc/passwd", None),
        (REMOTE, "../a.py", None),
        (PAIRS, "generated/a.py", "/opt/gen/src/a.py"),
        (PAIRS, "generated2/a.py", "/workspace/generated2/a.py"),
        (PAIRS, "lib/v/a.py", "/workspace/vendored/a.py"),
        (WINDOWS, "src/a.cs", "c:\\Code\\App\\src\\a.cs"),
        (SHARE, "a.cs", "\\\\build\\share\\app\\a.cs"),
    ],
)
def test_a_local_file_has_a_remote_name(paths: PathMap, local: str, remote: str | None) -> None:
    assert paths.to_remote(HOME / local) == remote


def test_a_pair_that_leads_out_of_the_workspace_maps_nothing() -> None:
    paths = PathMap(HOME, "/workspace", (PathPair("/usr/include", "/usr/include"), PathPair("/opt", "../opt")))
    assert paths.to_local("/usr/include/stdio.h") is None
    assert paths.to_local("/opt/a.py") is None


def test_the_working_directory_of_a_task() -> None:
    assert REMOTE.remote_cwd() == "/workspace"
    assert REMOTE.remote_cwd("backend/") == "/workspace/backend"
    assert REMOTE.remote_cwd("/srv") == "/srv"
    assert WINDOWS.remote_cwd("src") == "c:\\Code\\App\\src"


@given(st.text(), st.none() | st.text(), st.sampled_from([SAME, REMOTE, PAIRS, WINDOWS, SHARE]))
def test_nothing_ever_leaves_the_workspace(path: str, cwd: str | None, paths: PathMap) -> None:
    local = paths.to_local(path, cwd)
    assert local is None or (local.is_relative_to(HOME) and ".." not in local.parts)


_NAME = st.text(min_size=1).filter(lambda name: not set("/\\\0\n") & set(name) and name not in (".", ".."))


@given(st.lists(_NAME, min_size=1), st.sampled_from([SAME, REMOTE, PAIRS, WINDOWS, SHARE]))
def test_there_and_back(parts: list[str], paths: PathMap) -> None:
    local = HOME.joinpath(*parts)
    remote = paths.to_remote(local)
    assert remote is not None
    assert paths.to_local(remote) == local
