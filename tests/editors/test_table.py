"""The table in editors/README.md says what the tests show: a tick for each `pytest.mark.shows`, and none without.

`python -m tests.editors.test_table` sets the ticks.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "editors" / "README.md"
TESTED = {
    "VS Code": "vscode",
    "Neovim": "nvim",
    "Neovim, no plugin": "nvim-builtin",
    "Emacs": "emacs",
    "Vim with ALE": "vim-ale",
}


def tables(page: str) -> list[list[list[str]]]:
    """The page's tables, as rows of cells; the line of dashes is left out."""
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        found.append([row for row in rows if not set("".join(row)) <= {"-"}])
    return found


def table_of(editor: str) -> list[list[str]]:
    return next(table for table in tables(PAGE.read_text()) if editor in table[0])


def ticks() -> set[tuple[str, str]]:
    header, *rows = table_of("VS Code")
    return {
        (TESTED[name], row[0].strip("`"))
        for row in rows
        for name, cell in zip(header, row, strict=True)
        if name in TESTED and cell == "✓"
    }


@cache
def shown() -> dict[tuple[str, str], list[str]]:
    """What each test says that it shows: (editor, feature) to the names of its tests."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        for test in ast.walk(ast.parse(path.read_text())):
            if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) or not test.name.startswith("test_"):
                continue
            for mark in test.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.shows":
                    editor, *features = [ast.literal_eval(word) for word in mark.args]
                    for feature in features:
                        found[editor, feature].append(f"{path.name}::{test.name}")
    return found


def test_each_tick_is_shown_by_a_test() -> None:
    unshown = ticks() - shown().keys()
    assert not unshown, f"editors/README.md claims what no test shows: {sorted(unshown)}"


def test_what_a_test_shows_is_ticked() -> None:
    unticked = {pair: tests for pair, tests in shown().items() if pair not in ticks()}
    assert not unticked, f"editors/README.md has no tick (or no such row or column) for {unticked}"


def test_every_cell_says_yes_or_no() -> None:
    header, *rows = table_of("VS Code")
    assert set(header) - {""} == set(TESTED)
    assert {cell for row in rows for cell in row[2:]} <= {"✓", "–"}


def test_editors_that_no_test_drives_have_no_tick() -> None:
    header, *rows = table_of("Helix")
    assert not set(header) & set(TESTED)
    assert {cell for row in rows for cell in row[1:]} <= {"○", "●", "–"}
    features = {row[0] for row in table_of("VS Code")[1:]}
    assert {row[0] for row in rows} <= features


def test_each_editor_has_a_page() -> None:
    named = set(re.findall(r"\]\(([a-z]+)\)", PAGE.read_text()))
    assert named == {folder.name for folder in PAGE.parent.iterdir() if folder.is_dir()}
    assert not [name for name in named if not (PAGE.parent / name / "README.md").is_file()]


def test_what_the_pages_tell_to_copy_can_be_read() -> None:
    readers = {"json": json.loads, "toml": tomllib.loads}
    for page in PAGE.parent.glob("*/README.md"):
        for language, text in re.findall(r"```(json|toml)\n(.*?)```", page.read_text(), re.DOTALL):
            readers[language](text)


def test_an_editor_that_no_test_drives_says_so() -> None:
    header, *rows = table_of("Helix")
    for column, name in enumerate(header[1:], 1):
        page = PAGE.parent / ("vim" if name == "vim-lsp" else name.split()[0].lower()) / "README.md"
        seen = any(row[column] == "●" for row in rows)
        assert ("Tried by hand with" if seen else "not run here") in page.read_text(), page


def ticked(page: str) -> str:
    """The page with the ticks that the tests stand for."""
    pairs, lines = shown(), []
    header: list[str] = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or "VS Code" in cells:
            header = cells if line.startswith("|") else []
        elif header and not set("".join(cells)) <= {"-"}:
            feature = cells[0].strip("`")
            marks = ["✓" if (TESTED[name], feature) in pairs else "–" for name in header[2:]]
            line = f"| {' | '.join([*cells[:2], *marks])} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(ticked(PAGE.read_text()))
