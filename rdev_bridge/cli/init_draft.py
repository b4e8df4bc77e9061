"""What `init` is about to write: drafts of tasks, and their TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f'\ud800-\udfff]*\\[^\x00-\x08\x0a-\x1f\x7f'\ud800-\udfff]*")


@dataclass(slots=True, kw_only=True)
class Draft:
    """A task to be; `origin` says where it was found. `problem_matcher` is as in `rdev.toml`."""

    name: str
    command: str
    origin: str
    description: str | None = None
    group: str | None = None
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    depends_on: Sequence[str] = ()
    watch: Sequence[str] = ()
    problem_matcher: Any = None


@dataclass(slots=True)
class Findings:
    """All drafts of a folder, and for a person what could not be taken over."""

    drafts: list[Draft] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, draft: Draft) -> None:
        """One more, unless another file had its command; a name that is taken gets its origin's in front."""
        others = (known for known in self.drafts if known.origin != draft.origin)
        if any((known.command, known.cwd) == (draft.command, draft.cwd) for known in others):
            return
        taken = {known.name for known in self.drafts}
        if draft.name in taken:
            base = f"{draft.origin.split()[0].partition('.')[0].lower() or 'vscode'}-{draft.name}"
            names = (_numbered(base, number) for number in range(len(taken) + 1))
            draft.name = next(name for name in names if name not in taken)
        self.drafts.append(draft)


def document(drafts: Sequence[Draft]) -> str:
    """The whole `rdev.toml`."""
    tasks = "".join(map(_task, drafts)) or _EXAMPLE
    return _HEAD + tasks + _TAIL


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number + 1}" if number else name


def _task(draft: Draft) -> str:
    lines = [f"\n# from {_comment(draft.origin)}", f"[tasks.{_key(draft.name)}]", f"command = {to_toml(draft.command)}"]
    for name in ("description", "group", "cwd", "env", "depends_on", "watch", "problem_matcher"):
        value = getattr(draft, name)
        if value:
            lines.append(f"{name} = {to_toml(list(value) if isinstance(value, tuple) else value)}")
    return "\n".join(lines) + "\n"


def to_toml(value: Any) -> str:
    """A value of JSON on one line; null leaves no trace."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case Mapping():
            pairs = (f"{_key(str(key))} = {to_toml(inner)}" for key, inner in value.items() if inner is not None)
            return "{ " + ", ".join(pairs) + " }"
        case Sequence():
            return "[" + ", ".join(to_toml(inner) for inner in value if inner is not None) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def _text(text: str) -> str:
    if _LITERAL.fullmatch(text):
        return f"'{text}'"  # a regular expression stays readable
    text = text.encode("utf-8", "replace").decode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


_HEAD = """\
# What rdev-bridge runs here: `rdev-bridge tasks`, `rdev-bridge run NAME`.
# Every key is told in rdev-bridge's docs/configuration.md.
#
# project = "my-project"      # its id on the server (the folder's name)
# server = "work"             # one of your own config.toml (this machine)
# remote_root = "/workspace"  # where the server sees this folder
"""

_EXAMPLE = """
# [tasks.test]
# command = "make test"
"""

_TAIL = """
# More that a task can have:
#
# description = "unit tests"
# group = "test"                # build, test or run
# cwd = "backend"               # where it runs
# env = { CI = "1" }
# depends_on = ["build"]        # tasks that must succeed first
# watch = ["src/**/*.py"]       # runs when they change and you trust this
# on_busy = "queue"             # or restart, ignore, parallel
# timeout = "10m"
# problem_matcher = "pytest"    # makes output diagnostics
# sync = "push"                 # brings changed files to the server first
"""
