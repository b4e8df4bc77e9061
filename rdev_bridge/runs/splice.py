"""Linux's `splice`: bytes of a file into a pipe, and the count of them into memory, in one system call."""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable

_NONBLOCK = 2


@cache
def _load() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).splice
    pointer = ctypes.POINTER(ctypes.c_int64)
    function.argtypes = [ctypes.c_int, pointer, ctypes.c_int, pointer, ctypes.c_size_t, ctypes.c_uint]
    function.restype = ctypes.c_ssize_t
    return cast("Callable[..., int]", function)


def splice(memory: mmap.mmap, at: int, source: int, descriptor: int, count: int) -> int | None:
    """Move up to `count` bytes of the open file `source` into the pipe `descriptor`, no signal in between.

    The number of 64 bits at byte `at` of `memory` says from which byte of the file on, and is counted up. The pipe gets
    the file's pages as they are, not a copy: what was moved must never be written again.

    Returns how many those were, 0 where the pipe has no room; None where this system cannot do it. Raises OSError.
    """
    function = _load()
    if function is None:
        return None
    import ctypes

    offset = ctypes.c_int64.from_buffer(memory, at)
    try:
        moved = function(source, ctypes.byref(offset), descriptor, None, count, _NONBLOCK)
    finally:
        del offset
    if moved >= 0:
        return moved
    error = ctypes.get_errno()
    if error in {errno.EAGAIN, errno.EINTR}:
        return 0
    if error in {errno.EINVAL, errno.ENOSYS}:
        return None
    raise OSError(error, os.strerror(error))
