"""What a key may hold. Each reader takes what TOML gave and returns the checked value, or raises WrongValueError."""

from __future__ import annotations

import json
import math
import re
import shlex
from typing import TYPE_CHECKING, Any, TypeVar

from rdev_bridge.errors import UsageError
from rdev_bridge.globs import check_glob

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    Word = TypeVar("Word", bound=StrEnum)


class WrongValueError(Exception):
    """What is wrong with a value, as the end of a sentence that begins with its key."""


_PROJECT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS_S = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\[^\\/]")
_LONGEST_S = 366 * 86400.0


def kind(value: Any) -> str:
    """What TOML calls the type of `value`, with its article."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing where no known word is near."""
    import difflib  # nobody has mistyped anything yet

    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{found[0]}"?' if found else ""


def one_of(words: Iterable[str]) -> str:
    """`"a", "b" or "c"`."""
    *most, last = (f'"{word}"' for word in words)
    return f"{', '.join(most)} or {last}" if most else last


def text(value: Any) -> str:
    """Any text but the empty one."""
    if not isinstance(value, str):
        raise WrongValueError(f"must be a text, not {kind(value)}{_as_text(value)}")
    if not value.strip():
        raise WrongValueError("must not be empty")
    if "\0" in value:
        raise WrongValueError("must not hold a NUL character, which no command can be given")
    return value


def command(value: Any) -> str:
    """What a shell reads."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        raise WrongValueError(f"must be one text, which the server's shell reads: {json.dumps(shlex.join(value))}")
    return text(value)


def path(value: Any) -> str:
    """A path that no shell reads."""
    found = text(value)
    if found.partition("/")[0].startswith("~"):
        raise WrongValueError(f'must not begin with ~, which no shell reads here; write "{_short(found)}" in full')
    return found


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; a single text is a list of one."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        wrong = next(item for item in items if not isinstance(item, str))
        raise WrongValueError(f"must be a list of texts, not {'of ' if wrong is not value else ''}{kind(wrong)}")
    return tuple(dict.fromkeys(text(item) for item in items))


def globs(value: Any) -> tuple[str, ...]:
    """Patterns of files inside the workspace (globs.py)."""
    patterns = texts(value)
    try:
        for pattern in patterns:
            check_glob(pattern)
    except UsageError as error:
        raise WrongValueError(str(error)) from None
    return patterns


def argv(value: Any) -> tuple[str, ...]:
    """A command as a list of words, the program first. No shell reads it."""
    if isinstance(value, str):
        words = ", ".join(f'"{word}"' for word in value.split())
        raise WrongValueError(f"must be a list of words, which no shell reads: [{words}]")
    if not isinstance(value, list) or not value:
        raise WrongValueError('must be a list of words, the program first: ["pass", "show", "rdev"]')
    if not all(isinstance(word, str) and "\0" not in word for word in value) or not value[0]:
        raise WrongValueError("must be a list of texts, the program first")
    return tuple(value)


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongValueError(f"must be true or false, not {kind(value)}")
    return value


def choice(value: Any, words: Iterable[str]) -> str:
    """One of `words`."""
    known = list(words)
    if not isinstance(value, str):
        raise WrongValueError(f"must be {one_of(known)}, not {kind(value)}")
    if value not in known:
        raise WrongValueError(f'must be {one_of(known)}, not "{_short(value)}"{nearest(value, known)}')
    return value


def word(value: Any, words: type[Word]) -> Word:
    """One of the words of an enumeration."""
    return words(choice(value, list(words)))


def duration_s(value: Any) -> float:
    """Seconds, from a number of them or a text like `10m`, `1h30m`, `90s`, `500ms`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongValueError(f'must be a duration like "10m" or a number of seconds, not {kind(value)}')
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if not found or not any(found.groups()):
            raise WrongValueError(f'is no duration: "{_short(value)}"; write it like "90s", "10m" or "1h30m"')
        if len(value) > 40:
            raise WrongValueError("must be a year at most")
        seconds = sum(float(amount) * unit for amount, unit in zip(found.groups(), _UNITS_S, strict=True) if amount)
    else:
        seconds = math.inf if abs(value) > _LONGEST_S else float(value)
        if value < 0:
            raise WrongValueError("must be more than nothing")
    if not seconds > 0:
        raise WrongValueError("must be more than nothing")
    if seconds > _LONGEST_S:
        raise WrongValueError("must be a year at most")
    return seconds


def environment(value: Any) -> dict[str, str]:
    """Names of environment variables with their texts."""
    if not isinstance(value, dict):
        raise WrongValueError(f'must be a table like {{ CI = "1" }}, not {kind(value)}')
    for name, content in value.items():
        if not _ENV_NAME.fullmatch(name):
            raise WrongValueError(f'"{_short(name)}" is no name of an environment variable (letters, digits and _)')
        if not isinstance(content, str):
            raise WrongValueError(f"{name} must be a text, not {kind(content)}{_as_text(content)}")
        if "\0" in content:
            raise WrongValueError(f"{name} must not hold a NUL character")
    return value


def project(value: Any) -> str:
    """A project's id (contract: `[A-Za-z0-9_.-]{1,64}`, never `.` or `..`)."""
    name = text(value)
    if not _PROJECT.fullmatch(name) or name in {".", ".."}:
        raise WrongValueError(
            f'"{_short(name)}" is no id of a project: up to 64 letters, digits, "_", "." and "-", and not "." or ".."'
        )
    return name


def project_of(folder_name: str) -> str:
    """The id of a folder that names none: its name, with what an id cannot hold made a dash."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder_name)[:64]
    return name if name.strip(".-") else "workspace"


def absolute(value: Any) -> str:
    """An absolute path on a server, POSIX or Windows."""
    path = text(value)
    if not _ABSOLUTE.match(path):
        raise WrongValueError(f'must be an absolute path on the server, like "/workspace", not "{_short(path)}"')
    return path


def _as_text(value: Any) -> str:
    return f': write "{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _short(value: str) -> str:
    shown = value if value.isprintable() else value.encode("unicode_escape").decode()
    return shown if len(shown) <= 60 else shown[:57] + "..."
