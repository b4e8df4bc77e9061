"""`docs/configuration.md` and the schema say the same, and its examples are what they claim to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rdev_bridge.core.variables import NAMES
from rdev_bridge.settings import Source, schema, workspace_from
from rdev_bridge.settings.user import user_from

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
TABLES = {
    "workspace": schema.WORKSPACE,
    "task": schema.TASK,
    "sync": schema.SYNC,
    "paths": schema.PATHS,
    "user": schema.USER,
    "server": schema.SERVER,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_key_is_on_the_page_with_its_type(name: str) -> None:
    section = PAGE.partition(f"<!-- keys: {name} -->")[2]
    table = section.lstrip().partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", table, re.MULTILINE)
    told = [(key, kind, default == "required") for key, kind, default in rows]
    assert told == [(key, entry.type, entry.required) for key, entry in TABLES[name].items()]


def test_every_variable_is_on_the_page() -> None:
    table = PAGE.partition("### Variables")[2].partition("\n\nIn `command`")[0]
    assert set(re.findall(r"\$\{(\w+)\}", table)) == set(NAMES)


def test_what_is_refused_is_on_the_page() -> None:
    refused = PAGE.partition("**What is not allowed here.**")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", refused)) == schema.ONLY_THE_USERS - {"key", "token"}


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_right(example: str) -> None:
    source = Source.parse(Path("/w/example.toml"), example.replace('"build"', '"test2"').encode())
    if "servers" in source.data:
        assert user_from(source).servers
    else:
        known = Source.parse(source.path, source.content + b'\n[tasks.test2]\ncommand = "x"\n')
        assert workspace_from(Path("/w"), known).tasks
