"""VS Code's `problemMatcher` objects, as they stand in people's `tasks.json`, to definitions.

The rules are those of VS Code's own reader (`problemMatcher.ts`): its defaults, its silence about what it does not
know, its errors about what it cannot use. A reference to somebody else's pattern or matcher is a name with `$`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rdev_bridge.errors import UsageError
from rdev_bridge.problems.definition import Background, Definition, MatcherError, Pattern, severity_of
from rdev_bridge.problems.problem import ApplyTo, FileLocation, FileLocationKind
from rdev_bridge.problems.regex import Regex, compile_js

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdev_bridge.problems.problem import Severity

    Lookup = Callable[[str], tuple[Definition, ...]]

PROPERTIES = ("file", "location", "line", "column", "endLine", "endColumn", "severity", "code", "message")
_APPLY_TO = {one.value.lower(): one for one in ApplyTo}
_KINDS = {one.value: one for one in FileLocationKind}
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_KNOWN_VARIABLE = re.compile(r"\$\{(workspaceFolder(:[^}]*)?|workspaceRoot|cwd)\}")


def matcher_from_vscode(value: Mapping[str, Any], lookup: Lookup) -> tuple[Definition, ...]:
    """One matcher object (several definitions where its base has several).

    `lookup` finds a built-in by name and raises MatcherError for a strange one.

    Raises MatcherError with the place inside the object: `pattern[1].regexp: …`.
    """
    base = value.get("base")
    if isinstance(base, str):
        bases = _found(lookup, base, "base")
    else:
        bases = (Definition(owner=str(value.get("owner", "external"))),)
    changes: dict[str, Any] = {}
    for name in ("owner", "source"):
        if isinstance(value.get(name), str):
            changes[name] = value[name]
    if "severity" in value:
        changes["severity"] = _severity(value["severity"])
    if isinstance(value.get("applyTo"), str):
        changes["apply_to"] = _APPLY_TO.get(value["applyTo"].lower(), ApplyTo.ALL)
    if "fileLocation" in value:
        changes["location"] = _location(value["fileLocation"])
    if value.get("pattern"):
        changes |= _patterns(value["pattern"], lookup)
    background = _background(value)
    if background:
        changes["background"] = background
    if "patterns" in changes:
        bases = bases[:1]
    definitions = tuple(replace(one, **changes) for one in bases)
    if not all(one.patterns or one.parser for one in definitions):
        raise MatcherError("a matcher needs a pattern, or a base that has one", "pattern")
    return definitions


def _found(lookup: Lookup, name: str, where: str) -> tuple[Definition, ...]:
    try:
        return lookup(name)
    except MatcherError as error:
        raise error.under(where) from None


def _severity(value: object) -> Severity:
    found = severity_of(value) if isinstance(value, str) else None
    if found is None:
        raise MatcherError(f"{value!r} is none of error, warning, info", "severity")
    return found


def _patterns(value: object, lookup: Lookup) -> dict[str, Any]:
    if isinstance(value, str):
        named = _found(lookup, value, "pattern")[0]
        if not named.patterns:
            raise MatcherError(f"{value} is no pattern; say `base` for it", "pattern")
        return {
            "patterns": named.patterns,
            "loop": named.loop,
            "whole_file": named.whole_file,
            "parser": None,
            "more": None,
        }
    single = isinstance(value, Mapping)
    items = [value] if single else value
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        raise MatcherError("it must be a name, an object or a list of objects", "pattern")
    patterns = []
    for index, item in enumerate(items):
        where = ("pattern",) if single else ("pattern", index)
        patterns.append(_pattern(item, where, defaults=single))
        if item.get("loop") is True and index < len(items) - 1:
            raise MatcherError("only the last pattern of several may loop", *where, "loop")
        if item.get("kind") and index > 0:
            raise MatcherError("only the first pattern of several may have a kind", *where, "kind")
    whole_file = str(items[0].get("kind", "")).lower() == "file"
    _check_complete(patterns, whole_file=whole_file)
    loop = not single and items[-1].get("loop") is True
    return {"patterns": tuple(patterns), "loop": loop, "whole_file": whole_file, "parser": None, "more": None}


def _pattern(item: Mapping[str, Any], where: tuple[str | int, ...], *, defaults: bool) -> Pattern:
    groups = {name: item[name] for name in PROPERTIES if _is_group(item.get(name))}
    if defaults:
        by_default = {"file": 1, "message": 0}
        if not groups.get("location") and str(item.get("kind", "")).lower() != "file":
            by_default |= {"line": 2, "column": 3}
        groups = by_default | groups
    return Pattern(_regex(item.get("regexp"), *where, "regexp"), groups)


def _is_group(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_complete(patterns: list[Pattern], *, whole_file: bool) -> None:
    named = {name for pattern in patterns for name in pattern.groups}
    if not {"file", "message"} <= named:
        raise MatcherError("it must capture at least a file and a message", "pattern")
    if not whole_file and not named & {"line", "location"}:
        raise MatcherError('it must capture a line or a location, or have kind "file"', "pattern")


def _regex(value: object, *where: str | int) -> Regex:
    if not isinstance(value, str) or not value:
        raise MatcherError("a regular expression is missing", *where)
    try:
        return compile_js(value)
    except UsageError as error:
        raise MatcherError(str(error), *where) from None


def _location(value: object) -> FileLocation:
    parts = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
    kind = _KINDS.get(str(parts[0]).lower()) if parts else None
    argument = parts[1] if len(parts) > 1 else None
    if kind is None:
        raise MatcherError(f"{value!r} is none of absolute, relative, autoDetect, search", "fileLocation")
    if kind is FileLocationKind.SEARCH:
        search = argument if isinstance(argument, Mapping) else {}
        return FileLocation(
            kind, None, _folders(search.get("include"), "include"), _folders(search.get("exclude"), "exclude")
        )
    if argument is not None and (kind is FileLocationKind.ABSOLUTE or not isinstance(argument, str)):
        raise MatcherError(f"{value!r} has a second part that its kind does not know", "fileLocation")
    return FileLocation(kind, _checked(argument, "fileLocation") if argument else None)


def _folders(value: object, name: str) -> tuple[str, ...]:
    folders = [value] if isinstance(value, str) else value or []
    if not isinstance(folders, Sequence) or not all(isinstance(folder, str) for folder in folders):
        raise MatcherError("it must be a folder or a list of folders", "fileLocation", 1, name)
    return tuple(_checked(folder, "fileLocation", 1, name) for folder in folders if folder)


def _checked(path: str, *where: str | int) -> str:
    for variable in _VARIABLE.findall(path):
        if not _KNOWN_VARIABLE.fullmatch(variable):
            raise MatcherError(f"{variable} is not known here; use ${{workspaceFolder}} or ${{cwd}}", *where)
    return path


def _background(value: Mapping[str, Any]) -> Background | None:
    if value.get("watchedTaskBeginsRegExp") and value.get("watchedTaskEndsRegExp"):
        return Background(
            _regex(value["watchedTaskBeginsRegExp"], "watchedTaskBeginsRegExp"),
            _regex(value["watchedTaskEndsRegExp"], "watchedTaskEndsRegExp"),
        )
    name = "background" if "background" in value else "watching"
    monitor = value.get(name)
    if not isinstance(monitor, Mapping):
        return None
    begins, ends = monitor.get("beginsPattern"), monitor.get("endsPattern")
    if not begins and not ends:
        return None
    if not begins or not ends:
        raise MatcherError("it needs both a beginsPattern and an endsPattern", name)
    file = begins.get("file") if isinstance(begins, Mapping) else None
    return Background(
        _watching(begins, name, "beginsPattern"),
        _watching(ends, name, "endsPattern"),
        begins_file=file if isinstance(file, int) and file > 0 else 1,
        active_on_start=monitor.get("activeOnStart") is True,
    )


def _watching(value: object, *where: str) -> Regex:
    if isinstance(value, Mapping) and "regexp" in value:
        return _regex(value["regexp"], *where, "regexp")
    return _regex(value, *where)
