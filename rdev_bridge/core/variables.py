"""`${file}` and the like in a task's command: filled in so that the shell sees exactly the value, whatever it holds.

Only the names below, written just so, are ours; `$file`, `${HOME}`, `${file:-x}` and all else stay the shell's. A shell
variable that has one of our names is written `$${file}`, which is left as `${file}`.

Quoting depends on where the variable stands. Outside of quotes and inside of `"…"` or `'…'` the value becomes a quoted
piece of the word that it is in. Where no quoting is safe (a here-document, backticks, arithmetic, `${x:-…}`,
the text of an inner `sh -c "…"`), the task is refused with what to write instead. In a comment nothing is replaced.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from rdev_bridge.core.shelltext import Place, places_of, quoted
from rdev_bridge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rdev_bridge.core.paths import PathMap

FILE_NAMES = (
    "file",
    "relativeFile",
    "fileBasename",
    "fileBasenameNoExtension",
    "fileExtname",
    "fileDirname",
    "relativeFileDirname",
)
NAMES = (*FILE_NAMES, "workspaceFolder", "workspaceFolderBasename", "changedFiles")
"""What can be filled in."""

_OF_EDITORS = r"(?:env|input|config|command):[^{}\s]+|lineNumber|selectedText|fileWorkspaceFolder|workspaceRoot"
_VARIABLE = re.compile(r"(\$?)\$\{(" + "|".join(NAMES) + "|" + _OF_EDITORS + r")\}")
_INSTEAD = {
    Place.HEREDOC: "in or after a here-document; assign it to a shell variable before, and use that",
    Place.BACKTICKS: "inside backticks; write $(…)",
    Place.ARITHMETIC: "inside arithmetic; assign it to a shell variable before, and use that",
    Place.EXPANSION: "inside ${…}; assign it to a shell variable before, and use that",
    Place.PROGRAM: "in the text of a program, where a file's name would be run; "
    """pass it as an argument: sh -c 'wc -l "$1"' sh {variable}""",
    Place.UNCLEAR: "after something that shells read differently; put it before that, or write the command simpler",
}

Value = str | tuple[str, ...]


def expand(text: str, variables: Mapping[str, Value]) -> str:
    """The shell text `text` with its variables filled in and quoted; a tuple becomes as many words.

    Raises UsageError for a variable that has no value in `variables`, and where none can be put safely.
    """
    found = list(_VARIABLE.finditer(text))
    if not found:
        return text
    pieces, at = [], 0
    for match, place in zip(found, places_of(text, [match.start(2) - 2 for match in found]), strict=True):
        pieces.append(text[at : match.start()])
        at = match.end()
        if place is Place.LITERAL:
            pieces.append(match[0])
        elif match[1]:
            pieces.append(match[0][1:])
        elif place in _INSTEAD:
            variable = match[0]
            raise UsageError(f"{variable} cannot stand {_INSTEAD[place].replace('{variable}', variable)}")
        else:
            value = _value(match[2], variables)
            words = " ".join(map(quoted, (value,) if isinstance(value, str) else value))
            quote = {Place.SINGLE: "'", Place.DOUBLE: '"'}.get(place, "")
            pieces.append(f"{quote}{words}{quote}")
    return "".join([*pieces, text[at:]])


def fill(text: str, variables: Mapping[str, Value]) -> str:
    """The same for a text that no shell reads (`cwd`, the values of `env`): nothing is quoted, a tuple is joined."""

    def filled(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        value = _value(match[2], variables)
        return value if isinstance(value, str) else " ".join(value)

    return _VARIABLE.sub(filled, text)


def used(text: str) -> set[str]:
    """The names of the variables in `text`."""
    return {match[2] for match in _VARIABLE.finditer(text) if not match[1]}


def variables_of(paths: PathMap, file: Path | None = None, changed: Iterable[Path] = ()) -> dict[str, Value]:
    """The values for a run: paths as the server sees them, of `file` (where there is one) and of the `changed` files.

    A file that the server cannot see has no value, and is left out of `changedFiles`.
    """
    root = paths.to_remote(paths.folder) or paths.remote_cwd()
    variables: dict[str, Value] = {
        "workspaceFolder": root,
        "workspaceFolderBasename": _pure(root).name,
        "changedFiles": tuple(path for path in map(paths.to_remote, changed) if path is not None),
    }
    remote = paths.to_remote(file) if file is not None else None
    if file is not None and remote is not None:
        path = _pure(remote)
        inside = _pure(root) in path.parents
        relative = path.relative_to(_pure(root)) if inside else path
        variables |= {
            "file": remote,
            "relativeFile": _no_option(str(relative)),
            "fileBasename": _no_option(path.name),
            "fileBasenameNoExtension": _no_option(path.stem),
            "fileExtname": path.suffix,
            "fileDirname": str(path.parent),
            "relativeFileDirname": _no_option(str(relative.parent)),
        }
    return variables


def _value(name: str, variables: Mapping[str, Value]) -> Value:
    if name in variables:
        value = variables[name]
        if any("\0" in part for part in ((value,) if isinstance(value, str) else value)):
            raise UsageError(f"${{{name}}} holds a NUL character, which no command can be given")
        return value
    if name.startswith("env:"):
        raise UsageError(
            f"${{{name}}} is not filled in, so that no workspace can read your environment; "
            f"write ${name[4:]} for the server's, or set it in the task's env"
        )
    if name in FILE_NAMES:
        raise UsageError(f"${{{name}}} needs a file: run the task from an editor, or with --file FILE")
    raise UsageError(f"${{{name}}} is not known here; known are {', '.join(f'${{{known}}}' for known in NAMES)}")


def _pure(path: str) -> PurePosixPath | PureWindowsPath:
    return PurePosixPath(path) if path.startswith("/") else PureWindowsPath(path)


def _no_option(relative: str) -> str:
    """A file that is called `-rf` is a file, not an option."""
    return f"./{relative}" if relative.startswith("-") else relative
