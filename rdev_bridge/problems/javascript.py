"""Reads ECMAScript regular expressions (no flags, annex B included) and writes RE2's syntax, character by character.

So `\\u{61}` is sixty-one times "u", `\\p` a "p", and `[[:alpha:]]` what JavaScript takes it for. What RE2 cannot
express is refused with its name and place. Two differences remain: a character outside the BMP is one character, not
two, and a group inside a repetition keeps what it took in an earlier round.
"""

from __future__ import annotations

import re

from rdev_bridge.errors import UsageError

Ranges = tuple[tuple[int, int], ...]

_LAST = 0x10FFFF
_DIGIT: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Ranges = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
_LINE_END: Ranges = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??")
_MODIFIERS = re.compile(r"\(\?[ims]*(?:-[ims]*)?:")
_GROUP_NAME = re.compile(r"\(\?<([^>]*)>")
_MOST_REPEATS = 1000  # RE2's own limit


def _without(ranges: Ranges) -> Ranges:
    """All other characters."""
    gaps, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            gaps.append((start, low - 1))
        start = max(start, high + 1)
    return (*gaps, (start, _LAST)) if start <= _LAST else tuple(gaps)


_CLASSES = {
    "d": _DIGIT,
    "w": _WORD,
    "s": _SPACE,
    "D": _without(_DIGIT),
    "W": _without(_WORD),
    "S": _without(_SPACE),
}


class Reader:
    """Reads one pattern, once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.depth = 0
        # How many groups there are decides what `\3` means, so they are counted first.
        bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", source, flags=re.DOTALL)
        self.groups = len(re.findall(r"\((?!\?)|\(\?<(?![=!])", bare))
        self.named = "(?<" in re.sub(r"\(\?<[=!]", "", bare)

    def read(self) -> tuple[tuple[str, str], ...]:
        """The pieces that stand in a row at the top level, each as (JavaScript, RE2).

        Raises UsageError that names the construct and its place (counted from 1).
        """
        pieces: list[tuple[str, str]] = []
        opened: list[int] = []  # where in `pieces` each open group began
        while self.at < len(self.source):
            start = self.at
            self._refuse_lookaround()
            piece = self._next()
            if piece.startswith("(") and self.source[start] == "(":
                opened.append(len(pieces))
            pieces.append((self.source[start : self.at], piece))
            if self.source[start] == ")":
                if not opened:
                    raise self._error("an unmatched `)`", start)
                first = opened.pop()
                pieces[first:] = [
                    ("".join(js for js, _ in pieces[first:]), "".join(ours for _, ours in pieces[first:]))
                ]
        if opened:
            raise self._error("an unclosed `(`", sum(len(js) for js, _ in pieces[: opened[0]]))
        return self._alternatives(pieces)

    @staticmethod
    def _alternatives(pieces: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """A pattern that is a choice at its top level is one piece: parts of it mean nothing alone."""
        if all(js != "|" for js, _ in pieces):
            return tuple(pieces)
        return (("".join(js for js, _ in pieces), "".join(ours for _, ours in pieces)),)

    def _next(self) -> str:
        character = self.source[self.at]
        if character == "(":
            return self._group()
        if character == "[":
            return self._with_quantifier(self._class())
        if character == "\\":
            return self._with_quantifier(self._escape())
        self.at += 1
        if character == ")":
            return self._with_quantifier(")")
        if character in "^$|":
            return character
        if character == ".":
            return self._with_quantifier(_class_text(_LINE_END, negated=True))
        if character in "*+?" or _QUANTIFIER.match(self.source, self.at - 1):
            raise self._error(f"nothing to repeat for `{character}`", self.at - 1)
        if "\ud800" <= character <= "\udfff":
            raise self._error("half of a surrogate pair", self.at - 1)
        return self._with_quantifier(_literal(ord(character)))

    def _with_quantifier(self, atom: str) -> str:
        found = _QUANTIFIER.match(self.source, self.at)
        if not found:
            return atom
        numbers = [int(number[:9]) for number in (found[1], found[3]) if number]
        if any(number > _MOST_REPEATS for number in numbers):
            raise self._error(f"a repetition of more than {_MOST_REPEATS} times", self.at)
        self.at = found.end()
        return atom + found[0]

    def _refuse_lookaround(self) -> None:
        for opening, name in (("(?=", "lookahead"), ("(?!", "negative lookahead")):
            if self.source.startswith(opening, self.at):
                raise self._error(f"a {name} `{opening}`", self.at)
        for opening, name in (("(?<=", "lookbehind"), ("(?<!", "negative lookbehind")):
            if self.source.startswith(opening, self.at):
                raise self._error(f"a {name} `{opening}`", self.at)

    def _group(self) -> str:
        start = self.at
        for pattern, opening in ((_GROUP_NAME, "("), (_MODIFIERS, None)):
            found = pattern.match(self.source, start)
            if found:
                self.at = found.end()
                return opening or found[0]
        if self.source.startswith("(?", start):
            raise self._error(f"an unknown group `{self.source[start : start + 3]}`", start)
        self.at += 1
        return "("

    def _escape(self) -> str:
        following = self.source[self.at + 1 : self.at + 2]
        if following in ("b", "B"):
            self.at += 2
            return f"\\{following}"
        number = re.compile(r"[1-9]\d*").match(self.source, self.at + 1)
        if number and int(number[0][:6]) <= self.groups:
            raise self._error(f"a backreference `\\{number[0]}`", self.at)
        if following == "k" and self.named:
            raise self._error("a backreference `\\k`", self.at)
        ranges = self._escaped(in_class=False)
        if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
            return _literal(ranges[0][0])
        return _class_text(ranges)

    def _escaped(self, *, in_class: bool) -> Ranges:
        """What the escape at `at` stands for; moves behind it."""
        start = self.at
        rest = self.source[start + 1 :]
        if not rest:
            raise self._error("a `\\` at the end", start)
        letter = rest[0]
        self.at = start + 2
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return _only(_CONTROLS[letter])
        if letter == "b" and in_class:
            return _only(0x08)
        for pattern, base in ((r"x([0-9A-Fa-f]{2})", 16), (r"u([0-9A-Fa-f]{4})", 16), (r"([0-3]?[0-7]{1,2})", 8)):
            found = re.match(pattern, rest)
            if found:
                self.at = start + 1 + found.end()
                return _only(self._paired(int(found[1], base), start))
        control = re.match(r"c([A-Za-z])", rest)
        if control:
            self.at = start + 3
            return _only(ord(control[1]) % 32)
        if letter == "c":
            self.at = start + 1
            return _only(0x5C)
        return _only(ord(letter))

    def _paired(self, unit: int, start: int) -> int:
        """One character of what may be the first of two `\\uXXXX`."""
        low = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})").match(self.source, self.at)
        if 0xD800 <= unit <= 0xDBFF and low:
            self.at = low.end()
            return 0x10000 + ((unit - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        if 0xD800 <= unit <= 0xDFFF:
            raise self._error("half of a surrogate pair", start)
        return unit

    def _class(self) -> str:
        start = self.at
        self.at += 1
        negated = self.source.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        while not self.source.startswith("]", self.at):
            low = self._class_atom(start)
            range_follows = self.source.startswith("-", self.at) and not self.source.startswith("-]", self.at)
            if not range_follows:
                ranges += low
                continue
            self.at += 1
            high = self._class_atom(start)
            if len(low) > 1 or len(high) > 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1]:
                ranges += (*low, (0x2D, 0x2D), *high)  # `[\w-.]`: the hyphen is itself
            elif low[0][0] > high[0][0]:
                raise self._error("a range in reverse order", start)
            else:
                ranges.append((low[0][0], high[0][0]))
        self.at += 1
        return _class_text(tuple(ranges), negated=negated)

    def _class_atom(self, start: int) -> Ranges:
        if self.at >= len(self.source):
            raise self._error("an unclosed `[`", start)
        if self.source[self.at] == "\\":
            return self._escaped(in_class=True)
        self.at += 1
        character = ord(self.source[self.at - 1])
        if 0xD800 <= character <= 0xDFFF:
            raise self._error("half of a surrogate pair", self.at - 1)
        return _only(character)

    def _error(self, construct: str, at: int) -> UsageError:
        return UsageError(
            f"the regular expression {self.source!r} has {construct} at position {at + 1}, "
            "which cannot be matched in linear time; write it without"
            if "look" in construct or "backreference" in construct
            else f"the regular expression {self.source!r} has {construct} at position {at + 1}"
        )


def _only(character: int) -> Ranges:
    return ((character, character),)


def _literal(character: int) -> str:
    text = chr(character)
    return text if (text.isalnum() and text.isascii()) or text in " _-/:,;=<>@'\"#%&!~`" else f"\\x{{{character:x}}}"


def _class_text(ranges: Ranges, *, negated: bool = False) -> str:
    if not ranges:
        return "(?s:.)" if negated else f"[^\\x{{0}}-\\x{{{_LAST:x}}}]"
    inner = "".join(f"\\x{{{low:x}}}" + (f"-\\x{{{high:x}}}" if high > low else "") for low, high in ranges)
    return f"[{'^' if negated else ''}{inner}]"
