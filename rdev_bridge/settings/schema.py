"""Every key that a configuration file may hold, and what may stand there. `docs/configuration.md` says it in words."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.model import BusyPolicy, OnClientExit, SyncCommand, SyncPush
from rdev_bridge.places import config_file
from rdev_bridge.settings import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rdev_bridge.model import Sync
    from rdev_bridge.settings.locate import KeyPath
    from rdev_bridge.settings.source import Source

EMBEDDED = "embedded"
"""The name under which the embedded server can be asked for; no server of the user's can have it."""


class Key(msgspec.Struct, frozen=True):
    """`read` returns the checked value or raises values.WrongValueError; `type` is what the documentation calls it."""

    read: Callable[[Any], Any]
    type: str
    required: bool = False


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise values.WrongValueError(f"must be a table, not {values.kind(value)}")
    return value


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise values.WrongValueError("must be tables, each under a [[paths]] of its own")
    return value


def _tasks(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        raise values.WrongValueError("each task is a table with a name: [tasks.NAME], not [[tasks]]")
    return _table(value)


def _matchers(value: Any) -> tuple[str | Mapping[str, Any], ...]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) or (isinstance(item, str) and item) for item in items):
        raise values.WrongValueError(
            'must be the name of a matcher ("pytest"), a VS Code problemMatcher, or a list of these'
        )
    return tuple(items)


def _sync(value: Any) -> Sync:
    if isinstance(value, dict):
        unknown = next((name for name in value if name not in SYNC), None)
        if unknown is not None:
            raise values.WrongValueError(f'has no key "{unknown}"{values.nearest(unknown, SYNC)}')
        if "command" not in value:
            raise values.WrongValueError('lacks its command: { command = "rsync ..." }')
        timeout_s = values.duration_s(value["timeout"]) if "timeout" in value else None
        return SyncCommand(values.text(value["command"]), timeout_s)
    if value not in ("none", "push"):
        raise values.WrongValueError('must be "none", "push" or { command = "rsync ..." }')
    return SyncPush() if value == "push" else None


SYNC = {
    "command": Key(values.text, "text", required=True),
    "timeout": Key(values.duration_s, "duration"),
}

PATHS = {
    "local": Key(values.path, "text", required=True),
    "remote": Key(values.path, "text", required=True),
}

TASK = {
    "command": Key(values.command, "text", required=True),
    "description": Key(values.text, "text"),
    "group": Key(partial(values.choice, words=("build", "test", "run")), "text"),
    "cwd": Key(values.path, "text"),
    "env": Key(values.environment, "table of texts"),
    "depends_on": Key(values.texts, "list of texts"),
    "watch": Key(values.globs, "list of texts"),
    "on_busy": Key(partial(values.word, words=BusyPolicy), "text"),
    "timeout": Key(values.duration_s, "duration"),
    "server": Key(values.text, "text"),
    "project": Key(values.project, "text"),
    "remote_root": Key(values.absolute, "text"),
    "problem_matcher": Key(_matchers, "text, table or list"),
    "on_client_exit": Key(partial(values.word, words=OnClientExit), "text"),
    "sync": Key(_sync, "text or table"),
}

WORKSPACE = {
    "project": Key(values.project, "text"),
    "server": Key(values.text, "text"),
    "remote_root": Key(values.absolute, "text"),
    "paths": Key(_tables, "tables"),
    "tasks": Key(_tasks, "tables"),
}

SERVER = {
    "url": Key(values.text, "text", required=True),
    "api_key_command": Key(values.argv, "list of texts"),
    "allow_http": Key(values.boolean, "boolean"),
}

USER = {
    "default_server": Key(values.text, "text"),
    "servers": Key(_table, "tables"),
}

ONLY_THE_USERS = frozenset(
    {"url", "api_key", "api_key_command", "key", "token", "servers", "default_server", "allow_http"}
)
"""What a workspace's file may not say: a key, where one goes, or how it travels."""

KEYS_IN_THE_OPEN = frozenset({"api_key", "key", "token"})


def check(source: Source, keys: KeyPath, table: Any, schema: Mapping[str, Key]) -> dict[str, Any]:
    """The values of `table`, which stands at `keys`, checked by `schema`. Raises SettingsError."""
    try:
        _table(table)
    except values.WrongValueError as error:
        main = next((name for name, key in schema.items() if key.required), None)
        hint = f": {{ {main} = {json.dumps(table)} }}" if main and isinstance(table, str) else ""
        raise source.error(keys, f"{error}{hint}") from None
    for name in table:
        if name not in schema:
            raise source.error((*keys, name), _unknown(name, schema))
    checked = {}
    for name, value in table.items():
        try:
            checked[name] = schema[name].read(value)
        except values.WrongValueError as error:
            raise source.error((*keys, name), str(error)) from None
    for name, key in schema.items():
        if key.required and name not in checked:
            raise source.error(keys, f"lacks the key {name}")
    return checked


def _unknown(name: str, schema: Mapping[str, Key]) -> str:
    if name in ONLY_THE_USERS and (schema is WORKSPACE or schema is TASK):
        return (
            "a workspace's file can neither hold a key nor say where one goes. "
            f'Describe the server in {config_file()} under [servers.NAME] and name it here: server = "NAME"'
        )
    if name in KEYS_IN_THE_OPEN and (schema is SERVER or schema is USER):
        return (
            "no key is kept in this file: `rdev-bridge login` puts it into the system's keyring, "
            "or api_key_command names a command that prints it"
        )
    return f"unknown key{values.nearest(name, schema)}"
