"""What the events of an rdev stream say. Unknown fields are ignored, odd ones are answered by `None`, never a crash."""

from __future__ import annotations

from typing import Any

import msgspec

from rdev_bridge.core.shown import one_line
from rdev_bridge.model import Stream

UNKNOWN_COUNT = -1


class Output(msgspec.Struct):
    """`output`: one line, or with `partial` a piece that no newline ended."""

    line: str = ""
    stream: str = "stdout"
    partial: bool = False


class Printed(msgspec.Struct):
    """`lines`: all that a server of ours read at once from one stream, line ends included."""

    stream: str
    text: str


class Complete(msgspec.Struct):
    """`complete`: the exit code, and the duration where the server tells one."""

    exit_code: int
    duration_ms: int | None = None


_output = msgspec.json.Decoder(Output)
_anything = msgspec.json.Decoder()


def stream_named(name: str) -> Stream:
    """Anything that is not stdout goes where it does no harm."""
    return Stream.STDOUT if name == "stdout" else Stream.STDERR


def read_output(data: str) -> Output | None:
    """The payload of an `output` event; None where `data` is not JSON or its `line` is no text."""
    try:
        return _output.decode(data)
    except msgspec.DecodeError:
        pass
    fields = _object(data)
    if fields is None or not isinstance(fields.get("line", ""), str):
        return None
    stream = fields.get("stream")
    return Output(
        fields.get("line", ""), stream if isinstance(stream, str) else "stdout", fields.get("partial") is True
    )


def read_complete(data: str) -> Complete | None:
    """The payload of `complete`; None where it holds no exit code: none is invented."""
    fields = _object(data) or {}
    code, duration = fields.get("exit_code"), _whole(fields.get("duration_ms"))
    if isinstance(code, float) and not code.is_integer():
        return None
    whole = _whole(code)
    return None if whole is None else Complete(whole, duration)


def read_error(data: str) -> str:
    """The message of an `error` event, in whatever form it came; one line that steers no terminal."""
    fields = _object(data)
    message = fields.get("message") if fields is not None else data
    return one_line(str(message or "no reason given")[:1000])


def read_missing(data: str) -> int | None:
    """`connected`'s count of events that can no longer be sent: 0 none, UNKNOWN_COUNT where the server cannot tell."""
    fields = _object(data) or {}
    if "missing" not in fields:
        return 0
    missing = _whole(fields["missing"])
    return UNKNOWN_COUNT if missing is None else max(missing, 0)


def _object(data: str) -> dict[str, Any] | None:
    try:
        value = _anything.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if abs(value) < 2**63 else None  # NaN and the infinities fail this too
