"""Bringing a plan's content to the server: inside the finishing call, in numbered parts, or read there directly."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from rdev_bridge.model import SyncProgress
from rdev_bridge.sync.archive import Item, gzipped, pieces, quoted, shell_stream, tar_stream, worth_compressing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from rdev_bridge.sync.peer import Peer
    from rdev_bridge.sync.plan import Plan
    from rdev_bridge.sync.tools import Tools

_PLAIN_BYTES = 16_384
"""Up to here gzip costs the server more time than it saves."""
_FEW = 3
"""So many small files are written one by one, which takes fewer processes than an archive."""
_TOGETHER_BYTES = 16_000_000
"""Up to here a long plan travels with the content. Beyond, the content can wait there for another plan."""
_INLINE_SHARE = 2 / 3
_NEAR_CALLS = 2
_FAR_CALLS = 16
_MS_PER_CALL = 4
_FIRST_PARTS = 2
_PARTS_AT_ONCE = 16


@contextlib.asynccontextmanager
async def delivered(
    peer: Peer, plan: Plan, progress: Callable[[SyncProgress], None], local_files: Path | None
) -> AsyncIterator[tuple[bytes, bytes]]:
    """Get the plan there; yields the definitions of the functions `unpack` and `plan` for the finishing call.

    `local_files` is a folder that the server can read as well, if there is one. Raises SyncError, and
    ChangedMeanwhileError where a file is no longer what the scan saw.
    """
    tools = peer.tools
    assert tools is not None
    if local_files is not None:
        with tempfile.TemporaryDirectory(dir=local_files, prefix="carry-") as carried:
            yield await asyncio.to_thread(_write_files, Path(carried), plan, tools)
        return
    keep: list[str] = []
    inline_plan = peer.plan_inline(plan.text)
    items = plan.items
    if inline_plan is None and plan.total_bytes <= _TOGETHER_BYTES:
        digest = hashlib.sha256(plan.text).hexdigest()
        items = [Item("plan", size=len(plan.text), digest=digest, text=plan.text), *items]
        inline_plan = _plan_staged(digest)
    unpack, spool = await _content(peer, items, tools, progress, keep)
    if inline_plan is not None:
        yield unpack, inline_plan
        return
    if spool:
        keep.append(spool)
    text = zlib_text = plan.text
    if tools.gzip:
        packer = zlib.compressobj(6, wbits=31)
        zlib_text = packer.compress(text) + packer.flush()
    digest = hashlib.sha256(text).hexdigest()
    name = f"{peer.client}-p{digest[:24]}"
    await _upload(peer, name, pieces([zlib_text], tools.piece_bytes), [*keep, name], lambda _: None)
    yield unpack, _plan_from(b"{ " + peer.joined(name) + b"; } | unzip", digest)


def _plan_from(emit: bytes, digest: str) -> bytes:
    """The definition of `plan` that runs what `emit` prints, once its hash is proven."""
    return _plan_staged(digest, emit + b' >"$stage/plan"')


def _plan_staged(digest: str, before: bytes = b":") -> bytes:
    return (
        b'plan() {\n  %s\n  case $(sha <"$stage/plan") in\n' % before
        + b'    %s*) . "$stage/plan" ;;\n    *) return 1 ;;\n  esac\n}\n' % digest.encode()
    )


def _write_files(carried: Path, plan: Plan, tools: Tools) -> tuple[bytes, bytes]:
    data, text = carried / "data", carried / "plan"
    with data.open("wb") as file:
        file.writelines(_stream(plan.items, tools))
    text.write_bytes(plan.text)
    unpack = _unpack(b"cat " + quoted(str(data)), tools, gzip=False)
    return unpack, _plan_from(b"cat " + quoted(str(text)), hashlib.sha256(plan.text).hexdigest())


async def _content(
    peer: Peer, items: list[Item], tools: Tools, progress: Callable[[SyncProgress], None], keep: list[str]
) -> tuple[bytes, str | None]:
    """The definition of `unpack`, and the name of the spooled stream that it needs."""
    if not items:
        return b"unpack() { :; }\n", None
    total_bytes, files = sum(item.size for item in items), sum(item.source is not None for item in items)
    if total_bytes <= _PLAIN_BYTES and len(items) <= _FEW:
        text = b"".join(shell_stream(items, tools.printing))
        if text.isascii():
            return b"unpack() {\n:\n" + text + b"}\n", None
    gzip = tools.gzip and total_bytes > _PLAIN_BYTES and await asyncio.to_thread(worth_compressing, items)
    stream = _stream(items, tools)
    parts = pieces(gzipped(stream) if gzip else stream, tools.piece_bytes)
    head = await asyncio.to_thread(lambda: list(itertools.islice(parts, 2)))
    if len(head) == 1 and len(head[0]) <= tools.piece_bytes * _INLINE_SHARE:
        return _unpack(peer.inline(head[0]), tools, gzip=gzip), None
    name = f"{peer.client}-d{_identity(items, gzip, tools)}"
    sent = 0

    def tell(count: int) -> None:
        nonlocal sent
        sent += count
        progress(SyncProgress("upload", min(sent, total_bytes), total_bytes, files))

    await _upload(peer, name, itertools.chain(head, parts), [*keep, name], tell)
    return _unpack(b"{ " + peer.joined(name) + b"; }", tools, gzip=gzip), name


def _stream(items: list[Item], tools: Tools) -> Iterator[bytes]:
    return tar_stream(items) if tools.tar else shell_stream(items, tools.printing)


def _unpack(emit: bytes, tools: Tools, *, gzip: bool) -> bytes:
    plain = emit + (b" | gzip -dc" if gzip else b"")
    if tools.tar:
        return b"unpack() { " + plain + b" | tar -xmof -; }\n"
    return b"unpack() { " + plain + b" >unpack && . ./unpack; }\n"


def _identity(items: list[Item], gzip: bool, tools: Tools) -> str:
    """The same content cut in the same way has the same name, so that an upload can go on after a cut."""
    whole = hashlib.sha256(f"1 {gzip} {tools.tar} {tools.decode} {zlib.ZLIB_RUNTIME_VERSION}".encode())
    for item in items:
        whole.update(f"\0{item.path}\0{item.executable}\0{item.digest}".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()[:24]


async def _upload(peer: Peer, name: str, parts: Iterable[bytes], keep: list[str], tell: Callable[[int], None]) -> None:
    """Send the parts that the server does not have yet, several at once; memory holds only those on their way."""
    tell(0)
    there = await peer.have(name, keep)
    width = max(_NEAR_CALLS, min(_FAR_CALLS, round(peer.round_trip_s * 1000 / _MS_PER_CALL)))
    batches = _batches(parts)
    turn = asyncio.Lock()

    async def send() -> None:
        while True:
            async with turn:
                batch: list[tuple[int, bytes]] = await asyncio.to_thread(next, batches, [])
            if not batch:
                return
            missing = [(number, part) for number, part in batch if there.get(number) != len(part)]
            tell(sum(len(part) for _, part in batch) - sum(len(part) for _, part in missing))
            if missing:
                await peer.parts(name, missing, there, tell)

    try:
        async with asyncio.TaskGroup() as senders:
            for _ in range(width):
                senders.create_task(send())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _batches(parts: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """The parts with their numbers, few at first, so that the first are on their way while the next are made."""
    numbered, size = enumerate(parts), _FIRST_PARTS
    while batch := list(itertools.islice(numbered, size)):
        yield batch
        size = min(2 * size, _PARTS_AT_ONCE)
