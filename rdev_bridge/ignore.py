"""What git would ignore: nested `.gitignore` files, `.git/info/exclude`, and the user's own `git/ignore`.

Source: gitignore(5); what a line means is `gitpattern`'s. A folder's own file wins over its parents', the last matching
line of a file wins, and nothing below an ignored folder can be taken back. Version control's own folders are always
ignored, as is the file in their place in a worktree or a submodule.

Patterns come with a stranger's files, so they are matched by RE2, in time linear in the name: on Python's expressions
`*a*a*a*a*a*b` and one long name would hold everything up for minutes.
"""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rdev_bridge.gitpattern import lines_of, translated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdev_bridge.gitpattern import Pattern

_PRIVATE_USE = 0x10FF00
_NO_UTF8 = {0xDC00 + byte: chr(_PRIVATE_USE + byte) for byte in range(0x80, 0x100)}
_MOST_BYTES = 16 * 1024 * 1024
_MOST_MEMORY = 64 * 1024 * 1024
_NEVER = frozenset({".git", ".hg", ".svn", ".jj", ".rdev-push"})


class _Automaton(Protocol):
    """What `re2.Set` is once it is compiled: which of its patterns match, by number, in no order."""

    def Match(self, text: str | bytes) -> list[int] | None: ...  # noqa: N802 - its name


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
            known = (
                name in _NEVER
                or not parent
                or self.folder_ignored(parent)
                or self._excludes(path, parent, is_folder=True)
            )
            self._folders[path] = known
        return known

    def file_ignored(self, path: str) -> bool:
        """Whether a file in the workspace is ignored."""
        parent, name = path.rsplit("/", 1)
        return name in _NEVER or self.folder_ignored(parent) or self._excludes(path, parent, is_folder=False)

    def _excludes(self, path: str, folder: str, *, is_folder: bool) -> bool:
        while True:
            patterns = self._patterns_of(folder)
            if patterns is not None:
                verdict = patterns.verdict(path[len(folder) + 1 :], is_folder=is_folder)
                if verdict is not None:
                    return verdict
            if folder == self._top:
                break
            folder = folder.rsplit("/", 1)[0]
        below = path[len(self._top) + 1 :]
        verdicts = (patterns.verdict(below, is_folder=is_folder) for patterns in self._general)
        return next((verdict for verdict in verdicts if verdict is not None), False)

    def _patterns_of(self, folder: str) -> Patterns | None:
        if folder not in self._patterns:
            self._patterns[folder] = self._read(f"{folder}/.gitignore")
        return self._patterns[folder]

    @staticmethod
    def _read(path: str) -> Patterns | None:
        try:
            with open(path, "rb", opener=_open_in_place if path.endswith("/.gitignore") else _open) as file:
                content = file.read(_MOST_BYTES) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        except OSError:
            return None
        return Patterns(lines_of(content.removeprefix(codecs.BOM_UTF8).decode("latin-1")), as_git=True)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO in its place holds nobody up


def _open_in_place(path: str, flags: int) -> int:
    """A stranger's link leads nowhere, as in git."""
    return _open(path, flags | os.O_NOFOLLOW)


class Patterns:
    """Lines of a `.gitignore`, of which the last one that matches decides.

    Raises ValueError for a line that can match nothing. `as_git` passes over such a line, and compares byte by byte, so
    that `?` is not enough for an `é`; lines are a file's bytes then, read as Latin-1.
    """

    def __init__(self, lines: Iterable[str], *, as_git: bool = False) -> None:
        self._bytewise = as_git
        patterns = []
        for line in lines:
            try:
                patterns.append(translated(line if as_git else matchable(line)))
            except ValueError:
                if not as_git:
                    raise
        self._automata = _compiled(patterns, bytewise=as_git)

    def verdict(self, name: str, *, is_folder: bool) -> bool | None:
        """Whether `name` itself is ignored (True) or taken back (False); None where no line speaks of it."""
        text = os.fsencode(name) if self._bytewise else matchable(name)
        for automaton, patterns in self._automata:
            for index in sorted(automaton.Match(text) or (), reverse=True):
                if is_folder or not patterns[index].folders_only:
                    return patterns[index].takes
        return None

    def takes(self, path: str) -> bool:
        """Whether the last line that matches `path`, a file's, or a folder that holds it, is no `!`."""
        names = matchable(path).split("/")
        for automaton, patterns in self._automata:
            matched = set(automaton.Match("/".join(names)) or ())
            matched = {index for index in matched if not patterns[index].folders_only}
            for count in range(1, len(names)):
                matched.update(automaton.Match("/".join(names[:count])) or ())
            if matched:
                return patterns[max(matched)].takes
        return False


def _compiled(patterns: list[Pattern], *, bytewise: bool) -> list[tuple[_Automaton, list[Pattern]]]:
    """The last patterns first. Thousands of them are more than one automaton may hold, so there are several then."""
    if not patterns:
        return []
    import re2  # imported when it is first needed

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    if bytewise:
        options.encoding = re2.Options.Encoding.LATIN1
    automaton = re2.Set.FullMatchSet(options)
    try:
        for pattern in patterns:
            automaton.Add(pattern.regex.encode("latin-1") if bytewise else pattern.regex)
        automaton.Compile()
    except re2.error as error:
        if len(patterns) > 1:
            middle = len(patterns) // 2
            parts = (patterns[middle:], patterns[:middle])
            return [one for part in parts for one in _compiled(part, bytewise=bytewise)]
        if bytewise:
            return []
        raise ValueError(str(error)) from None
    return [(automaton, patterns)]


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
