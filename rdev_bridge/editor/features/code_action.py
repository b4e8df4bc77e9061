"""`textDocument/codeAction`: from any file, run a task, cancel what runs, show the output of what ran.

On a diagnostic of ours: run again, and show the output of the very run that reported it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.core.consent import meaning
from rdev_bridge.core.variables import FILE_NAMES, used
from rdev_bridge.editor.client import path_from_uri
from rdev_bridge.editor.wording import result, title_of
from rdev_bridge.model import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rdev_bridge.model import Run, Task

# `source` keeps the tasks out of the light bulb that editors show on every line.
TASK_KIND = "source.rdev.run"
CANCEL_KIND = "source.rdev.cancel"
OUTPUT_KIND = "source.rdev.output"
FIX_KIND = "quickfix"
SOURCE_PREFIX = "rdev:"
_SHOW = "rdev.showOutput"
_AUTOMATIC = 2  # CodeActionTriggerKind: the editor asks by itself, as the cursor moves


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


def actions(
    params: CodeActionParams, tasks: Mapping[str, Task], runs: Sequence[Run], literals: bool
) -> list[dict[str, Any]]:
    """`CodeAction[]` where the client knows them, else `Command[]`. `runs` are newest first."""
    context, uri = params.context, params.text_document.uri
    found = _on_diagnostics(context.diagnostics, tasks, uri)
    if context.trigger_kind != _AUTOMATIC or context.only is not None:
        found += [_action(f"Run {task_id}", TASK_KIND, "rdev.run", [_naming(task_id, tasks, uri)]) for task_id in tasks]
        found += _on_runs(runs, tasks)
    wanted = [action for action in found if _is_wanted(action["kind"], context)]
    return wanted if literals else [action["command"] for action in wanted]


def _on_runs(runs: Sequence[Run], tasks: Mapping[str, Task]) -> Iterator[dict[str, Any]]:
    """Cancel each run that goes on; the output of each task's last result, the newest first."""
    ids = {(task.folder, task.name): task_id for task_id, task in tasks.items()}
    ended: dict[str, Run] = {}
    for run in runs:
        task_id = ids.get((run.folder, run.task or ""))
        if run.state is not RunState.FINISHED:
            yield _action(f"Cancel {task_id or title_of(run)}", CANCEL_KIND, "rdev.cancel", [run.run_id])
        elif task_id is not None:
            ended.setdefault(task_id, run)
    for task_id, run in ended.items():
        of_run = [{"runId": run.run_id, "task": task_id}]
        yield _action(f"Show output of {task_id} ({result(run)})", OUTPUT_KIND, _SHOW, of_run)


def _on_diagnostics(diagnostics: list[Any], tasks: Mapping[str, Task], uri: str) -> list[dict[str, Any]]:
    """Two actions for each task that reported one of them; for the very run, where the client kept our `data`."""
    by_task: dict[str, list[dict[str, Any]]] = {}
    for diagnostic in diagnostics:
        source = diagnostic.get("source") if isinstance(diagnostic, dict) else None
        if isinstance(source, str) and source.startswith(SOURCE_PREFIX):
            task_id = _reporter(source.removeprefix(SOURCE_PREFIX), tasks, uri)
            if task_id is not None:
                by_task.setdefault(task_id, []).append(diagnostic)
    found = []
    for task_id, ours in by_task.items():
        data = [one["data"] for one in ours if isinstance(one.get("data"), dict)]
        run_id = next((one["runId"] for one in data if isinstance(one.get("runId"), str)), None)
        again, output = f"Run {task_id} again", f"Show output of {task_id}"
        if run_id is None:
            of_task = _naming(task_id, tasks, uri)
            both = (_action(again, FIX_KIND, "rdev.run", [of_task]), _action(output, FIX_KIND, _SHOW, [task_id]))
        else:
            of_run = [{"runId": run_id, "task": task_id}]
            both = (_action(again, FIX_KIND, "rdev.rerun", of_run), _action(output, FIX_KIND, _SHOW, of_run))
        found += [action | {"diagnostics": ours} for action in both]
    return found


def _reporter(name: str, tasks: Mapping[str, Task], uri: str) -> str | None:
    """The task of this name; where several folders have one, that of the innermost folder around the document."""
    path = path_from_uri(uri)
    named = [(task_id, task.folder) for task_id, task in tasks.items() if name == task.name]
    around = [one for one in named if path is not None and path.is_relative_to(one[1])]
    return max(around or named, key=lambda one: len(one[1].parts), default=(None, None))[0]


def _is_wanted(kind: str, context: CodeActionContext) -> bool:
    """LSP: kinds are a hierarchy by dots; `only: ["source"]` asks for `source.rdev.run` too."""
    return context.only is None or any(f"{kind}.".startswith(f"{only}.") for only in context.only)


def _naming(task_id: str, tasks: Mapping[str, Task], uri: str) -> Any:
    """What `rdev.run` is given: the document too, where the task or one that it depends on has a variable for it."""
    of_folder = {task.name: task for task in tasks.values() if task.folder == tasks[task_id].folder}
    needed = [of_folder[name] for name in meaning(tasks[task_id], of_folder)]
    texts = [text for task in needed for text in (task.command, task.cwd or "", *task.env.values())]
    return {"task": task_id, "file": uri} if any(not used(text).isdisjoint(FILE_NAMES) for text in texts) else task_id


def _action(title: str, kind: str, command: str, arguments: list[Any]) -> dict[str, Any]:
    return {"title": title, "kind": kind, "command": {"title": title, "command": command, "arguments": arguments}}
