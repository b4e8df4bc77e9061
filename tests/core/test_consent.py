"""What naming a task says yes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from rdev_bridge.core.consent import meaning
from rdev_bridge.model import Location, SyncCommand, Task

FOLDER = Path("/w")
TASKS = {
    "a": Task(name="a", folder=FOLDER, command="one", depends_on=("b",)),
    "b": Task(name="b", folder=FOLDER, command="two", depends_on=("a", "gone")),
    "c": Task(name="c", folder=FOLDER, command="three"),
}


@pytest.mark.parametrize(
    ("name", "change", "same"),
    [
        ("a", {"command": "other"}, False),
        ("b", {"command": "other"}, False),
        ("b", {"sync": SyncCommand("x")}, False),
        ("b", {"env": {"PATH": "."}}, False),
        ("a", {"cwd": "other"}, False),
        ("a", {"server": "other"}, False),
        ("a", {"depends_on": ("b", "c")}, False),
        ("c", {"command": "other"}, True),
        ("a", {"description": "other", "watch": ("*",), "location": Location(FOLDER, 3)}, True),
    ],
)
def test_it_is_the_code_of_the_task_and_of_what_it_depends_on(name: str, change: dict, same: bool) -> None:
    changed = TASKS | {name: replace(TASKS[name], **change)}
    assert (meaning(TASKS["a"], TASKS) == meaning(changed["a"], changed)) is same
