"""Where to cut a response, told as it passes: functions for `Fault.cut_when`, and the framing that they look into.

A cut is asked about each piece of the raw response in turn; it answers with a place in that piece, or None to let all
of it pass. It has a memory, so each response needs a fresh one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ID = re.compile(rb"(?:^|\n)id: ?([^\r\n]+)(?=\n)")
_SIZE_LINE_BYTES = 20


def after_bytes(count: int) -> Callable[[bytes], int | None]:
    """After `count` bytes, whatever they are."""
    passed = 0

    def cut(piece: bytes) -> int | None:
        nonlocal passed
        before, passed = passed, passed + len(piece)
        return count - before if before <= count <= passed else None

    return cut


def after_events(count: int, extra_bytes: int) -> Callable[[bytes], int | None]:
    """`extra_bytes` after the end of the response's event number `count` (`connected` is one)."""
    seen, left, tail = 0, extra_bytes, b""

    def cut(piece: bytes) -> int | None:
        nonlocal seen, left, tail
        place = -len(tail)
        data = tail + piece
        at = 0
        while seen < count:
            end = data.find(b"\n\n", at) + 2
            if end < 2:
                tail = data[-1:] if data.endswith(b"\n") and at < len(data) else b""
                return None
            seen, at = seen + 1, end
        start = max(0, place + at)
        tail = b""
        if start + left <= len(piece):
            return start + left
        left -= len(piece) - start
        return None

    return cut


class Payload:
    """Takes the framing off a chunked response as it passes; a response that is not chunked has no payload here."""

    def __init__(self) -> None:
        self._head = b""
        self._in_body = self._ended = False
        self._line = b""
        self._left = 0
        """What is to come of the open chunk, its closing CRLF included."""

    def parts(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The payload in `piece`: (its place there, its bytes), one item for each part of a chunk."""
        at = 0
        if self._ended:
            return
        if not self._in_body:
            before = len(self._head)
            self._head += piece
            end = self._head.find(b"\r\n\r\n", max(0, before - 3)) + 4
            if end < 4:
                return
            self._in_body, at = True, end - before
            if b"\r\ntransfer-encoding: chunked\r\n" not in self._head[:end].lower():
                self._ended = True
                return
        while at < len(piece):
            if self._left:
                size = min(self._left - 2, len(piece) - at)
                if size > 0:
                    yield at, piece[at : at + size]
                    at, self._left = at + size, self._left - size
                step = min(self._left, len(piece) - at) if self._left <= 2 else 0
                at, self._left = at + step, self._left - step
                continue
            end = piece.find(b"\n", at) + 1
            self._line += piece[at : end or len(piece)]
            assert len(self._line) <= _SIZE_LINE_BYTES, f"no chunk size: {self._line[:40]!r}"
            if not end:
                return
            at, size_line, self._line = end, self._line, b""
            size = int(size_line, 16)
            if size == 0:
                self._ended = True
                return
            self._left = size + 2


def after_payload(count: int) -> Callable[[bytes], int | None]:
    """After `count` bytes of a chunked body, framing not counted."""
    payload, passed = Payload(), 0

    def cut(piece: bytes) -> int | None:
        nonlocal passed
        for at, data in payload.parts(piece):
            if passed + len(data) >= count:
                return at + count - passed
            passed += len(data)
        return None

    return cut


class Ids:
    """The event ids that passed, in order."""

    def __init__(self) -> None:
        self.known: list[bytes] = []
        self._places: dict[bytes, int] = {}

    def tap(self) -> Callable[[bytes], None]:
        """To be told of each piece of one response."""
        payload, rest = Payload(), b"\n"

        def note(piece: bytes) -> None:
            nonlocal rest
            data = rest + b"".join(part for _, part in payload.parts(piece))
            end = data.rfind(b"\n")
            rest = data[end:]
            for one in _ID.findall(data[: end + 1]):
                if one not in self._places:
                    self._places[one] = len(self.known)
                    self.known.append(one)

        return note

    def earlier(self, one: bytes, by: int) -> bytes:
        """The id that stood `by` places before `one`; `one` itself where it is not known."""
        place = self._places.get(one)
        return one if place is None else self.known[max(0, place - by)]
