"""The plugin's types (`lua/rdev/types.lua`) name the fields that the bridge sends: no more, no fewer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rdev_bridge import wire
from rdev_bridge.model import (
    Connection,
    ConnectionState,
    DiagnosticCounts,
    Location,
    Outcome,
    Run,
    RunState,
    Task,
    Trigger,
    TriggerKind,
)
from tests.editors.neovim import PLUGIN

FOLDER = Path("/work")


def fields_of(name: str) -> dict[str, bool]:
    """Each field of a class, and whether it may be missing."""
    text = (PLUGIN / "lua" / "rdev" / "types.lua").read_text()
    found = re.search(rf"---@class rdev\.{name}\b.*\n((?:---@field .*\n)+)", text)
    assert found is not None, name
    return {field: bool(mark) for field, mark in re.findall(r"---@field (\w+)(\??)", found.group(1))}


def run(**more: Any) -> dict[str, Any]:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return wire.run_to_wire(
        Run(
            run_id="r",
            command="c",
            folder=FOLDER,
            project="p",
            server="s",
            state=RunState.FINISHED,
            started_at=began,
            log_path=FOLDER / "log",
            **more,
        )
    )


def task(**more: Any) -> dict[str, Any]:
    made = Task(name="t", folder=FOLDER, command="c", **more)
    return wire.task_to_wire(made, task_id="t", watching=False, trusted=False)


FULL_RUN = {
    "task": "t",
    "outcome": Outcome.FAILED,
    "exit_code": 1,
    "duration_ms": 1,
    "diagnostics": DiagnosticCounts(1, 1, 1),
    "message": "m",
    "parent_run_id": "q",
    "stale": True,
}
STATE = next(iter(ConnectionState))


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("Run", run(), run(**FULL_RUN)),
        ("Task", task(), task(description="d", group="test", location=Location(FOLDER / "rdev.toml", 0, 0, 1))),
        (
            "Trigger",
            wire.trigger_to_wire(Trigger()),
            wire.trigger_to_wire(Trigger(TriggerKind.SAVE, (FOLDER / "a",))),
        ),
        (
            "Connection",
            wire.connection_to_wire(Connection(server="s", state=STATE)),
            wire.connection_to_wire(Connection(server="s", state=STATE, attempt=1, retry_in_ms=1, message="m")),
        ),
    ],
)
def test_types_are_what_is_sent(name: str, least: dict[str, Any], most: dict[str, Any]) -> None:
    assert fields_of(name) == {field: field not in least for field in most}
