"""JavaScript regular expressions, as VS Code's matchers use them, on RE2: time linear in the line, whatever is written.

`javascript.py` translates; this compiles, for single lines and to find candidates in a whole block of lines at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rdev_bridge.errors import UsageError
from rdev_bridge.problems.javascript import Reader

MAX_LENGTH = 4096
"""Characters of a pattern that we are willing to compile."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled pattern. `pieces` are what stands in a row at its top level, as (JavaScript, RE2)."""

    source: str
    groups: int
    pieces: tuple[tuple[str, str], ...]
    _line: Any

    @property
    def translated(self) -> str:
        """The same for RE2."""
        return "".join(piece for _, piece in self.pieces)

    def match(self, line: str) -> tuple[str | None, ...] | None:
        """The whole match and its groups, or None; found anywhere in `line`, as JavaScript's `exec` does."""
        data = line.encode(errors="replace")  # in bytes: counting the characters before each group costs twice as much
        found = self._line.search(data)
        if found is None:
            return None
        spans = [found.span(group) for group in range(self.groups + 1)]
        return tuple(data[start:end].decode() if start >= 0 else None for start, end in spans)


@lru_cache(maxsize=512)
def compile_js(source: str) -> Regex:
    """Raises UsageError that names the construct and its place (counted from 1) where RE2 cannot express it."""
    if len(source) > MAX_LENGTH:
        raise UsageError(f"the regular expression is longer than {MAX_LENGTH} characters")
    pieces = Reader(source).read()
    line = compile_re2("".join(piece for _, piece in pieces), source, on_bytes=True)
    return Regex(source, int(line.groups), pieces, line)


@lru_cache(maxsize=512)
def line_filter(regex: Regex) -> Any:
    """`regex` for a block of lines as UTF-8 bytes: finds the lines that match, and never reaches over a line's end."""
    return compile_re2(f"(?m:{regex.translated})", regex.source, on_bytes=True, over_lines=True)


def compile_re2(pattern: str, source: str, *, on_bytes: bool = False, over_lines: bool = False) -> Any:
    """Compile RE2 syntax, for text or for UTF-8; `source` is what the user wrote, for the error."""
    import re2  # 20 ms that only a run with a matcher needs

    options = re2.Options()
    options.log_errors = False
    options.never_nl = over_lines
    options.never_capture = over_lines
    try:
        return re2.compile(pattern.encode() if on_bytes else pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise UsageError(f"the regular expression {source!r} cannot be used: {reason}") from None
