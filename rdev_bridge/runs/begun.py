"""Text that stands for bytes of a run's log, as JSON lines do, on its way to the reader: exact after a SIGKILL too.

It is kept in a file before any of it is written, and how far it came is counted as it is for the log itself (see
`mark`). So whoever comes next can finish it in the middle of a line.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.runs.splice import splice

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable
    from pathlib import Path

SLOTS = 5
_FROM, _TO, _AT, _END, _FILE_AHEAD = range(SLOTS)
_NO_FILE = 1 << 63
_MASK = (1 << 64) - 1
_SLOT_BYTES = 8
_ROOM_BYTES = 256 * 1024
"""A file past this is replaced by a new one. It is never written anew: its pages may still lie in a pipe."""


class _Numbered(msgspec.Struct):
    seq: int | None = None


class BegunText:
    """The file at `path`, and five numbers that stand at byte `at` of the mark's `memory`.

    There is text to finish as long as the reader stands where it stood when that was begun. `file_size` is that of the
    file which the reader writes to, if that can be known.
    """

    def __init__(self, path: Path, memory: mmap.mmap, at: int, file_size: Callable[[], int | None]) -> None:
        self._path, self._memory, self._slots_at, self._file_size = path, memory, at, file_size
        self._bytes = memoryview(memory)
        self._delivered = self._bytes[:_SLOT_BYTES].cast("Q")
        self._numbers = self._bytes[at : at + SLOTS * _SLOT_BYTES].cast("Q")
        self._file: int | None = None
        self._size = 0

    def close(self) -> None:
        """Let go of memory and file."""
        for view in (self._delivered, self._numbers, self._bytes):
            view.release()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def begin(self, data: bytes, to: int, file_at: int | None) -> None:
        """`data` is about to be written; once all of it is, the reader has the log up to `to`.

        `file_at`: where in the reader's file that write begins.
        """
        self._numbers[_END] = 0
        if self._file is None or self._size > _ROOM_BYTES:
            self._renew()
        assert self._file is not None
        start = self._size
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self._size += len(data)
        self._numbers[_FROM], self._numbers[_TO], self._numbers[_AT] = self._delivered[0], to, start
        self._go_on_at(file_at)
        self._numbers[_END] = self._size

    def go_on(self, file_at: int | None) -> bytes:
        """What is left of a text that another process had begun, and that is about to be written now."""
        rest = self.rest()
        self._go_on_at(file_at)
        return rest

    def rest(self) -> bytes:
        """What the reader has not got of a text that was begun."""
        return self._text()[self._numbers[_AT] :]

    @property
    def at(self) -> int:
        """How far the text came: where in the file the next byte is."""
        return self._numbers[_AT]

    @at.setter
    def at(self, at: int) -> None:
        self._numbers[_AT] = at

    def splice(self, descriptor: int, count: int) -> int | None:
        """Move up to `count` bytes of it into the pipe `descriptor`; see `splice.splice`."""
        self._open()
        if self._file is None:
            return None
        return splice(self._memory, self._slots_at + _AT * _SLOT_BYTES, self._file, descriptor, count)

    def done(self) -> None:
        """All of it was written."""
        self._delivered[0] = max(self._delivered[0], self._numbers[_TO])
        self._numbers[_END] = 0

    def settle(self) -> int | None:
        """Find out how far a text came whose writer may have been killed: where the reader stands once it is finished.

        None where there is none to finish.
        """
        if not self._is_open:
            return None
        ahead, at = self._numbers[_FILE_AHEAD], self._numbers[_AT]
        size = None if ahead == _NO_FILE else self._file_size()
        if size is not None:
            reached = (size - ahead) & _MASK
            self._numbers[_AT] = at if reached >= _NO_FILE else min(max(reached, at), self._numbers[_END])
        self._numbers[_FILE_AHEAD] = _NO_FILE
        return self._numbers[_TO]

    def next_seq(self) -> int | None:
        """The number of the first line of which the reader has not got the whole, for who goes on in another form."""
        text = self._text()
        start = text.rfind(b"\n", 0, self._numbers[_AT]) + 1 if text else 0
        for line in text[start:].splitlines():
            with suppress(msgspec.DecodeError):
                seq = _decode(line).seq
                if seq is not None:
                    return seq
        return None

    @property
    def _is_open(self) -> bool:
        return self._numbers[_END] > 0 and self._numbers[_FROM] == self._delivered[0]

    def _go_on_at(self, file_at: int | None) -> None:
        self._numbers[_FILE_AHEAD] = _NO_FILE if file_at is None else (file_at - self._numbers[_AT]) & _MASK

    def _text(self) -> bytes:
        if not self._is_open:
            return b""
        try:
            return self._path.read_bytes()[: self._numbers[_END]]
        except FileNotFoundError:
            return b""

    def _open(self) -> None:
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
                self._size = os.fstat(self._file).st_size

    def _renew(self) -> None:
        fresh = self._path.with_name(f"{self._path.name}.new")
        file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fresh.replace(self._path)
        if self._file is not None:
            os.close(self._file)
        self._file, self._size = file, 0


_decode = msgspec.json.Decoder(_Numbered).decode
