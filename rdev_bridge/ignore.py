"""What git would ignore: nested `.gitignore` files, `.git/info/exclude`, and the user's own `git/ignore`.

Source: gitignore(5). A folder's own file wins over its parents', the last matching line of a file wins, and nothing
below an ignored folder can be taken back. Version control's own folders are always ignored, as is the file in
their place in a worktree or a submodule.

Patterns come with a stranger's files, so they are matched by RE2, in time linear in the name: on Python's expressions
`*a*a*a*a*a*b` and one long name would hold everything up for minutes.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pathspec import GitIgnoreSpec

_PRIVATE_USE = 0x10FF00
_NO_UTF8 = {0xDC00 + byte: chr(_PRIVATE_USE + byte) for byte in range(0x80, 0x100)}
_NEVER = frozenset({".git", ".hg", ".svn", ".jj", ".rdev-push"})


class IgnoreRules:
    """The rules of one folder, which need not be a repository's top. Paths are absolute strings, links resolved."""

    def __init__(self, folder: str) -> None:
        self._top = self._folder = _repository(folder) or folder
        self.git_dir = _git_dir(self._top)
        self.reload()
        if self.folder_ignored(folder):  # somebody who opens an ignored folder wants to work in it
            self._top = folder
        self._folder = folder
        self.reload()

    def reload(self) -> None:
        """Forget what was read; it is read again when it is needed."""
        self._patterns: dict[str, Patterns | None] = {}
        self._folders: dict[str, bool] = {self._folder: False}
        config = os.environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
        self._own_file = f"{config}/git/ignore"
        general = [self._read(self.exclude_file) if self.exclude_file else None, self._read(self._own_file)]
        self._general = [patterns for patterns in general if patterns is not None]

    @property
    def exclude_file(self) -> str | None:
        """The repository's `info/exclude`."""
        return f"{_common(self.git_dir)}/info/exclude" if self.git_dir else None

    def outer_files(self) -> list[str]:
        """The files outside the folder that have a say, whether they exist or not."""
        files = [self._own_file]
        if self.exclude_file:
            files.append(self.exclude_file)
        above = self._folder
        while above != self._top:
            above = above.rsplit("/", 1)[0]
            files.append(f"{above}/.gitignore")
        return files

    def folder_ignored(self, path: str) -> bool:
        """Whether a folder in the workspace, or one that holds it, is ignored."""
        known = self._folders.get(path)
        if known is None:
            parent, name = path.rsplit("/", 1)
            known = name in _NEVER or not parent or self.folder_ignored(parent) or self._excludes(path + "/", parent)
            self._folders[path] = known
        return known

    def file_ignored(self, path: str) -> bool:
        """Whether a file in the workspace is ignored."""
        parent, name = path.rsplit("/", 1)
        return name in _NEVER or self.folder_ignored(parent) or self._excludes(path, parent)

    def _excludes(self, path: str, folder: str) -> bool:
        while True:
            patterns = self._patterns_of(folder)
            if patterns is not None:
                verdict = patterns.verdict(path[len(folder) + 1 :])
                if verdict is not None:
                    return verdict
            if folder == self._top:
                break
            folder = folder.rsplit("/", 1)[0]
        below = path[len(self._top) + 1 :]
        verdicts = (patterns.verdict(below) for patterns in self._general)
        return next((verdict for verdict in verdicts if verdict is not None), False)

    def _patterns_of(self, folder: str) -> Patterns | None:
        if folder not in self._patterns:
            self._patterns[folder] = self._read(f"{folder}/.gitignore")
        return self._patterns[folder]

    @staticmethod
    def _read(path: str) -> Patterns | None:
        try:
            lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            return None
        return Patterns(lines, pass_over=True)


class Patterns:
    """Lines of a `.gitignore`, of which the last one that matches decides.

    Raises ValueError for a line that is no pattern; with `pass_over` it is left out, as git does.
    """

    def __init__(self, lines: Iterable[str], *, pass_over: bool = False) -> None:
        self._specs = _compiled([matchable(line) for line in lines], pass_over)

    def verdict(self, name: str) -> bool | None:
        """Whether `name` is taken (True) or left (False); None where no line speaks of it."""
        name = matchable(name)
        verdicts = (spec.check_file(name).include for spec in self._specs)
        return next((verdict for verdict in verdicts if verdict is not None), None)


def _compiled(lines: list[str], pass_over: bool) -> list[GitIgnoreSpec]:
    """The last lines first. Thousands of them are more than one automaton may hold, so there are several then."""
    import re2
    from pathspec import GitIgnoreSpec  # imported when they are first needed

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # `[[:alpha:]]`, of which pathspec asks Python's engine too
            return [GitIgnoreSpec.from_lines(lines, backend="re2")]
    except (ValueError, re.error, re2.error) as error:
        if len(lines) > 1:
            middle = len(lines) // 2
            return _compiled(lines[middle:], pass_over) + _compiled(lines[:middle], pass_over)
        if pass_over:
            return []
        raise ValueError(str(error)) from None


def matchable(name: str) -> str:
    """`name` for RE2, which takes UTF-8 alone: bytes that are none become characters that nobody uses."""
    return name if name.isascii() else name.translate(_NO_UTF8)


def _repository(folder: str) -> str | None:
    path = Path(folder)
    return next((str(above) for above in (path, *path.parents) if (above / ".git").exists()), None)


def _git_dir(top: str) -> str | None:
    """The repository's git folder; a worktree names its own in a file. Source: gitrepository-layout(5)."""
    entry = Path(top, ".git")
    if entry.is_dir():
        return str(entry)
    try:
        word, _, named = entry.read_text("utf-8", "replace").strip().partition(": ")
    except OSError:
        return None
    return str((Path(top) / named).resolve()) if word == "gitdir" else None


def _common(git_dir: str) -> str:
    """What a worktree's git folder shares with the other worktrees. Source: gitrepository-layout(5), `commondir`."""
    try:
        return os.path.normpath(Path(git_dir, Path(git_dir, "commondir").read_text("utf-8", "surrogateescape").strip()))
    except OSError:
        return git_dir
