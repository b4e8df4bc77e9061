"""One function a table: (stage, rounds) in, a `Report` out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.tables.daemon import cancel, editor, initialize, many, stopped
from bench.tables.events import latency, save
from bench.tables.profile import profile
from bench.tables.server import idle, server
from bench.tables.terminal import flushed, stream, true

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report import Report
    from bench.stage import Stage

TABLES: dict[str, Callable[[Stage, int], Report]] = {
    "stream": stream,
    "flushed": flushed,
    "editor": editor,
    "latency": latency,
    "save": save,
    "stopped": stopped,
    "cancel": cancel,
    "initialize": initialize,
    "true": true,
    "many": many,
    "server": server,
    "idle": idle,
    "profile": profile,
}
