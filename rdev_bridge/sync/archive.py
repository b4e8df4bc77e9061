"""The content of a push as one stream of bytes: a tar archive, or shell text where the server has no tar."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_BLOCK = 1 << 18
_SAMPLE_BYTES = 1 << 16
_TAR_UNIT = 512
_SHORT_NAME = 100


class ChangedMeanwhileError(Exception):
    """A file is no longer what the scan saw. Scan again."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to stage: `path` as the archive names it; a folder has no `source`. `digest` is the SHA-256."""

    path: str
    source: Path | None = None
    size: int = 0
    executable: bool = False
    digest: str = ""


def read_checked(item: Item) -> Iterator[bytes]:
    """The content of a file in blocks, its size and hash proven at the end.

    Raises ChangedMeanwhileError, after at most `item.size` bytes, where it is not what the scan saw.
    """
    assert item.source is not None
    whole, left = hashlib.sha256(), item.size
    try:
        with item.source.open("rb", buffering=0) as file:
            while left:
                block = file.read(min(_BLOCK, left))
                if not block:
                    raise ChangedMeanwhileError(item.path)
                whole.update(block)
                left -= len(block)
                yield block
    except FileNotFoundError:
        raise ChangedMeanwhileError(item.path) from None
    if whole.hexdigest() != item.digest:
        raise ChangedMeanwhileError(item.path)


def tar_stream(items: Iterable[Item]) -> Iterator[bytes]:
    """The items as a tar archive; long names in GNU's way, which every tar of today reads."""
    for item in items:
        yield _tar_header(item)
        if item.source is None or not item.size:
            continue
        yield from read_checked(item)
        if item.size % _TAR_UNIT:
            yield bytes(_TAR_UNIT - item.size % _TAR_UNIT)
    yield bytes(2 * _TAR_UNIT)


def _tar_header(item: Item) -> bytes:
    info = tarfile.TarInfo(item.path)
    info.mode = 0o755 if item.source is None or item.executable else 0o644
    if item.source is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = item.size
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def shell_stream(items: Iterable[Item], encode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The items as shell text for a server without tar; `encode` is the counterpart of its `decode`."""
    for item in items:
        name = quoted(item.path)
        if item.source is None:
            yield b"mkdir " + name + b"\n"
            continue
        yield b": >" + name + b"\n"
        for block in read_checked(item):
            for start in range(0, len(block), _PIECE):
                yield b"decode '" + encode(block[start : start + _PIECE]) + b"' >>" + name + b"\n"
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
            with item.source.open("rb") as file:
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
