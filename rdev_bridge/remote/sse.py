"""Bytes to events: the event-stream interpretation of the HTML standard, sections 9.2.5 and 9.2.6, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpx_sse import ServerSentEvent

from rdev_bridge.errors import RdevError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_EVENT_BYTES = 32 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_MOST_DIGITS = 300  # of a reconnection time, for which nobody waits; it still fits a float


class StreamTooLargeError(RdevError):
    """The server sent a line or an event past our limit; reading on would only fill memory."""

    def __init__(self, what: str, limit_bytes: int) -> None:
        super().__init__(f"the server sent {what} of more than {limit_bytes} bytes", reason="streamTooLarge")


class SentEvent(ServerSentEvent):
    """An event, and whether its own block carried the `id` that is in force (`numbered`) or an earlier one did."""

    def __init__(self, event: str, data: str, id: str, *, numbered: bool) -> None:  # noqa: A002 - the base's name
        super().__init__(event, data, id)
        self.numbered = numbered


class Decoder:
    """Feed it the bytes of one response as they come; it gives the events that they completed.

    `last_event_id` is the last event ID string of the standard: committed by the blank line that ends a block, also
    where that block dispatches nothing. `retry_ms` is the reconnection time that the server asked for, unclamped.
    """

    def __init__(
        self,
        last_event_id: str = "",
        *,
        max_line_bytes: int = MAX_LINE_BYTES,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self.last_event_id = last_event_id
        self.retry_ms: int | None = None
        self._max_line_bytes = max_line_bytes
        self._max_event_bytes = max_event_bytes
        self._at_start = True
        self._after_cr = False
        self._parts: list[bytes] = []  # the unfinished line
        self._parts_bytes = 0
        self._id_buffer = last_event_id
        self._id_pending = False
        self._type = ""
        self._data: list[str] = []
        self._data_bytes = 0

    @property
    def between_events(self) -> bool:
        """Whether the next byte starts a new block, and can be nothing else (a BOM, the rest of a CRLF)."""
        return not (self._parts or self._after_cr or self._data or self._type or self._id_pending or self._at_start)

    def went_on(self, last_event_id: str) -> None:
        """Somebody else interpreted whole blocks in our place; only between events."""
        self.last_event_id = self._id_buffer = last_event_id

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that `data` completed, in order.

        Raises StreamTooLargeError past a limit; the decoder is of no use then.
        """
        if self._at_start:
            data = self._without_bom(data)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return []
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end:
            self._keep(data)
            return []
        head, rest = data[:end], data[end:]
        self._after_cr = not rest and head.endswith(b"\r")
        if b"\r" in head:
            head = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = head.split(b"\n")
        lines.pop()  # what follows the last line end
        if self._parts:
            self._keep(lines[0])
            lines[0] = b"".join(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
        if rest:
            self._keep(rest)
        return self._interpret(lines)

    def close(self) -> list[ServerSentEvent]:
        """The end of the response: an unfinished event is dropped, so there is nothing more to give (9.2.6)."""
        self._parts.clear()
        self._data.clear()
        self._type = ""
        return []

    def _without_bom(self, data: bytes) -> bytes:
        data = b"".join([*self._parts, data])
        self._parts.clear()
        self._parts_bytes = 0
        if len(data) < len(_BOM) and _BOM.startswith(data):
            if data:
                self._keep(data)
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self._parts_bytes += len(data)
        if self._parts_bytes > self._max_line_bytes:
            raise StreamTooLargeError("a line", self._max_line_bytes)
        if len(self._parts) > 4096:  # byte-wise delivery must not cost a list entry a byte
            self._parts[:] = [b"".join(self._parts)]

    def _interpret(self, lines: Iterable[bytes]) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        for line in lines:
            if not line:
                self._dispatch(events)
                continue
            if len(line) > self._max_line_bytes:
                raise StreamTooLargeError("a line", self._max_line_bytes)
            name, _, raw = line.partition(b":")
            value = raw[1:] if raw.startswith(b" ") else raw
            if name == b"data":
                self._data_bytes += len(value) + 1
                if self._data_bytes > self._max_event_bytes:
                    raise StreamTooLargeError("an event", self._max_event_bytes)
                self._data.append(value.decode("utf-8", "replace"))
            elif name == b"event":
                self._type = value.decode("utf-8", "replace")
            elif name == b"id":
                if b"\0" not in value:
                    self._id_buffer = value.decode("utf-8", "replace")
                    self._id_pending = True
            elif name == b"retry" and value.isdigit():
                digits = value.lstrip(b"0") or b"0"
                self.retry_ms = int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
        return events

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id_buffer
        if self._data:
            events.append(SentEvent(self._type, "\n".join(self._data), self._id_buffer, numbered=self._id_pending))
            self._data.clear()
            self._data_bytes = 0
        self._type = ""
        self._id_pending = False
