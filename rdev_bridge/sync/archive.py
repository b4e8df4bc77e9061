"""The content of a push as one stream of bytes: a tar archive, or shell text where the server has no tar."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_BLOCK = 1 << 18
_SAMPLE_BYTES = 1 << 16
_TAR_UNIT = 512
_SHORT_NAME = 100
_LARGE = 8**11


class ChangedMeanwhileError(Exception):
    """A file is no longer what the scan saw. Scan again."""


class Item(NamedTuple):
    """One thing to stage: `path` as the archive names it; a folder has neither `source` nor `text`.

    `digest` is the SHA-256 of the content.
    """

    path: str
    source: str | None = None
    size: int = 0
    executable: bool = False
    digest: str = ""
    text: bytes | None = None
    """The content, where it is no file's."""

    @property
    def is_folder(self) -> bool:
        """Is there no content?"""
        return self.source is None and self.text is None


def read_checked(item: Item) -> Iterator[bytes]:
    """The content of a file in blocks, its size and hash proven at the end.

    Raises ChangedMeanwhileError, after at most `item.size` bytes, where it is not what the scan saw.
    """
    if item.text is not None:
        yield item.text
        return
    assert item.source is not None
    whole, left = hashlib.sha256(), item.size
    try:
        file = os.open(item.source, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise ChangedMeanwhileError(item.path) from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):  # a folder by now
            raise ChangedMeanwhileError(item.path)
        while left:
            block = os.read(file, min(_BLOCK, left))
            if not block:
                raise ChangedMeanwhileError(item.path)
            whole.update(block)
            left -= len(block)
            yield block
    finally:
        os.close(file)
    if whole.hexdigest() != item.digest:
        raise ChangedMeanwhileError(item.path)


def tar_stream(items: Iterable[Item]) -> Iterator[bytes]:
    """The items as a tar archive; long names in GNU's way, which every tar of today reads."""
    for item in items:
        yield _tar_header(item)
        if item.is_folder or not item.size:
            continue
        yield from read_checked(item)
        if item.size % _TAR_UNIT:
            yield bytes(_TAR_UNIT - item.size % _TAR_UNIT)
    yield bytes(2 * _TAR_UNIT)


def _tar_header(item: Item) -> bytes:
    """One header. The common case by hand: the library's way takes as long as reading a small file."""
    mode = b"0000755" if item.is_folder or item.executable else b"0000644"
    name = item.path.encode("utf-8", "surrogateescape")
    if len(name) <= _SHORT_NAME and item.size < _LARGE:
        kind = b"5" if item.is_folder else b"0"
        start = (
            name.ljust(_SHORT_NAME, b"\0")
            + mode
            + b"\0"
            + b"0000000\0" * 2
            + b"%011o\0" % item.size
            + b"0" * 11
            + b"\0"
        )
        end = kind + bytes(100) + b"ustar  \0"
        checksum = sum(start) + sum(end) + 8 * 32
        return (start + b"%06o\0 " % checksum + end).ljust(_TAR_UNIT, b"\0")
    info = tarfile.TarInfo(item.path)
    info.mode = 0o755 if item.is_folder or item.executable else 0o644
    if item.is_folder:
        info.type = tarfile.DIRTYPE
    else:
        info.size = item.size
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def shell_stream(items: Iterable[Item], printing: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The items as shell text, for few of them or a server without tar; `printing` makes text that prints its bytes."""
    for item in items:
        name = quoted(item.path)
        if item.is_folder:
            yield b"mkdir " + name + b"\n"
            continue
        yield b": >" + name + b"\n"
        for block in read_checked(item):
            for start in range(0, len(block), _PIECE):
                yield printing(block[start : start + _PIECE]) + b" >>" + name + b"\n"
        if item.executable:
            yield b"chmod +x " + name + b"\n"


_PIECE = 16384


def quoted(text: str) -> bytes:
    """`text` as one word of a POSIX shell, byte for byte."""
    return b"'" + text.encode("utf-8", "surrogateescape").replace(b"'", b"'\\''") + b"'"


def worth_compressing(items: Iterable[Item]) -> bool:
    """Would gzip make the stream clearly smaller? Judged by the first bytes of the larger files."""
    small = squeezed = plain = 0
    for item in items:
        if item.source is None:
            continue
        if item.size <= _SAMPLE_BYTES:
            small += item.size
            continue
        try:
            with Path(item.source).open("rb") as file:
                sample = file.read(_SAMPLE_BYTES)
        except OSError:
            continue
        if len(zlib.compress(sample, 1)) < 0.9 * len(sample):
            squeezed += item.size
        else:
            plain += item.size
    return small + squeezed > plain


def gzipped(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The stream as gzip; the same input gives the same bytes, so that an interrupted upload can go on."""
    packer = zlib.compressobj(1, wbits=31)
    for block in stream:
        yield packer.compress(block)
    yield packer.flush()


def pieces(stream: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The stream again, in pieces of exactly `size` bytes but the last."""
    held = bytearray()
    for block in stream:
        held += block
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)
