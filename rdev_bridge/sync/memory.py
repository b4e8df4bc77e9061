"""What a bridge remembers between two pushes: the last scan of a folder, and what it left on each server."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge import places
from rdev_bridge.model import EmbeddedServer
from rdev_bridge.sync.errors import SyncError
from rdev_bridge.sync.scan import Scan
from rdev_bridge.sync.tools import Tools  # noqa: TC001 - msgspec reads it when it decodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from pathlib import Path

    from rdev_bridge.model import Target
    from rdev_bridge.sync.manifest import Manifest, Spared

_LOCK_POLL_S = 0.02
_FRAME = struct.Struct(">I")
_MOST_STEPS = 256
_MOST_CHANGES = 500


class _ScanRecord(msgspec.Struct, array_like=True):
    rules: str
    times: list[tuple[int, int, int, int]]
    seen: bytes
    folders: bytes
    ignored: bytes
    weight: str


class _TargetRecord(msgspec.Struct, array_like=True):
    client: str
    generation: str
    base: bytes
    spared: bytes
    tools: Tools | None
    same_machine: bool


class _StepRecord(msgspec.Struct, array_like=True):
    generation: str
    changed: bytes


@dataclass
class TargetMemory:
    """What is known of one remote root. Losing it costs a look at the server, never a file."""

    client: str = field(default_factory=lambda: secrets.token_hex(6))
    generation: str = ""
    base: Manifest = field(default_factory=dict)
    spared: Spared = field(default_factory=dict)
    tools: Tools | None = None
    same_machine: bool = False
    steps: int = field(default=_MOST_STEPS, compare=False)
    """How many `add_step` are in the file since `save_target`."""


def sync_dir(folder: Path) -> Path:
    """Where the memory of one workspace lives."""
    return places.private(places.workspace_state_dir(folder) / "push")


def target_file(folder: Path, target: Target) -> Path:
    """The memory of one remote root, in the `sync_dir` of a workspace."""
    server = target.server
    where = str(server.folder) if isinstance(server, EmbeddedServer) else server.url
    key = hashlib.sha256("\0".join((where, target.project, target.remote_root or "")).encode()).hexdigest()[:16]
    return folder / f"target-{key}"


def load_scan(path: Path) -> Scan:
    """The scan that `save_scan` wrote; an empty one where there is none that can be read."""
    try:
        record = msgspec.msgpack.decode(path.read_bytes(), type=_ScanRecord)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Scan()
    pairs = _unjoined(record.seen)
    paths, found_states = pairs[::2], pairs[1::2]
    manifest = dict.fromkeys(_unjoined(record.folders), "d")
    manifest.update(zip(paths, found_states, strict=True))
    seen = {path: (*times, state) for path, times, state in zip(paths, record.times, found_states, strict=True)}
    return Scan(manifest, seen, set(_unjoined(record.ignored)), {}, record.rules, int(record.weight, 16))


def save_scan(path: Path, scan: Scan) -> None:
    """Keep a scan for the next process."""
    record = _ScanRecord(
        rules=scan.rules,
        times=[one[:4] for one in scan.seen.values()],
        seen=_joined(part for name, one in scan.seen.items() for part in (name, one[4])),
        folders=_joined(name for name, state in scan.manifest.items() if state == "d"),
        ignored=_joined(scan.ignored),
        weight=f"{scan.weight:x}",
    )
    _write(path, msgspec.msgpack.encode(record))


def load_target(path: Path) -> TargetMemory:
    """The memory that `save_target` and `add_step` wrote; a new one where there is none that can be read."""
    try:
        frames = _frames(path.read_bytes())
        record = msgspec.msgpack.decode(next(frames, b""), type=_TargetRecord)
        steps = [msgspec.msgpack.decode(frame, type=_StepRecord) for frame in frames]
    except (FileNotFoundError, msgspec.MsgspecError):
        return TargetMemory()
    base, spared = iter(_unjoined(record.base)), iter(_unjoined(record.spared))
    memory = TargetMemory(
        record.client,
        record.generation,
        dict(zip(base, base, strict=True)),
        {path: (here, there) for path, here, there in zip(spared, spared, spared, strict=True)},
        record.tools,
        record.same_machine,
    )
    for step in steps:
        changed = iter(_unjoined(step.changed))
        memory.base.update(zip(changed, changed, strict=True))
        memory.generation = step.generation
    if steps:
        memory.base = {path: state for path, state in memory.base.items() if state}
    return memory


def _frames(data: bytes) -> Iterator[bytes]:
    """The records of a file; a crash may have left half of the last one."""
    place = 0
    while len(data) - place >= _FRAME.size:
        (size,) = _FRAME.unpack_from(data, place)
        place += _FRAME.size + size
        if place <= len(data):
            yield data[place - size : place]


def save_target(path: Path, memory: TargetMemory) -> None:
    """Keep what is known of a remote root."""
    record = _TargetRecord(
        client=memory.client,
        generation=memory.generation,
        base=_joined(part for pair in memory.base.items() for part in pair),
        spared=_joined(part for name, pair in memory.spared.items() for part in (name, *pair)),
        tools=memory.tools,
        same_machine=memory.same_machine,
    )
    _write(path, _framed(msgspec.msgpack.encode(record)))
    memory.steps = 0


def add_step(path: Path, memory: TargetMemory, changed: Mapping[str, str]) -> bool:
    """Keep what a push changed of `memory`, which has it already: its generation, and the new states ("": gone).

    The file must be one that this process wrote. False, and nothing is kept, where all should be saved instead.
    """
    if memory.steps >= _MOST_STEPS or len(changed) > _MOST_CHANGES:
        return False
    record = _StepRecord(memory.generation, _joined(part for pair in changed.items() for part in pair))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(descriptor, _framed(msgspec.msgpack.encode(record)))
    finally:
        os.close(descriptor)
    memory.steps += 1
    return True


def _framed(record: bytes) -> bytes:
    return _FRAME.pack(len(record)) + record


@contextlib.asynccontextmanager
async def locked(path: Path, wait_s: float) -> AsyncIterator[None]:
    """One push of a workspace at a time, over all bridges of this machine. Raises SyncError after `wait_s`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while not _try_lock(descriptor):
            if loop.time() > deadline:
                raise SyncError(
                    "another bridge has been pushing this workspace for a long time; try again when it is done",
                    reason="syncBusy",
                )
            await asyncio.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def intend(path: Path, states: Mapping[str, str]) -> None:
    """Write down, before a push begins, what it will leave: if its end is never learnt, that is still known as ours."""
    if not states:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, _joined(part for pair in states.items() for part in pair) + b"\0")
    finally:
        os.close(descriptor)


def fulfil(path: Path) -> None:
    """The end of the push is known. The file stays, which costs less than to make it again the next time."""
    with contextlib.suppress(FileNotFoundError):
        os.truncate(path, 0)


def intentions(path: Path) -> dict[str, set[str]]:
    """All that was intended since the last push with a known end."""
    result: dict[str, set[str]] = {}
    try:
        parts = iter(_unjoined(path.read_bytes()))
    except FileNotFoundError:
        return result
    for name, state in zip(parts, parts, strict=False):  # a crash may have left half a record
        result.setdefault(name, set()).add(state)
    return result


def _joined(parts: Iterable[str]) -> bytes:
    return "\0".join(parts).encode("utf-8", "surrogateescape")


def _unjoined(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\0") if data else []


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_bytes(data)
    beside.replace(path)
