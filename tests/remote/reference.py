"""The event-stream interpretation as plainly as the standard states it, to check the real decoder against."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Interpretation:
    events: list[tuple[str, str, str]] = field(default_factory=list)
    last_event_id: str = ""
    retry_ms: int | None = None


def interpret(stream: bytes) -> Interpretation:
    """HTML standard 9.2.6, for a whole stream that has ended. Decodes all of it first, then cuts it into lines."""
    text = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    result = Interpretation()
    data_buffer = type_buffer = id_buffer = ""
    lines = re.split(r"\r\n|\n|\r", text)
    for line in lines[:-1]:  # the last one has no end, so its block cannot be dispatched
        if line == "":
            result.last_event_id = id_buffer
            if data_buffer != "":
                result.events.append((type_buffer or "message", data_buffer[:-1], id_buffer))
            data_buffer = type_buffer = ""
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if name == "event":
            type_buffer = value
        elif name == "data":
            data_buffer += value + "\n"
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            result.retry_ms = min(int(value[:4000]), 10**300)
    return result
