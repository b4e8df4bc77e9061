"""The matchers that come with rdev-bridge, under the names that people know from VS Code and elsewhere.

Where a tool's problems fit VS Code's patterns they are written as such data; the rest are readers in `parsers/`. All
of them look for a relative file under the run's own folder first and then under the workspace's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from rdev_bridge.problems.definition import Definition
from rdev_bridge.problems.parsers.compilers import Compiler, Rust, ShellCheck
from rdev_bridge.problems.parsers.javascript import Jest, Vitest
from rdev_bridge.problems.parsers.node_test import NodeSpec, NodeTap
from rdev_bridge.problems.parsers.python import Pytest, Traceback, Unittest
from rdev_bridge.problems.problem import ColumnUnit, FileLocation, FileLocationKind
from rdev_bridge.problems.regex import compile_js
from rdev_bridge.problems.vscode import matcher_from_vscode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rdev_bridge.problems.definition import Parser


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One name. `objects` are VS Code matchers, `parsers` readers; with both, the objects only lend their patterns."""

    summary: str
    objects: tuple[Mapping[str, Any], ...] = ()
    parsers: tuple[Callable[[], Parser], ...] = ()
    unit: ColumnUnit = ColumnUnit.UTF16
    more: str | None = None
    inclusive_end: bool = False
    aliases: tuple[str, ...] = ()
    search: tuple[str, ...] = field(default=())


_GNU = {
    "regexp": r"^((?:[A-Za-z]:)?[^:]+):(\d+):(?:(\d+):)?\s+(?:fatal\s+)?(warning|error|note|remark):\s+(.*)$",
    "file": 1,
    "line": 2,
    "column": 3,
    "severity": 4,
    "message": 5,
}
_TSC = {
    "regexp": r"^(\S.*?)[(:](\d+)[,:](\d+)(?:\):\s+|\s+-\s+)(error|warning|info)\s+(TS\d+)\s*:\s*(.*)$",
    "file": 1,
    "line": 2,
    "column": 3,
    "severity": 4,
    "code": 5,
    "message": 6,
}
_ESLINT_PLACE = {"line": 1, "column": 2, "severity": 3, "message": 4, "code": 5}
_RUST = (
    {"regexp": r"^(warning|error)(?:\[([^\]]+)\])?: (.*)$", "severity": 1, "code": 2, "message": 3},
    {"regexp": r"^\s*--> (.+?):(\d+):(\d+)$", "file": 1, "line": 2, "column": 3},
)

BUILT_INS: dict[str, BuiltIn] = {
    "gcc": BuiltIn(
        "GCC: errors and warnings, with notes and the way through includes and templates",
        ({"owner": "gcc", "source": "gcc", "pattern": _GNU},),
        (partial(Compiler, "gcc", ColumnUnit.DISPLAY),),
        ColumnUnit.DISPLAY,
    ),
    "clang": BuiltIn(
        "Clang: the same as gcc, columns counted in bytes",
        ({"owner": "clang", "source": "clang", "pattern": _GNU},),
        (partial(Compiler, "clang", ColumnUnit.BYTES),),
        ColumnUnit.BYTES,
    ),
    "tsc": BuiltIn(
        "The TypeScript compiler, plain or `--pretty`",
        ({"owner": "typescript", "source": "ts", "pattern": _TSC},),
        more=r"^(  +\S.*)$",
    ),
    "tsc-watch": BuiltIn(
        "`tsc --watch`: each compilation replaces what the one before reported",
        (
            {
                "owner": "typescript",
                "source": "ts",
                "pattern": _TSC,
                "background": {
                    "activeOnStart": True,
                    "beginsPattern": r"(?:Starting compilation in watch mode|Starting incremental compilation)\.\.\.",
                    "endsPattern": r"(?:Compilation complete\.|Found \d+ errors?\.) Watching for file changes\.",
                },
            },
        ),
        more=r"^(  +\S.*)$",
    ),
    "eslint-compact": BuiltIn(
        "ESLint with `--format compact`",
        (
            {
                "owner": "eslint",
                "source": "eslint",
                "pattern": {
                    "regexp": r"^(.+): line (\d+), col (\d+), (Error|Warning|Info) - (.+?)(?: \(([^()\s]+)\))?$",
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "message": 5,
                    "code": 6,
                },
            },
        ),
    ),
    "eslint-stylish": BuiltIn(
        "ESLint's default format",
        (
            {
                "owner": "eslint",
                "source": "eslint",
                "pattern": [
                    {"regexp": r"^((?:[A-Za-z]:)?[./\\].*|[^\s:]+[./\\][^\s:]+)$", "file": 1},
                    {
                        "regexp": r"^\s+(\d+):(\d+)\s+(error|warning|info)\s+(.+?)(?:\s{2,}(\S+))?$",
                        **_ESLINT_PLACE,
                        "loop": True,
                    },
                ],
            },
        ),
    ),
    "go": BuiltIn(
        "`go build`, `go vet` and `go test`",
        (
            {
                "owner": "go",
                "source": "go",
                "pattern": {
                    "regexp": (
                        r"^\s*(?:vet: )?((?:[A-Za-z]:)?[^\s:][^:]*\.(?:go|mod|work|c|h|s)):(\d+)(?::(\d+))?:\s+(.*)$"
                    ),
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "message": 4,
                },
            },
        ),
        unit=ColumnUnit.BYTES,
        search=("${workspaceFolder}",),
    ),
    "rustc": BuiltIn(
        "rustc: errors and warnings with their notes",
        ({"owner": "rustc", "source": "rustc", "pattern": _RUST},),
        (partial(Rust, "rustc"),),
        ColumnUnit.CHARACTERS,
    ),
    "cargo": BuiltIn(
        "`cargo build`, `check`, `clippy`, and the panics of `cargo test`",
        ({"owner": "cargo", "source": "cargo", "pattern": _RUST},),
        (partial(Rust, "cargo"),),
        ColumnUnit.CHARACTERS,
    ),
    "pytest": BuiltIn("pytest, in every `--tb` style but `no`", parsers=(Pytest,)),
    "unittest": BuiltIn("Python's unittest", parsers=(Unittest,)),
    "python": BuiltIn("A traceback of any Python program", parsers=(Traceback,)),
    "mypy": BuiltIn(
        "mypy, with or without columns and ends",
        (
            {
                "owner": "mypy",
                "source": "mypy",
                "pattern": {
                    "regexp": (
                        r"^((?:[A-Za-z]:)?[^\s:][^:]*):(\d+)(?::(\d+))?(?::(\d+):(\d+))?: "
                        r"(error|warning|note): (.*?)(?:  ?\[([a-z][\w-]*)\])?$"
                    ),
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "endLine": 4,
                    "endColumn": 5,
                    "severity": 6,
                    "message": 7,
                    "code": 8,
                },
            },
        ),
        unit=ColumnUnit.BYTES,
        inclusive_end=True,
    ),
    "pyright": BuiltIn(
        "Pyright and basedpyright",
        (
            {
                "owner": "pyright",
                "source": "pyright",
                "pattern": {
                    "regexp": (
                        r"^\s*((?:[A-Za-z]:)?[^\s:][^:]*):(\d+):(\d+) - (error|warning|information): "
                        r"(.*?)(?: \((report\w+)\))?$"
                    ),
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "message": 5,
                    "code": 6,
                },
            },
        ),
        more=r"^\s{4,}(\S.*?)(?: \((report\w+)\))?$",
    ),
    "ruff": BuiltIn(
        "`ruff check`, its full and its concise format",
        (
            {
                "owner": "ruff",
                "source": "ruff",
                "severity": "warning",
                "pattern": [
                    {
                        "regexp": r"^([A-Z]+\d+|[a-z]+(?:-[a-z]+)+):? (?:\[\*\] )?(.+)$",
                        "severity": 1,
                        "code": 1,
                        "message": 2,
                    },
                    {"regexp": r"^\s*--> (.+?):(?:cell \d+:)?(\d+):(\d+)$", "file": 1, "line": 2, "column": 3},
                ],
            },
            {
                "owner": "ruff",
                "source": "ruff",
                "severity": "warning",
                "pattern": {
                    "regexp": (
                        r"^((?:[A-Za-z]:)?[^\s:][^:]*):(?:cell \d+:)?(\d+):(\d+): "
                        r"([A-Z]+\d+|[a-z]+(?:-[a-z]+)+):? (?:\[\*\] )?(.+)$"
                    ),
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "code": 4,
                    "message": 5,
                },
            },
        ),
        unit=ColumnUnit.CHARACTERS,
    ),
    "msbuild": BuiltIn(
        "MSBuild and what it runs: csc, vbc, cl, link",
        (
            {
                "owner": "msbuild",
                "source": "msbuild",
                "pattern": {
                    "regexp": (
                        r"^(?:\s*\d+>)?\s*([^\s(].*?)\((\d+(?:,\d+){0,3})\)\s*:\s+(?:[a-z]+ )??"
                        r"((?:fatal )?error|warning|info|message)\s+(\w+\d+)\s*:\s*(.*?)(?:\s+\[[^\[\]]+proj\])?$"
                    ),
                    "file": 1,
                    "location": 2,
                    "severity": 3,
                    "code": 4,
                    "message": 5,
                },
            },
        ),
        aliases=("msCompile",),
    ),
    "jest": BuiltIn("Jest's default reporter", parsers=(Jest,)),
    "vitest": BuiltIn("Vitest's default reporter", parsers=(Vitest,)),
    "node-test": BuiltIn("`node --test`, its `spec` and its TAP form", parsers=(NodeSpec, NodeTap)),
    "shellcheck": BuiltIn(
        "ShellCheck, its own format and `-f gcc`",
        (
            {
                "owner": "shellcheck",
                "source": "shellcheck",
                "pattern": {
                    "regexp": r"^([^:]+):(\d+):(\d+): (error|warning|note): (.*) \[(SC\d+)\]$",
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "message": 5,
                    "code": 6,
                },
            },
        ),
        (ShellCheck,),
        ColumnUnit.CHARACTERS,
    ),
    "generic": BuiltIn(
        "Anything that says `file:line: message`, with a column or without",
        (
            {
                "owner": "generic",
                "pattern": {
                    "regexp": (
                        r"^\s*((?:[A-Za-z]:[\\/])?(?:[^\s:()'\"][^:()'\"]*[./\\][^:()'\"]*|[Mm]akefile|Dockerfile)):"
                        r"(?: ?(?:line )?)(\d+)(?::(\d+))?:?\s+"
                        r"(?:(?:fatal )?(error|warning|info|note|hint)(?:\[\w+\])?:?\s+)?(\S.*)$"
                    ),
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "message": 5,
                },
            },
        ),
    ),
}

_BY_NAME = {alias: name for name, one in BUILT_INS.items() for alias in (name, *one.aliases)}


def names() -> list[str]:
    """Every name that `definitions` knows, aliases included, without `$`."""
    return sorted(_BY_NAME)


@lru_cache(maxsize=64)
def definitions(name: str) -> tuple[Definition, ...]:
    """The built-in `name` (without `$`); KeyError for a strange one."""
    built_in = BUILT_INS[_BY_NAME[name]]
    location = FileLocation(FileLocationKind.AUTO_DETECT, include=built_in.search)
    common: dict[str, Any] = {
        "location": location,
        "unit": built_in.unit,
        "more": compile_js(built_in.more) if built_in.more else None,
        "inclusive_end": built_in.inclusive_end,
    }
    made = tuple(
        replace(one, **common) for value in built_in.objects for one in matcher_from_vscode(value, definitions)
    )
    if not built_in.parsers:
        return made
    readers = tuple(
        Definition(owner=_BY_NAME[name], source=_BY_NAME[name], location=location, unit=built_in.unit, parser=parser)
        for parser in built_in.parsers
    )
    if name == "shellcheck":
        return (*made, *readers)
    return tuple(replace(one, patterns=made[0].patterns) for one in readers) if made else readers
