"""One line of a `.gitignore` as a regular expression, just as git reads it.

Source: git's `dir.c` (how a line becomes a pattern) and `wildmatch.c` (what a pattern matches). Text here is whatever
the caller matches in: characters, or bytes as Latin-1, which is how git itself compares.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SPECIAL = re.compile(r"[*?\[\\]")
_CLASSES = {
    "alnum": ("09", "AZ", "az"),
    "alpha": ("AZ", "az"),
    "blank": ("\t\t", "  "),
    "cntrl": ("\0\x1f", "\x7f\x7f"),
    "digit": ("09",),
    "graph": ("!~",),
    "lower": ("az",),
    "print": (" ~",),
    "punct": ("!/", ":@", "[`", "{~"),
    "space": ("\t\n", "\r\r", "  "),  # git's own idea of it
    "upper": ("AZ",),
    "xdigit": ("09", "AF", "af"),
}


class Pattern(NamedTuple):
    """`regex` matches a whole path. `takes` is false for a line that takes back what others ignored."""

    regex: str
    takes: bool
    folders_only: bool


def lines_of(content: str) -> list[str]:
    """The lines of a file that git reads as patterns; only LF ends one, and a CR before it goes."""
    lines = (line.removesuffix("\r").partition("\0")[0] for line in content.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def translated(line: str) -> Pattern:
    """The pattern of a line. Raises ValueError, saying why, for one that can match nothing; git passes over such."""
    body = _without_blanks(line)
    takes = not body.startswith("!")
    body = body if takes else body[1:]
    folders_only = body.endswith("/")
    body = body.removesuffix("/")
    anywhere = "/" not in body
    body = body.removeprefix("/")
    if not body:
        raise ValueError("it names nothing")
    regex = _regex(body)
    return Pattern(f"(?s)(?:.*/)?{regex}" if anywhere else f"(?s){regex}", takes, folders_only)


def _without_blanks(line: str) -> str:
    """Without the spaces at its end, unless a backslash keeps one."""
    bare = line.rstrip(" ")
    escapes = len(bare) - len(bare.rstrip("\\"))
    return line[: len(bare) + 1] if escapes % 2 else bare


def _regex(body: str) -> str:
    special = _SPECIAL.search(body)
    literal = special.start() if special else len(body)  # git compares this much by itself, and starts anew behind it
    made, at = [re.escape(body[:literal])], literal
    while at < len(body):
        match body[at]:
            case "*":
                end = len(body) - len(body[at:].lstrip("*"))
                is_alone = end == len(body) or body.startswith(("/", "\\/"), end)
                if end - at > 1 and is_alone and (at == literal or body[at - 1] == "/"):
                    over = body.startswith("/", end)
                    made.append("(?:.*/)?" if over else ".*")
                    at = end + over
                else:
                    made.append("[^/]*")
                    at = end
            case "?":
                made.append("[^/]")
                at += 1
            case "[":
                regex, at = _set(body, at)
                made.append(regex)
            case "\\":
                made.append(re.escape(_escaped(body, at)))
                at += 2
            case other:
                made.append(re.escape(other))
                at += 1
    return "".join(made)


def _set(body: str, start: int) -> tuple[str, int]:
    """`[…]`, which begins at `start`, and where it ends. It never matches a slash."""
    at = start + 1
    negated = body.startswith(("!", "^"), at)
    first = at = at + negated
    ranges: list[str] = []
    before = ""  # what a range may begin with
    while at == first or not body.startswith("]", at):
        one = body[at : at + 1]
        if not one:
            raise ValueError("a [ is not closed")
        if one == "\\":
            before = _escaped(body, at)
            ranges.append(before * 2)
            at += 2
        elif one == "-" and before and body[at + 1 : at + 2] not in {"", "]"}:
            at += 1
            last = _escaped(body, at) if body[at] == "\\" else body[at]
            at += 2 if body[at] == "\\" else 1
            ranges.append(before + last)
            before = ""
        elif (found := _class(body, at)) is not None:
            ranges += found[0]
            before, at = "", found[1]
        else:
            before = one
            ranges.append(one * 2)
            at += 1
    return _written(ranges, negated=negated), at + 1


def _class(body: str, at: int) -> tuple[tuple[str, ...], int] | None:
    """`[:alpha:]` at this place, if one is there, and where it ends."""
    if not body.startswith("[:", at):
        return None
    end = body.find("]", at + 2)
    if end < 0:
        raise ValueError("a [: is not closed")
    if end == at + 2 or body[end - 1] != ":":
        return None
    name = body[at + 2 : end - 1]
    if name not in _CLASSES:
        raise ValueError(f"[:{name}:] is no class of characters")
    return _CLASSES[name], end + 1


def _written(ranges: list[str], *, negated: bool) -> str:
    text = "".join(f"\\x{{{ord(low):x}}}-\\x{{{ord(high):x}}}" for low, high in _without_slash(ranges))
    if negated:
        return f"[^/{text}]"
    if not text:
        raise ValueError("a set [ ] holds nothing")
    return f"[{text}]"


def _without_slash(ranges: list[str]) -> list[tuple[str, str]]:
    cut = []
    for low, high in map(tuple, ranges):
        if low <= "/" <= high:
            cut += [(low, "."), ("0", high)]
        else:
            cut.append((low, high))
    return [(low, high) for low, high in cut if low <= high]


def _escaped(body: str, at: int) -> str:
    """The character after the backslash at `at`."""
    if at + 1 == len(body):
        raise ValueError("a backslash at its end has nothing to escape")
    return body[at + 1]
