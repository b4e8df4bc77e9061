"""The two pipes to the editor, each with a thread of its own, so that no slow editor ever stops the loop.

Writing has two lanes. Control messages (answers, ends, errors) are few and never wait for room. Output waits until less
than `OUTPUT_ROOM` bytes stand before it: that wait is the backpressure, and what is waiting stays on the server.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING

from rdev_bridge.editor.frames import frame

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT_ROOM = 256 * 1024
_READ_SIZE = 128 * 1024


def take_over_stdio() -> tuple[int, int]:
    """Private copies of stdin and stdout; whoever prints by mistake prints to stderr, and children get neither."""
    inbound, outbound = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inbound, outbound


class Reader:
    """Hands what arrives on `fd` to `received` on the loop, and calls `ended` once at its end.

    A thread with `os.read`, because asyncio's pipes refuse plain files (`lsp < recorded-session`).
    """

    def __init__(self, fd: int, received: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._fd, self._received, self._ended = fd, received, ended
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="editor-reader", daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, _READ_SIZE)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    select.select([self._fd], [], [])
                    continue
                data = b""
            if not data:
                break
            self._call(self._received, data)
        self._call(self._ended)

    def _call(self, callback: Callable[..., None], *args: bytes) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop is closed: the daemon is leaving
            return


class Writer:
    """Writes frames to `fd`, control before output; calls `broken` once if the editor's end is closed."""

    def __init__(self, fd: int, broken: Callable[[], None]) -> None:
        self._fd, self._broken = fd, broken
        self._loop = asyncio.get_running_loop()
        self._ready = threading.Condition()
        self._control: deque[bytes] = deque()
        self._output: deque[tuple[bytes, Callable[[], None] | None]] = deque()
        self._output_bytes = 0
        self._busy = False
        self._closed = False
        self._abandoned = False
        self._room = asyncio.Event()
        self._room.set()

    def start(self) -> None:
        """Begin to write."""
        threading.Thread(target=self._write, name="editor-writer", daemon=True).start()

    def send(self, body: bytes) -> None:
        """Queue a control message; never blocks."""
        with self._ready:
            self._control.append(body)
            self._ready.notify_all()

    async def send_output(self, body: bytes, written: Callable[[], None] | None = None) -> None:
        """Queue a message in the output lane once there is room; `written` is called when the editor's pipe took it.

        The caller keeps its own order by awaiting each call. After `abandon` nothing is queued and nothing waits.
        """
        while self._output_bytes >= OUTPUT_ROOM and not self._abandoned:
            await self._room.wait()
        if not self._abandoned:
            self._append(body, written)

    def send_behind(self, body: bytes) -> None:
        """Queue a control message that must not overtake the output lane; never blocks."""
        self._append(body, None)

    def _append(self, body: bytes, written: Callable[[], None] | None) -> None:
        with self._ready:
            self._output.append((body, written))
            self._ready.notify_all()
        self._output_bytes += len(body)
        if self._output_bytes >= OUTPUT_ROOM:
            self._room.clear()

    def abandon(self) -> None:
        """The editor is leaving: nobody waits for room any more, so that runs can end. Output not yet written is not
        counted as delivered.
        """
        self._abandoned = True
        self._room.set()

    def drain(self, timeout_s: float) -> None:
        """Block until all is written, the pipe is broken, or the time is up (the last thing the daemon does)."""
        with self._ready:
            self._ready.wait_for(lambda: self._closed or not (self._busy or self._control or self._output), timeout_s)

    def _write(self) -> None:
        while True:
            with self._ready:
                self._busy = False
                self._ready.notify_all()
                self._ready.wait_for(lambda: bool(self._control or self._output))
                self._busy = True
                is_control = bool(self._control)
                body, written = (self._control.popleft(), None) if is_control else self._output.popleft()
            try:
                self._write_all(frame(body))
            except OSError:
                with self._ready:
                    self._closed = True
                    self._ready.notify_all()
                self._call(self._broken)
                return
            if not is_control:
                self._call(self._made_room, len(body), written)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:  # the editor made the shared pipe non-blocking
                select.select([], [self._fd], [])

    def _made_room(self, size: int, written: Callable[[], None] | None) -> None:
        self._output_bytes -= size
        if written is not None:
            written()
        if self._output_bytes < OUTPUT_ROOM:
            self._room.set()

    def _call(self, callback: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop is closed: the daemon is leaving
            return
