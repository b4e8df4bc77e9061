"""Which local file a printed name means, and that none is ever outside of the workspace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.core.paths import PathMap
from rdev_bridge.problems import locate
from rdev_bridge.problems.locate import Locator, read_lines
from rdev_bridge.problems.problem import FileLocation, FileLocationKind

if TYPE_CHECKING:
    from pathlib import Path

AUTO = FileLocation()
ABSOLUTE = FileLocation(FileLocationKind.ABSOLUTE)
IN_SUB = FileLocation(FileLocationKind.RELATIVE, "${workspaceFolder}/sub")
IN_CWD = FileLocation(FileLocationKind.RELATIVE, "${cwd}/deep")
ON_SERVER = FileLocation(FileLocationKind.RELATIVE, "/opt/vendor")
SEARCH = FileLocation(FileLocationKind.SEARCH)
SEARCH_SUB = FileLocation(FileLocationKind.SEARCH, include=("${workspaceFolder}/sub",))
SEARCH_BUT = FileLocation(FileLocationKind.SEARCH, exclude=("${workspaceFolder}/sub",))
AUTO_SEARCH = FileLocation(include=("${workspaceFolder}",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    above = tmp_path_factory.mktemp("above")
    made = above / "my app"
    for name in (
        "a.c",
        "only.c",
        "sub/a.c",
        "sub/deep/b.c",
        "sub/deep/twice.c",
        "other/twice.c",
        "ven/v.h",
        "100%/ä b.c",
        "node_modules/x/lost.c",
    ):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("x\n")
    (above / "secret.c").write_text("x\n")
    (made / "leads out.c").symlink_to(above / "secret.c")
    (made / "folder out").symlink_to(above)
    (made / "leads in.c").symlink_to(made / "a.c")
    (made / "loop.c").symlink_to(made / "loop.c")
    os.mkfifo(made / "pipe.c")
    return made


@pytest.mark.parametrize(
    ("printed", "location", "found"),
    [
        ("a.c", AUTO, "sub/a.c"),  # from the run's folder first
        ("only.c", AUTO, "only.c"),  # then from the workspace's
        ("./deep/../a.c", AUTO, "sub/a.c"),
        ("/srv/app/a.c", AUTO, "a.c"),
        ("/srv/app/100%/ä b.c", AUTO, "100%/ä b.c"),
        ("/opt/vendor/v.h", AUTO, "ven/v.h"),
        ("file:///srv/app/100%25/%C3%A4%20b.c", AUTO, "100%/ä b.c"),
        ("/srv/app/leads in.c", AUTO, "leads in.c"),
        ("/srv/app/leads out.c", AUTO, None),
        ("/srv/app/folder out/secret.c", AUTO, None),
        ("../../secret.c", AUTO, None),
        ("/srv/app/loop.c", AUTO, None),
        ("/srv/app/pipe.c", AUTO, None),
        ("/srv/app/sub", AUTO, None),
        ("/srv/app/gone.c", AUTO, None),
        ("/srv/app/" + "x" * 300, AUTO, None),
        ("a.c", ABSOLUTE, None),
        ("srv/app/a.c", ABSOLUTE, "a.c"),
        ("/srv/app/a.c", ABSOLUTE, "a.c"),
        ("a.c", IN_SUB, "sub/a.c"),
        ("only.c", IN_SUB, None),
        ("b.c", IN_CWD, "sub/deep/b.c"),
        ("v.h", ON_SERVER, "ven/v.h"),
        ("b.c", SEARCH, "sub/deep/b.c"),
        ("deep/b.c", SEARCH, "sub/deep/b.c"),
        ("elsewhere/b.c", SEARCH, None),
        ("twice.c", SEARCH, "other/twice.c"),
        ("twice.c", SEARCH_SUB, "sub/deep/twice.c"),
        ("b.c", SEARCH_BUT, None),
        ("lost.c", SEARCH, None),
        ("b.c", AUTO_SEARCH, "sub/deep/b.c"),
        ("twice.c", AUTO_SEARCH, None),  # two of that name: rather none than the wrong one
        ("leads out.c", SEARCH, None),
    ],
)
def test_the_file_that_is_meant(folder: Path, printed: str, location: FileLocation, found: str | None) -> None:
    locator = Locator(PathMap.of(folder, "/srv/app", [("/opt/vendor", "ven")]), "sub")
    assert not locator.known(printed, location)
    for _ in range(2):
        assert locator.locate(printed, location) == (None if found is None else folder / found)
        assert locator.known(printed, location)


def test_a_workspace_that_is_a_link_keeps_its_own_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    locator = Locator(PathMap(tmp_path / "link", "/srv/app"), None)
    assert locator.locate("/srv/app/a.c", AUTO) == tmp_path / "link" / "a.c"


def test_windows_names(folder: Path) -> None:
    locator = Locator(PathMap(folder, "C:\\work\\app"), "sub")
    assert locator.locate("c:\\Work\\APP\\sub\\deep\\b.c", AUTO) == folder / "sub/deep/b.c"
    assert locator.locate("deep\\b.c", AUTO) == folder / "sub/deep/b.c"
    assert locator.locate("D:\\work\\app\\a.c", AUTO) is None


def test_a_search_and_the_memory_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "MAX_SEARCHED", 2)
    monkeypatch.setattr(locate, "_CACHED", 5)
    locator = Locator(PathMap(folder, "/srv/app"), None)
    assert locator.locate("b.c", SEARCH) is None
    for number in range(20):
        locator.locate(f"{number}.c", AUTO)
    assert sum(locator.known(f"{number}.c", AUTO) for number in range(20)) <= 5


_PART = st.sampled_from(
    ["..", ".", "", "sub", "a.c", "folder out", "secret.c", "leads out.c", "/", "srv", "app", "my app"]
)


@given(
    st.lists(_PART, min_size=1, max_size=8).map("/".join), st.sampled_from([AUTO, ABSOLUTE, SEARCH, ON_SERVER, IN_SUB])
)
def test_nothing_outside_is_ever_found(folder: Path, printed: str, location: FileLocation) -> None:
    for remote_root in (None, "/srv/app", "/"):
        found = Locator(PathMap.of(folder, remote_root, [("/opt/vendor", ".")]), "sub").locate(printed, location)
        assert found is None or found.resolve().is_relative_to(folder.resolve())


def test_lines_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\nfo\x0cur\xe2\x80\xa8\xff\n")
    assert read_lines(path, {0, 1, 2, 3, 4, 5, 6}) == {
        1: "one",
        2: "two",
        3: "three",
        4: "fo\x0cur\u2028\ufffd",
        5: "",
    }
    assert read_lines(tmp_path / "gone", {1}) == {}
