"""How much of a run's output its reader has: a few numbers in shared memory, exact after a SIGKILL at any moment.

A write and the note of it are two steps, and a process may be killed in between. So:

- Into a pipe, Linux does both in one: `splice` moves bytes of the run's log and counts up the offset that it is given a
  pointer to, which is the mark itself. No signal can come in between.
- Into a file, the intent is stored before the write, and the file's size tells afterwards what became of it.
- What is not the log's bytes but stands for them (JSON lines) is kept in a file of its own first; see `begun`.
- Elsewhere (a terminal, a pipe on macOS) an intent that was stored is taken for carried out: it is stored only when
  there is room, so that nothing but a few instructions lie between it and the write.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
from pathlib import Path

from rdev_bridge.runs.begun import SLOTS, BegunText
from rdev_bridge.runs.splice import splice

_SIZE = 4096
_DELIVERED, _INTENT, _FILE_AT, _DEVICE, _INODE, _PATH_SIZE = range(6)
_TEXT_AT = 64
_PATH_AT = 128
assert _TEXT_AT + 8 * SLOTS <= _PATH_AT
_NO_FILE = 2**64 - 1


class DeliveredMark:
    """The file `delivered` of one run. Offsets count bytes of the run's log. `text` is what stands for some of them."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            self._memory = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        self._bytes = memoryview(self._memory)
        self._numbers = self._bytes[:_TEXT_AT].cast("Q")
        self.text = BegunText(path.with_name(f"{path.name}.text"), self._memory, _TEXT_AT, self._file_size)

    def close(self) -> None:
        """Let go of the memory."""
        self.text.close()
        self._numbers.release()
        self._bytes.release()
        self._memory.close()

    @property
    def offset(self) -> int:
        """Where the reader stands, as far as it could say so."""
        return self._numbers[_DELIVERED]

    def advance(self, offset: int) -> None:
        """The reader has everything before `offset`. Never goes back."""
        if offset > self._numbers[_DELIVERED]:
            self._numbers[_DELIVERED] = offset

    def name_file(self, descriptor: int) -> bool:
        """Note which file the reader writes to, if it is one that keeps what is appended; whether it is."""
        info = os.fstat(descriptor)
        path = os.fsencode(_path_of(descriptor)) if stat.S_ISREG(info.st_mode) else b""
        if not path or len(path) > _SIZE - _PATH_AT:
            self._numbers[_PATH_SIZE] = 0
            return False
        self._bytes[_PATH_AT : _PATH_AT + len(path)] = path
        self._numbers[_DEVICE], self._numbers[_INODE] = info.st_dev, info.st_ino
        self._numbers[_PATH_SIZE] = len(path)
        return True

    def intend(self, end: int, file_at: int | None = None) -> None:
        """The next write takes the reader to `end`; `file_at` is where in its file that write begins."""
        self._numbers[_FILE_AT] = _NO_FILE if file_at is None else file_at
        self._numbers[_INTENT] = end

    def splice(self, log: int, descriptor: int, count: int) -> int | None:
        """Move up to `count` bytes of the open `log` from the mark on into the pipe `descriptor`, mark included.

        Returns how many those were, 0 where the pipe has no room; None where this system cannot do it. Raises OSError.
        """
        return splice(self._memory, 0, log, descriptor, count)

    def settle(self) -> int:
        """The offset after a reader that may have been killed in the middle of a write; its file is looked at.

        Where it was in the middle of a `text`, that one is to be finished first.
        """
        if (after_text := self.text.settle()) is not None:
            return after_text
        start, end, file_at = (self._numbers[i] for i in (_DELIVERED, _INTENT, _FILE_AT))
        if end > start:
            size = None if file_at == _NO_FILE else self._file_size()
            self.advance(end if size is None else start + min(max(size - file_at, 0), end - start))
        self._numbers[_INTENT] = 0
        return self.offset

    def _file_size(self) -> int | None:
        path = Path(os.fsdecode(bytes(self._bytes[_PATH_AT : _PATH_AT + self._numbers[_PATH_SIZE]])))
        try:
            info = path.stat()
        except OSError:
            return None
        same = (info.st_dev, info.st_ino) == (self._numbers[_DEVICE], self._numbers[_INODE])
        return info.st_size if same else None


def _path_of(descriptor: int) -> str:
    try:
        if hasattr(fcntl, "F_GETPATH"):
            return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""
