"""Takes over `.vscode/tasks.json`, and says what it could not take. The format: code.visualstudio.com/docs, "Tasks"."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from rdev_bridge.cli.init_draft import Draft
from rdev_bridge.core.variables import NAMES, expand
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rdev_bridge.cli.init_draft import Findings

_MAX_BYTES = 1024 * 1024
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[\]}])')
_SAME_FOLDER = re.compile(r"\$\{(?:workspaceRoot|cwd|fileWorkspaceFolder)\}")
_OF_THE_SHELL = re.compile(r"\$\{env:([A-Za-z_]\w*)\}")
_PROBE = {name: ("x",) if name == "changedFiles" else "x" for name in NAMES}
_ORIGIN = ".vscode/tasks.json"
_INPUT = re.compile(r"\$\{input:([^}]*)\}")
_ONLY_VSCODES = re.compile(
    r"\$\{(?:(?:input|config|command|extensionInstallFolder):[^}]*|lineNumber|columnNumber|selectedText|execPath)\}"
)
# What tasks of these extensions run: the task's own key, and what stands before it.
_OF_EXTENSIONS = {
    "cargo": ("command", "cargo "),
    "go": ("command", "go "),
    "gulp": ("task", "npx gulp "),
    "grunt": ("task", "npx grunt "),
    "jake": ("task", "npx jake "),
}


class _CannotTakeError(Exception):
    """Why a task stays behind."""


def relaxed_json(text: str) -> Any:
    """JSON with comments and trailing commas, as VS Code reads it. Raises ValueError."""
    text = _COMMENT.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    return json.loads(_TRAILING_COMMA.sub(lambda match: match[1] or "", text))


def take_over(folder: Path, findings: Findings) -> None:
    """Add the tasks of `folder`'s tasks.json, if it has one."""
    path = folder / ".vscode" / "tasks.json"
    try:
        with path.open("rb") as file:
            document = relaxed_json(file.read(_MAX_BYTES).decode("utf-8", "replace"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, RecursionError) as error:
        findings.notes.append(f"{_ORIGIN} was not read: {error}")
        return
    tasks = document.get("tasks") if isinstance(document, dict) else None
    if not isinstance(tasks, list):
        findings.notes.append(f"{_ORIGIN} has no list of tasks")
        return
    before = len(findings.drafts)
    for number, task in enumerate(tasks):
        label = _name(task, number)
        try:
            findings.add(_draft(label, task, document, findings))
        except (_CannotTakeError, UsageError) as reason:
            findings.notes.append(f"{_ORIGIN}: {label!r} was left out: {reason}")
    _check_dependencies(findings.drafts[before:], findings)


def _name(task: Any, number: int) -> str:
    label = None
    if isinstance(task, dict):
        label = task.get("label") or task.get("taskName") or task.get("script") or task.get("task")
    text = label if isinstance(label, str) else f"task {number + 1}"
    return "".join(c for c in text if c.isprintable()).strip().lstrip("-")[:100] or f"task {number + 1}"


def _draft(label: str, task: Any, document: Mapping[str, Any], findings: Findings) -> Draft:
    if not isinstance(task, dict):
        raise _CannotTakeError("it is no object")
    merged = _merged(document, task)
    command, answers = _with_inputs(_command(merged), document)
    command = _portable(command)
    if "\0" in command:
        raise _CannotTakeError("its command holds a NUL character")
    if strange := _ONLY_VSCODES.search(command):
        raise _CannotTakeError(f"it uses {strange[0]}, which only VS Code can fill in")
    expand(command, _PROBE)
    for name, answer in answers.items():
        findings.notes.append(f"{_ORIGIN}: {label!r} asked for {name!r}; here it is its default, {answer!r}")
    options = _dict(merged.get("options"))
    if isinstance(options.get("shell"), dict):
        findings.notes.append(f"{_ORIGIN}: {label!r} names a shell of its own; the server runs it with sh")
    run_options = merged.get("runOptions")
    if isinstance(run_options, dict) and run_options.get("runOn") == "folderOpen":
        findings.notes.append(f"{_ORIGIN}: {label!r} ran when the folder was opened; here it waits to be started")
    if merged.get("dependsOrder") == "sequence":
        findings.notes.append(f"{_ORIGIN}: what {label!r} depends on ran one after the other; here it runs in parallel")
    return Draft(
        name=label,
        command=command,
        origin=_ORIGIN,
        description=_text(merged.get("detail")),
        group=_group(merged.get("group")),
        cwd=_cwd(options.get("cwd") or (merged.get("path") if merged.get("type") == "npm" else None)),
        env=_env(label, options.get("env"), findings),
        depends_on=_depends_on(label, merged.get("dependsOn"), document, findings),
        problem_matcher=_matchers(label, merged.get("problemMatcher"), findings),
    )


def _merged(document: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """The task with the file's own defaults below it, and what it says for Linux above it: servers are POSIX."""
    shared = {key: document[key] for key in ("type", "options", "problemMatcher") if key in document}
    layers = [shared, document.get("linux"), task, task.get("linux")]
    merged: dict[str, Any] = {}
    for layer in layers:
        if isinstance(layer, dict):
            below, above = _dict(merged.get("options")), _dict(layer.get("options"))
            options = {**below, **above, "env": {**_dict(below.get("env")), **_dict(above.get("env"))}}
            merged |= layer
            merged["options"] = options
    return merged


def _command(task: Mapping[str, Any]) -> str:
    kind = task.get("type", "shell")
    if kind == "npm":
        script = _text(task.get("script"))
        if script is None:
            raise _CannotTakeError("it names no script")
        return f"npm {script}" if script in ("install", "test", "start") else f"npm run {shlex.quote(script)}"
    if kind == "typescript":
        watch = " --watch" if task.get("option") == "watch" else ""
        return f"npx tsc -p {shlex.quote(_text(task.get('tsconfig')) or 'tsconfig.json')}{watch}"
    if isinstance(kind, str) and kind in _OF_EXTENSIONS:
        key, before = _OF_EXTENSIONS[kind]
        what = _text(task.get(key))
        if what is None:
            raise _CannotTakeError(f"it names no {key}")
        return before + " ".join([_quoted(what), *_words(task, _quoted)])
    if kind not in ("shell", "process", "cppbuild"):
        raise _CannotTakeError(f"tasks of type {kind!r} belong to an extension; write its command")
    first = task.get("command")
    program = first.get("value") if isinstance(first, dict) else first
    words = _words(task, _as_shell_would if kind == "shell" else _quoted)
    if isinstance(program, list):
        program = " ".join(map(str, program))
    if not isinstance(program, str) or not program.strip():
        if task.get("dependsOn"):
            return "true"  # it only gathers others
        raise _CannotTakeError("it has no command")
    if kind == "shell" and isinstance(first, str):
        return " ".join([program, *words])
    return " ".join([_quoted(program), *words])


def _words(task: Mapping[str, Any], quoted: Callable[[str], str]) -> list[str]:
    """The arguments; `quoted` writes those that are a plain text, the others say themselves how."""
    args = task.get("args")
    return [_word(arg, quoted) for arg in args] if isinstance(args, list) else []


def _word(arg: Any, quoted: Callable[[str], str]) -> str:
    if isinstance(arg, dict):
        value = arg.get("value")
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        return f'"{text}"' if arg.get("quoting") == "weak" and '"' not in text else _quoted(text)
    return quoted(str(arg))


def _as_shell_would(text: str) -> str:
    """As VS Code writes a plain argument of a `shell` task: quoted only where a blank stands outside of quotes."""
    bare = re.sub(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", "", text, flags=re.DOTALL)
    return _quoted(text) if not text or re.search(r"[\s'\"]", bare) else text


def _with_inputs(command: str, document: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """`command` with the defaults of what VS Code would have asked for, and these by name."""
    inputs = document.get("inputs")
    defaults = {
        one["id"]: one["default"]
        for one in (inputs if isinstance(inputs, list) else [])
        if isinstance(one, dict) and isinstance(one.get("id"), str) and isinstance(one.get("default"), str)
    }
    used = {name: defaults[name] for name in _INPUT.findall(command) if name in defaults}
    for name, default in used.items():
        command = command.replace(f"${{input:{name}}}", shlex.quote(default))
    return command, used


def _quoted(text: str) -> str:
    """Quoted for sh; a variable of ours is left for the bridge, which quotes what it fills in."""
    variables = r"(\$\{(?:" + "|".join(NAMES) + r"|workspaceRoot|cwd)\})"
    parts = (part if n % 2 else shlex.quote(part) if part else "" for n, part in enumerate(re.split(variables, text)))
    return "".join(parts) or "''"


def _portable(text: str) -> str:
    """Names of VS Code's that mean what we, or the server's shell, call otherwise."""
    text = _SAME_FOLDER.sub("${workspaceFolder}", text)
    text = text.replace("${pathSeparator}", "/").replace("${/}", "/").replace("${userHome}", "${HOME}")
    return _OF_THE_SHELL.sub(r"${\1}", text)


def _cwd(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    text = _portable(text)
    inside = re.fullmatch(r"\$\{workspaceFolder\}/*(.*)", text)
    return (inside[1] or None) if inside else text


def _env(label: str, value: Any, findings: Findings) -> dict[str, str]:
    taken = {}
    for name, content in _dict(value).items():
        if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and isinstance(content, str) and "${env:" not in content:
            taken[name] = _SAME_FOLDER.sub("${workspaceFolder}", content).replace("\0", "")
        else:
            why = "its name is none for a shell"
            if not isinstance(content, str):
                why = "it is no text"
            elif "${env:" in content:
                why = f"{content!r} reads the environment that VS Code runs in"
            findings.notes.append(f"{_ORIGIN}: {label!r}: the environment variable {name} was left out: {why}")
    return taken


def _group(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else value
    return kind if kind in ("build", "test") else None


def _depends_on(label: str, value: Any, document: Mapping[str, Any], findings: Findings) -> list[str]:
    names = []
    for item in value if isinstance(value, list) else [] if value is None else [value]:
        name = item if isinstance(item, str) else _named_by(item, document)
        if name is not None:
            names.append(name)
        else:
            findings.notes.append(f"{_ORIGIN}: {label!r} depends on a task of an extension, which was left out")
    return list(dict.fromkeys(names))


def _named_by(wanted: Any, document: Mapping[str, Any]) -> str | None:
    """The name of this file's task that is all that `wanted` says (`{"type": "npm", "script": "x"}`)."""
    if not isinstance(wanted, dict) or "type" not in wanted:
        return None
    numbered = enumerate(document["tasks"])
    alike = (
        _name(task, number) for number, task in numbered if isinstance(task, dict) and wanted.items() <= task.items()
    )
    return next(alike, None)


def _check_dependencies(drafts: list[Draft], findings: Findings) -> None:
    from rdev_bridge.core.graph import find_cycle

    names = {draft.name for draft in drafts}
    for draft in drafts:
        for missing in [name for name in draft.depends_on if name not in names]:
            findings.notes.append(f"{_ORIGIN}: {draft.name!r} depended on {missing!r}, which is not there")
        draft.depends_on = [name for name in draft.depends_on if name in names]
    while cycle := find_cycle({draft.name: draft.depends_on for draft in drafts}):
        first = next(draft for draft in drafts if draft.name == cycle[0])
        first.depends_on = [name for name in first.depends_on if name != cycle[1]]
        findings.notes.append(f"{_ORIGIN}: {cycle[0]!r} waited for itself by way of {cycle[1]!r}")


def _matchers(label: str, value: Any, findings: Findings) -> Any:
    from rdev_bridge.problems.matchers import resolve

    taken = []
    for item in value if isinstance(value, list) else [] if value is None else [value]:
        try:
            if not isinstance(item, str | dict):
                raise UsageError("it is no name and no object")
            resolve([item])
            taken.append(item)
        except UsageError as error:
            findings.notes.append(f"{_ORIGIN}: {label!r}: a problem matcher was left out: {error}")
    return taken[0] if len(taken) == 1 else taken


def _text(value: Any) -> str | None:
    return value.replace("\0", "") if isinstance(value, str) and value.strip() else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
