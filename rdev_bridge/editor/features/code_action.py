"""`textDocument/codeAction`: run a task from any file; on a diagnostic of ours, run again and show the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdev_bridge.model import Task

# `source` keeps the tasks out of the light bulb that editors show on every line.
TASK_KIND = "source.rdev.run"
FIX_KIND = "quickfix"
SOURCE_PREFIX = "rdev:"
_AUTOMATIC = 2  # CodeActionTriggerKind: the editor asks by itself, as the cursor moves
_FILE_VARIABLES = ("${file}", "${relativeFile}")


class TextDocument(msgspec.Struct):
    """`TextDocumentIdentifier`."""

    uri: str


class CodeActionContext(msgspec.Struct, rename="camel"):
    """`CodeActionContext`, diagnostics as they are: they are handed back to the editor."""

    diagnostics: list[Any] = []
    only: list[str] | None = None
    trigger_kind: int | None = None


class CodeActionParams(msgspec.Struct, rename="camel"):
    """`CodeActionParams`."""

    text_document: TextDocument
    context: CodeActionContext = msgspec.field(default_factory=CodeActionContext)


def actions(params: CodeActionParams, tasks: Mapping[str, Task], literals: bool) -> list[dict[str, Any]]:
    """`CodeAction[]` where the client knows them, else `Command[]`."""
    found: list[dict[str, Any]] = []
    if _is_wanted(FIX_KIND, params.context):
        found += _on_diagnostics(params.context.diagnostics, tasks)
    if _is_wanted(TASK_KIND, params.context) and (
        params.context.trigger_kind != _AUTOMATIC or params.context.only is not None
    ):
        found += [
            _action(f"Run {task_id}", TASK_KIND, "rdev.run", [_naming(task_id, task, params.text_document.uri)])
            for task_id, task in tasks.items()
        ]
    return found if literals else [action["command"] for action in found]


def _on_diagnostics(diagnostics: list[Any], tasks: Mapping[str, Task]) -> list[dict[str, Any]]:
    by_task: dict[str, list[Any]] = {}
    for diagnostic in diagnostics:
        source = diagnostic.get("source") if isinstance(diagnostic, dict) else None
        if isinstance(source, str) and source.startswith(SOURCE_PREFIX):
            by_task.setdefault(source.removeprefix(SOURCE_PREFIX), []).append(diagnostic)
    found = []
    for name, ours in by_task.items():
        task_id = next((task_id for task_id, task in tasks.items() if name in (task_id, task.name)), None)
        if task_id is not None:
            again = _action(f"Run {name} again", FIX_KIND, "rdev.run", [task_id])
            output = _action(f"Show output of {name}", FIX_KIND, "rdev.showOutput", [task_id])
            found += [again | {"diagnostics": ours}, output | {"diagnostics": ours}]
    return found


def _is_wanted(kind: str, context: CodeActionContext) -> bool:
    """LSP: kinds are a hierarchy by dots; `only: ["source"]` asks for `source.rdev.run` too."""
    return context.only is None or any(f"{kind}.".startswith(f"{only}.") for only in context.only)


def _naming(task_id: str, task: Task, uri: str) -> Any:
    return {"task": task_id, "file": uri} if any(name in task.command for name in _FILE_VARIABLES) else task_id


def _action(title: str, kind: str, command: str, arguments: list[Any]) -> dict[str, Any]:
    return {"title": title, "kind": kind, "command": {"title": title, "command": command, "arguments": arguments}}
