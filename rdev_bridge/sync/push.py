"""`sync = "push"`: the server's tree is made what the workspace is, through `/shell` alone."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from msgspec import structs

from rdev_bridge.core.shown import named
from rdev_bridge.model import ConflictPolicy, SyncProgress, SyncResult
from rdev_bridge.sync.archive import ChangedMeanwhileError
from rdev_bridge.sync.errors import SyncConflictError, SyncError
from rdev_bridge.sync.manifest import Difference, Manifest, after_push, difference, reconcile
from rdev_bridge.sync.memory import (
    TargetMemory,
    add_step,
    fulfil,
    intend,
    intentions,
    load_target,
    locked,
    save_target,
    sync_dir,
    target_file,
)
from rdev_bridge.sync.peer import Peer
from rdev_bridge.sync.plan import Plan, plan_push
from rdev_bridge.sync.scan import link_state, within
from rdev_bridge.sync.survey import Scans, Survey
from rdev_bridge.sync.upload import delivered

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from rdev_bridge.model import Target
    from rdev_bridge.sync.shell import Shell

_ROUNDS = 12
_STALE_ROUNDS = 3
_LOCAL_WAIT_S = 600.0
_FINAL = frozenset({"syncBusy", "syncBlocked", "syncConflict"})
_BULK_BYTES = 4_000_000
_LOOK_FIRST_BYTES = 16_000_000
"""From here on a conflict should be known before the content is on its way; below, a look costs as much as it saves."""


@dataclass
class Known:
    """What one process remembers of its pushes, beside what is on disk."""

    scans: Scans = field(default_factory=Scans)
    targets: dict[Path, tuple[tuple[int, int, int], TargetMemory]] = field(default_factory=dict)


@dataclass
class Push:
    """One push. `root` is where the server sees the workspace."""

    shell: Shell
    folder: Path
    target: Target
    root: str
    changed: Collection[Path] | None
    progress: Callable[[SyncProgress], None]
    policy: ConflictPolicy
    known: Known
    _opened: bool = field(default=False, init=False)
    _looked: bool = field(default=False, init=False)
    _stale: int = field(default=0, init=False)
    _kept: tuple[str, ...] = field(default=(), init=False)
    _done: SyncResult = field(default_factory=SyncResult, init=False)

    async def run(self) -> SyncResult:
        """Make the server's tree what the workspace is. Raises SyncError; nothing is half written then."""
        self._dir = sync_dir(self.folder)
        self._file = target_file(self._dir, self.target)
        self._intents = self._file.with_name(f"{self._file.name}.intended")
        file = self._dir / "scan"
        self._survey = Survey(self.known.scans, self.folder, file, self.changed, self.progress)
        async with locked(self._dir / "lock", _LOCAL_WAIT_S):
            try:
                return await self._rounds()
            finally:
                await self._survey.end()

    async def _rounds(self) -> SyncResult:
        await self._survey.begin()
        self._memory = self._recall()
        self._peer = Peer(self.shell, self.root, self._memory.client, self._memory.tools)
        if self._memory.tools is None and not await self._open():
            return self._result(await self._survey.saw_all())
        for _ in range(_ROUNDS):
            try:
                done = await self._round()
            except ChangedMeanwhileError:
                await self._survey.begin_whole()
                continue
            except SyncError as error:
                # The server may not be what it was: an emptied disk, another image with other tools.
                if self._opened or error.reason in _FINAL:
                    raise
                if not await self._open():
                    return self._result(await self._survey.saw_all())
                continue
            if done and (state := await self._survey.saw_all()) is not None:
                return self._result(state)
        raise SyncError("the files keep changing faster than they can be brought over; try again", reason="syncRace")

    async def _round(self) -> bool:
        """One attempt; false where the server turned out to be not what it was held to be."""
        memory, peer, local = self._memory, self._peer, self._wanted()
        self._forget_ignored()
        todo = difference(memory.base, local, memory.spared)
        if not todo:
            if self._looked or await peer.generation() == memory.generation:
                self._remember(todo, memory.generation)
                return True
            await self._look()
            return False
        plan = self._plan(todo)
        worth_a_look = plan.total_bytes >= _LOOK_FIRST_BYTES and not self._looked and memory.base
        if worth_a_look and not await self._is_as_believed(plan):
            await self._look()
            return False
        expect = "*" if self._stale >= _STALE_ROUNDS else memory.generation
        async with delivered(peer, plan, self.progress, self._dir if memory.same_machine else None) as (unpack, text):
            intend(self._intents, {path: local[path] for path in todo.written})
            self.progress(SyncProgress("apply", plan.total_bytes, plan.total_bytes, plan.files))
            is_bulk = plan.total_bytes >= _BULK_BYTES
            applied = await peer.apply(text, unpack, secrets.token_hex(8), expect, bulk=is_bulk)
        if applied.word == "ok":
            self._remember(todo, applied.generation)
            self._count(plan, len(todo.drop))
            return True
        if applied.word == "busy":
            raise SyncError(
                f"another push to {self.root} is under way on the server (its process: {applied.generation}); "
                "try again when it is done",
                reason="syncBusy",
            )
        if applied.word == "stale":
            self._stale += 1
        elif plan.damaged(applied.text):
            raise SyncError("what arrived on the server is not what was sent; is its disk full?")
        await self._look()
        return False

    def _recall(self) -> TargetMemory:
        """What is known of the target; read from disk only where another process wrote it."""
        try:
            info = self._file.stat()
        except FileNotFoundError:
            return TargetMemory()
        stamp, memory = self.known.targets.get(self._file, (None, None))
        if memory is None or stamp != _stamp(info):
            memory = load_target(self._file)
        return replace(memory)  # what an unfinished push believed is not kept

    def _remember(self, todo: Difference, generation: str) -> None:
        """The server holds what we want, except for what was spared; `todo` is how that differs from what it held."""
        memory, local = self._memory, self._survey.found.manifest
        base = after_push(memory.base, self._wanted(), memory.spared)
        spared = {path: pair for path, pair in memory.spared.items() if local.get(path, "") == pair[0]}
        changed = {path: base.get(path, "") for path in (*todo.written, *todo.drop, *todo.empty)}
        is_step = not self._looked and spared == memory.spared and self._file.exists()
        is_news = bool(changed) or generation != memory.generation
        memory.base, memory.generation, memory.spared = base, generation, spared
        if not is_step or (is_news and not add_step(self._file, memory, changed)):
            save_target(self._file, memory)
        self._note()
        fulfil(self._intents)

    def _save(self) -> None:
        save_target(self._file, self._memory)
        self._note()

    def _note(self) -> None:
        self.known.targets[self._file] = (_stamp(self._file.stat()), self._memory)

    async def _open(self) -> bool:
        """First contact. False: the server's folder is this very folder, and nothing has to be done."""
        self._opened = True
        token = secrets.token_hex(16)
        proof = self._dir / "proof"
        marker = self.folder / ".rdev-push" / f"here-{token[:12]}"
        made = _put_marker(marker, token)
        proof.touch(0o600)
        proof.write_text(token + "\n")
        try:
            opened = await self._peer.open(proof, token, marker.name)
        finally:
            proof.unlink()
            _take_marker(marker, made)
        if opened.same_folder:
            return False
        if opened.same_machine:
            self._refuse_overlap()
        memory = self._memory
        memory.tools, memory.same_machine = opened.tools, opened.same_machine
        if opened.empty:
            memory.base, memory.spared, memory.generation = {}, {}, opened.generation
            self._save()
        else:
            self._save()
            await self._look()
        return True

    def _refuse_overlap(self) -> None:
        here, there = os.path.realpath(self.folder), os.path.realpath(self.root)
        if f"{here}/".startswith(f"{there}/") or f"{there}/".startswith(f"{here}/"):
            raise SyncError(
                f"remote_root {self.root} and the workspace {self.folder} lie one inside the other on this machine; "
                "choose another remote_root",
                reason="syncBlocked",
            )

    async def _look(self) -> None:
        """Learn what the server really holds, and decide what that means."""
        memory, local = self._memory, self._wanted()
        self._forget_ignored()
        intended = {
            path: states
            for path, states in intentions(self._intents).items()
            if path in local or not within(path, self._survey.found.ignored)
        }
        generation, actual = await self._peer.look(sorted(memory.base.keys() | local.keys() | intended.keys()))
        outcome = reconcile(memory.base, local, actual, memory.spared, intended, self.policy)
        if outcome.blocked:
            paths = tuple(outcome.blocked)
            raise SyncError(
                f"on the server these are not what they are here (a folder, a link, a device): {named(paths)}; "
                "remove or rename them on one side",
                reason="syncBlocked",
            )
        if outcome.conflicts:
            raise SyncConflictError(tuple(outcome.conflicts))
        memory.base, memory.spared, memory.generation = outcome.base, outcome.spared, generation
        self._kept = tuple(outcome.kept)
        self._looked = True

    async def _is_as_believed(self, plan: Plan) -> bool:
        """Before much is sent: is what the push touches as the last push left it?"""
        paths = sorted({path for path in plan.looked_at if path})
        generation, actual = await self._peer.look(paths)
        memory = self._memory
        return generation == memory.generation and all(actual.get(path) == memory.base.get(path) for path in paths)

    def _wanted(self) -> Manifest:
        """What the server should hold. Links need readlink there, to be compared."""
        manifest, tools = self._survey.found.manifest, self._memory.tools
        if tools is None or tools.readlink:
            return manifest
        return {path: state for path, state in manifest.items() if state[0] != "l"}

    def _forget_ignored(self) -> None:
        """What the ignore rules exclude by now is no business of ours on the server either."""
        memory, scanned = self._memory, self._survey.found
        for path in memory.base.keys() - scanned.manifest.keys():
            if within(path, scanned.ignored):
                del memory.base[path]

    def _plan(self, todo: Difference) -> Plan:
        seen = self._survey.found.seen
        return plan_push(
            self.folder,
            self._memory.base,
            self._wanted(),
            todo,
            size_of=lambda path: seen[path][2],
            link_target=lambda path: _read_link(self.folder / path, self._survey.found.manifest[path]),
        )

    def _count(self, plan: Plan, deleted: int) -> None:
        done = self._done
        self._done = SyncResult(
            files=done.files + plan.files, bytes=done.bytes + plan.total_bytes, deleted=done.deleted + deleted
        )

    def _result(self, state: str | None) -> SyncResult:
        wanted = self._wanted()
        refused = dict(self._survey.found.refused)
        if wanted is not self._survey.found.manifest:
            refused.update(
                (path, "the server has no readlink") for path in self._survey.found.manifest.keys() - wanted.keys()
            )
        return structs.replace(
            self._done,
            state=state,
            kept=self._kept,
            refused=tuple(f"{path}: {reason}" for path, reason in sorted(refused.items())),
        )


def _stamp(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_ino, info.st_mtime_ns, info.st_size


def _read_link(path: Path, state: str) -> str:
    try:
        target = os.readlink(path)  # noqa: PTH115 (a Path would tidy up the text)
    except OSError:
        raise ChangedMeanwhileError(str(path)) from None
    if state != link_state(target):
        raise ChangedMeanwhileError(str(path))
    return target


def _put_marker(marker: Path, token: str) -> bool:
    """Leave the token in the workspace for a moment. Says whether its folder had to be made."""
    try:
        made = not marker.parent.is_dir()
        marker.parent.mkdir(exist_ok=True)
        marker.write_text(token + "\n")
    except OSError:  # a workspace that cannot be written is not the server's writable root either
        return False
    return made


def _take_marker(marker: Path, made: bool) -> None:
    try:
        marker.unlink(missing_ok=True)
        if made:
            marker.parent.rmdir()
    except OSError:
        return
