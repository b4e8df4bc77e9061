"""One configuration file: its text, what it says, and where it says it."""

from __future__ import annotations

import codecs
import hashlib
import re
import stat
import tomllib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.errors import SettingsError
from rdev_bridge.model import Location
from rdev_bridge.settings.locate import KeyPath, Span, locate

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1024 * 1024
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)$")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TWICE = {
    "Cannot declare": "this table stands here a second time; join the two",
    "Cannot overwrite a value": "this key stands here a second time; keep one of them",
}
"""What tomllib says of the two slips that happen most, and what that means."""
_LONG_NUMBER = re.compile(r"[0-9_]{4000,}")


class Source(msgspec.Struct, frozen=True, dict=True):
    """A file that was read; `data` is its content as tomllib gives it, empty where the file is not there."""

    path: Path
    content: bytes = b""
    text: str = ""
    data: dict[str, Any] = msgspec.field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read and parse `path`; a file that is not there is an empty one. Raises SettingsError."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise SettingsError("is no file but something else; move it away", path=path)
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            if path.is_symlink():
                raise SettingsError("is a link to a file that is not there", path=path) from None
            return cls(path)
        except OSError as error:
            raise SettingsError(f"cannot be read: {error.strerror}", path=path) from None
        return cls.parse(path, content)

    @classmethod
    def parse(cls, path: Path, content: bytes) -> Source:
        """The same for a content that is at hand."""
        if len(content) > MAX_BYTES:
            raise SettingsError("is larger than 1 MiB, which no configuration is", path=path, line=1)
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            other = "UTF-16" if content[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "another encoding"
            raise SettingsError(f"is not UTF-8 but {other}; save it as UTF-8", path=path, line=line) from None
        try:
            source = cls(path, content, text, tomllib.loads(text))
            _ = source.spans
        except tomllib.TOMLDecodeError as error:
            problem = str(error)
            place = _PLACE.search(problem)
            line, column = (int(place[1]), int(place[2])) if place else (text.removesuffix("\n").count("\n") + 1, None)
            problem = problem.replace("(at end of document)", "(at the end of the file)")
            problem = problem[: place.start()].rstrip() if place else problem
            problem = _TWICE.get(problem.split(" (")[0], f"not valid TOML: {problem}")
            raise SettingsError(problem, path=path, line=line, column=column) from None
        except RecursionError:
            raise SettingsError("is nested too deeply", path=path, line=1) from None
        except ValueError:  # what int() refuses
            place = _LONG_NUMBER.search(text)
            line = text.count("\n", 0, place.start()) + 1 if place else 1
            raise SettingsError("a number is too long", path=path, line=line) from None
        return source

    @property
    def digest(self) -> str:
        """SHA-256 over the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def spans(self) -> dict[KeyPath, Span]:
        """Where each key stands."""
        return locate(self.text)

    def error(self, keys: KeyPath, problem: str) -> SettingsError:
        """`problem` with `keys`, at the line of the nearest key that is written in the file."""
        known = next((keys[:n] for n in range(len(keys), 0, -1) if keys[:n] in self.spans), None)
        line = self.spans[known].line + 1 if known else 1
        return SettingsError(problem, path=self.path, line=line, key=show_key(keys))

    def location(self, keys: KeyPath) -> Location:
        """Where `keys` are written, for an editor."""
        span = self.spans[keys]
        line = self.text.split("\n")[span.line]
        return Location(self.path, span.line, _utf16(line[: span.start]), _utf16(line[: span.end]))


def show_key(keys: KeyPath) -> str:
    """`tasks.test.depends_on[1]`, with quotes where TOML needs them."""
    shown = ""
    for key in keys:
        if isinstance(key, int):
            shown += f"[{key}]"
        else:
            name = (
                key if _BARE.fullmatch(key) else '"' + key.encode("unicode_escape").decode().replace('"', '\\"') + '"'
            )
            shown += f".{name}" if shown else name
    return shown


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
