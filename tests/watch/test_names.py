from __future__ import annotations

import pytest

from rdev_bridge.watch.names import ANY_FILE, is_temporary, saving


@pytest.mark.parametrize(
    ("name", "edited"),
    [
        (".main.py.swp", "main.py"),
        (".main.py.swo", "main.py"),
        (".main.py.swx", "main.py"),
        ("4913", ANY_FILE),
        ("5036", ANY_FILE),
        (".#main.py", "main.py"),
        ("main.py___jb_tmp___", "main.py"),
        ("main.py___jb_old___", "main.py"),
        (".main.py.kate-swp", "main.py"),
        ("main.py.vsctmp", "main.py"),
        ("main.py~", None),
        ("#main.py#", None),
        (".main.py.un~", None),
        (".goutputstream-AB12CD", None),
        ("sedAbC123", None),
        ("flycheck_main.py", None),
        (".#flycheck_main.py", "flycheck_main.py"),
        ("main_flymake.py", None),
        (".DS_Store", None),
        (".nfs000000000123abcd00000001", None),
    ],
)
def test_what_editors_leave_about_is_no_change(name: str, edited: str | None) -> None:
    assert is_temporary(name)
    assert saving(name) == edited


@pytest.mark.parametrize(
    "name",
    ["main.py", "4914", "4912", "1", "a.swift", ".swp.py", "sed.c", "sedition", ".env", ".gitignore", "#1.md", "a~b",
     "Makefile", "page.svelte", ".swcrc", "bck", "main.swp.py", "icon.svg", "__init__.py", "496"],
)  # fmt: skip
def test_ordinary_names_are_changes(name: str) -> None:
    assert not is_temporary(name)
