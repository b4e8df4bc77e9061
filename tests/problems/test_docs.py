"""`docs/problem-matchers.md` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rdev_bridge.problems import matchers
from rdev_bridge.problems.block import MAX_LINE
from rdev_bridge.problems.builtin import BUILT_INS
from rdev_bridge.problems.definition import MAX_MESSAGE, MatcherError
from rdev_bridge.problems.standing import IN_ALL, PER_FILE
from rdev_bridge.problems.vscode import PROPERTIES
from rdev_bridge.settings import Source, workspace_from

PAGE = (Path(__file__).parents[2] / "docs" / "problem-matchers.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n{title}\n")[2].partition("\n## ")[0]


def test_every_built_in_is_on_the_page() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|$", section("## Built-in matchers"), re.MULTILINE)
    told = [(tuple(re.findall(r"`([^`]+)`", names)), summary) for names, summary in rows]
    assert told == [((name, *one.aliases), one.summary) for name, one in sorted(BUILT_INS.items())]


def test_every_property_is_on_the_page() -> None:
    told = set(re.findall(r"`(\w+)`", section("## VS Code's matchers, as they are").partition("### ")[0]))
    assert set(PROPERTIES) <= told
    assert {"kind", "loop", "base", "owner", "source", "applyTo", "fileLocation", "background", "watching"} <= told


def test_what_cannot_be_expressed_is_on_the_page() -> None:
    rows = re.findall(r"^\| ([^|`]+) \| (`.*?`) \| .* \|$", section("### Regular expressions"), re.MULTILINE)
    assert len(rows) == 4
    for construct, examples in rows:
        for example in re.findall(r"`([^`]+)`", examples):
            with pytest.raises(MatcherError) as error:
                matchers.resolve({"base": "gcc", "pattern": {"regexp": example.replace("\\|", "|")}})
            assert construct.split(" ")[-1].removesuffix("s")[:8] in str(error.value)


def test_the_bounds_are_those_of_the_code() -> None:
    numbers = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", section("## Bounds"))}
    assert {PER_FILE, IN_ALL, MAX_MESSAGE, MAX_LINE} <= numbers


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_right(example: str) -> None:
    workspace = workspace_from(Path("/w"), Source.parse(Path("/w/rdev.toml"), example.encode()))
    assert workspace.tasks
    assert list(matchers.wrong_in(workspace)) == []
