"""Which workspaces may start things by themselves: bound to the folder and to the content of its `rdev.toml`.

What a grant was for is kept, so that a later change can be shown before it is granted again. One 0600 file a folder,
replaced as a whole: two processes cannot tear it, and grants for different folders never meet.
A task that the user names needs none of this.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import structs

from rdev_bridge import places
from rdev_bridge.core.consent import meaning
from rdev_bridge.core.shown import one_line, visible
from rdev_bridge.errors import SettingsError
from rdev_bridge.model import SyncCommand
from rdev_bridge.settings import FILE_NAME, Source, workspace_from

_OF_NO_WEIGHT = frozenset({"name", "folder", "location", "description", "group", "problem_matcher"})


@dataclass(frozen=True, slots=True)
class Grant:
    """Trust in `folder` (symbolic links resolved) as it was when `content` was its `rdev.toml`."""

    folder: Path
    content: bytes
    granted_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


class _Record(msgspec.Struct):
    folder: str  # base64 of the bytes: a folder's name need not be UTF-8
    content: str
    granted_at: datetime


def is_trusted(folder: Path, digest: str) -> bool:
    """Whether the user granted trust to `folder` with just the content that has this digest (`Workspace.digest`).

    Ask with the digest of what was *loaded*: the file may be another one by now.
    """
    grant = granted(folder)
    return grant is not None and grant.digest == digest


def granted(folder: Path) -> Grant | None:
    """The last grant for `folder`, whatever its file holds now."""
    return _read(_file(folder), folder.resolve())


def grant(folder: Path, content: bytes) -> None:
    """Trust `folder` with just this content of its `rdev.toml` (`Workspace.source.content`)."""
    record = _Record(_encode(os.fsencode(folder.resolve())), _encode(content), datetime.now(UTC))
    places.replace_file(_file(folder), msgspec.json.encode(record))


def revoke(folder: Path) -> bool:
    """Trust `folder` no more; false where it was not trusted."""
    path = _file(folder)
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there


def grants() -> list[Grant]:
    """All grants, by folder."""
    found = (_read(path, None) for path in _folder().glob("*.json"))
    return sorted((grant for grant in found if grant), key=lambda grant: grant.folder)


@dataclass(frozen=True, slots=True)
class Review:
    """What a person decides on: a content, whether another one was trusted before, and the lines that differ."""

    digest: str
    is_change: bool
    lines: list[str]
    """As `changes` has them where there was a grant; the whole content where there was none."""
    starts: list[str]
    """`test: pytest -q`: what could start by itself and is new, or another than it was, one line each."""


def review(folder: Path, content: bytes) -> Review:
    """What trusting `folder` with this content would mean, compared with the last grant."""
    before = granted(folder)
    lines = changes(before.content if before else b"", content)[2:]
    shown = lines if before else [line[1:] for line in lines if line.startswith("+")]
    known = _starts(folder, before.content) if before else {}
    starts = [_told(name, says, known.get(name)) for name, says in _starts(folder, content).items()]
    return Review(hashlib.sha256(content).hexdigest(), before is not None, shown, [one for one in starts if one])


def _starts(folder: Path, content: bytes) -> dict[str, dict[str, object]]:
    """What its watched tasks run (all its tasks, where none is watched), and all that these depend on, by name.

    Each with what the file says of it that matters; nothing, where the file cannot be read as one.
    """
    try:
        workspace = workspace_from(folder, Source.parse(folder / FILE_NAME, content))
    except SettingsError:
        return {}
    tasks = workspace.tasks
    watched = [task for task in tasks.values() if task.watch] or list(tasks.values())
    found: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(name for task in watched for name in meaning(task, tasks)):
        says = {key: value for key, value in structs.asdict(tasks[name]).items() if key not in _OF_NO_WEIGHT}
        sync = says.pop("sync")
        found[name] = says | {"server": says["server"] or workspace.server, "sync": sync and "push"}
        if isinstance(sync, SyncCommand):
            found[f"{name}, first on this machine"] = {"command": sync.command}
    return found


def _told(name: str, says: dict[str, object], before: dict[str, object] | None) -> str:
    """One of `_starts` for a person, or nothing where it is what it was."""
    changed = [key for key in says if before is not None and says[key] != before.get(key)]
    if before is not None and not changed:
        return ""
    others = "" if before is None or "command" in changed else f" (its {', '.join(changed)} changed)"
    return one_line(f"{name}: {says['command']}") + others


def changes(before: bytes, after: bytes) -> list[str]:
    """A unified diff from `before` to `after`, one line an entry, safe to show: what could steer a terminal, or hide
    text in it, is escaped.
    """
    old, new = (content.decode("utf-8", "backslashreplace").split("\n") for content in (before, after))
    return [visible(line) for line in difflib.unified_diff(old, new, "trusted", "now", n=2, lineterm="")]


def grant_file(folder: Path) -> Path:
    """Where a grant for `folder` is kept, by whichever process. It need not exist."""
    return places.state_path() / "trust" / f"{places.workspace_key(folder)}.json"


def _folder() -> Path:
    return places.private(places.state_dir() / "trust")


def _file(folder: Path) -> Path:
    return _folder() / grant_file(folder).name


def _read(path: Path, folder: Path | None) -> Grant | None:
    """The grant in `path`, if it is for `folder` (None: whichever). What cannot be read is no grant."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=_Record)
        found = Path(os.fsdecode(b64decode(record.folder, validate=True)))
        content = b64decode(record.content, validate=True)
    except (OSError, ValueError, msgspec.DecodeError):
        return None
    return Grant(found, content, record.granted_at) if folder in (None, found) else None


def _encode(content: bytes) -> str:
    return b64encode(content).decode("ascii")
