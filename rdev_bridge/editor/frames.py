"""LSP's base protocol, sans I/O: bytes in, message bodies out (LSP 3.17, "Base Protocol").

A frame that is wrong costs itself and nothing else. Where the length is wrong the next header shows it: a header holds
raw line ends, which no valid JSON has inside a string, so a header found inside a body proves that the body's
length was not true, and the decoder goes on from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BODY_LIMIT = 64 * 1024 * 1024
HEADER_LIMIT = 8 * 1024

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE)
_NEXT_HEADER = re.compile(rb"content-length[ \t]*:[ \t]*\d+[ \t]*\r?\n", re.IGNORECASE)
# The longest tail of what was thrown away that may still be the start of a header.
_TAIL = 64


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that are no frame; `reason` is for the JSON-RPC error that answers them."""

    reason: str


class FrameDecoder:
    """Feed bytes as they come; memory is bounded by `BODY_LIMIT` and the size of one feed."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._body_length: int | None = None
        self._lost = False

    def feed(self, data: bytes) -> list[bytes | BadFrame]:
        """The bodies and faults that `data` completed, in their order."""
        self._buffer += data
        out: list[bytes | BadFrame] = []
        while (item := self._next()) is not None:
            out.append(item)
        return out

    def _next(self) -> bytes | BadFrame | None:
        if self._lost and not self._find_header():
            return None
        if self._body_length is None:
            fault = self._read_header()
            if fault is not None or self._body_length is None:
                return fault
        return self._read_body(self._body_length)

    def _find_header(self) -> bool:
        match = _NEXT_HEADER.search(self._buffer)
        if match is None:
            del self._buffer[:-_TAIL]
            return False
        del self._buffer[: match.start()]
        self._lost = False
        return True

    def _read_header(self) -> BadFrame | None:
        blank = re.match(rb"[\r\n]+", self._buffer)
        if blank:
            del self._buffer[: blank.end()]
        end = _HEADER_END.search(self._buffer)
        if end is None:
            if len(self._buffer) > HEADER_LIMIT:
                return self._lose(f"no header within {HEADER_LIMIT} bytes")
            return None
        header = bytes(self._buffer[: end.start()]) + b"\n"
        found = _LENGTH.search(header)
        if found is not None and found.group(1).isdigit() and len(found.group(1)) < 19:
            length = int(found.group(1))
            del self._buffer[: end.end()]
            if length > BODY_LIMIT:
                return self._lose(f"Content-Length {length} is above the limit of {BODY_LIMIT} bytes")
            self._body_length = length
            self._scanned = 0
            return None
        del self._buffer[: end.end()]
        if found is None:
            return self._lose("a header without Content-Length")
        return self._lose(f"Content-Length {found.group(1)[:40].decode('latin-1')!r} is not a length")

    def _read_body(self, length: int) -> bytes | BadFrame | None:
        inner = _NEXT_HEADER.search(self._buffer, self._scanned, length)
        if inner is not None:
            del self._buffer[: inner.start()]
            self._body_length = None
            return BadFrame(f"a header inside a body: Content-Length {length} was too long")
        if len(self._buffer) < length:
            self._scanned = max(0, len(self._buffer) - _TAIL)
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._body_length = None
        return body

    def _lose(self, reason: str) -> BadFrame:
        self._lost = True
        return BadFrame(reason)


def frame(body: bytes) -> bytes:
    """`body` with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
