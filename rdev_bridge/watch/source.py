"""The thread that turns the file system's events into changes.

Only folders that are not ignored are watched, each by itself, so that 100 thousand ignored files cost nothing;
watchfiles takes its folders once, so a new folder means a new watcher, and the old one is emptied only when the new one
is in place. On macOS one recursive watch is free and folders are told apart afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol

from rdev_bridge.watch.polling import Poller
from rdev_bridge.watch.tree import Digest, RawChange, Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from rdev_bridge.ignore import IgnoreRules

_log = logging.getLogger(__name__)

# Measured: 16 ms from write to event at these; a bigger step idles cheaper but is felt.
_STEP_MS = 10
_BATCH_MS = 50
_ROUNDS = 20
_CLOCK_SLACK_S = 1.0
_GONE_LOOK_S = 0.5
_MANY_FOLDERS = 4
_GATHER_S = 1.0
_GATHER_CALM_MS = 100
_LATE_MS = 30


class _Notify(Protocol):
    """What we use of `watchfiles._rust_notify.RustNotify`, which `watchfiles.awatch` is made of.

    `awatch` itself cannot change its folders without losing events, and waits for them in a pool of threads.
    """

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: threading.Event
    ) -> set[tuple[int, str]] | Literal["signal", "stop", "timeout"]: ...

    def close(self) -> None: ...


class ChangeSource:
    """Calls `on_changes` on the event loop with what changed below `root`, from `start` until `stop`.

    `on_polling` is called once, with a sentence for the user, if the system's watch limit is reached; `on_gone` with
    true when the folder itself goes, and with false when there is one in its place again.
    """

    def __init__(
        self,
        root: str,
        rules: IgnoreRules,
        on_changes: Callable[[list[RawChange]], None],
        on_polling: Callable[[str], None],
        on_gone: Callable[[bool], None],
    ) -> None:
        self._root, self._rules = root, rules
        self._on_changes, self._on_polling, self._on_gone = on_changes, on_polling, on_gone
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._polling = os.environ.get("WATCHFILES_FORCE_POLLING", "").lower() not in {
            "",
            "false",
            "disable",
            "disabled",
        }
        self._thread = threading.Thread(target=self._run, name="file changes", daemon=True)

    async def start(self) -> None:
        """Return once changes are being noticed. Raises OSError where the folder cannot be watched at all."""
        self._thread.start()
        try:
            await asyncio.shield(self._ready)
        except asyncio.CancelledError:
            self._stop.set()
            raise

    async def stop(self) -> None:
        """Return once the thread has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    def _tell(self, callback: Callable[..., object], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    def _run(self) -> None:
        try:
            os.listdir(self._root)  # noqa: PTH208 - raises what is wrong with the folder
            self._from_s, self._identity = time.time(), _identity(self._root)
            self._tree = Tree(self._root, self._rules)
            self._notify = self._open()
        except Exception as error:
            self._tell(self._ready.set_exception, error)
            return
        self._tell(self._ready.set_result, None)
        while not self._stop.is_set():
            try:
                self._step()
            except Exception as error:
                if not isinstance(error, OSError):
                    _log.exception("watching %s broke, and begins anew", self._root)
                self._begin_anew()
        self._notify.close()

    def _step(self) -> None:
        began_s = time.time()
        if _identity(self._root) != self._identity:
            self._begin_anew()
            return
        try:
            events = self._notify.watch(_BATCH_MS, _STEP_MS, 0, self._stop)
        except RuntimeError:  # it chokes on names that are not UTF-8, and stays so: start over and look for ourselves
            self._notify.close()
            self._notify = self._open()
            self._report(self._tree.walk(self._root, self._since_s(began_s)))
            return
        if isinstance(events, set) and _identity(self._root) == self._identity:
            self._take_in(self._tree.digest(events))

    def _begin_anew(self) -> None:
        """The folder went, another one took its place, or it changes too fast: wait, and report what is in it then."""
        gone_s, told = time.time(), False
        self._notify.close()
        changes: list[RawChange] = []
        while True:
            identity = _identity(self._root)
            if identity != self._identity and not told:
                told = True
                self._tell(self._on_gone, True)
            since_s = self._since_s(gone_s) if identity == self._identity else 0
            try:
                os.listdir(self._root)  # noqa: PTH208 - raises what is wrong with the folder
                self._rules.reload()
                changes += self._tree.walk(self._root, since_s)
                self._notify = self._open()
                break
            except (OSError, RuntimeError):
                if self._stop.wait(_GONE_LOOK_S):
                    return
        self._identity = identity
        if told:
            self._tell(self._on_gone, False)
        self._report(changes + self._tree.walk(self._root, since_s))

    def _take_in(self, digest: Digest) -> None:
        """Report a digest; where folders came or went, watch the new set, and take what the old watch still holds."""
        todo = [digest]
        while todo:
            digest, since_s = todo.pop(), self._since_s(time.time())
            self._gather(digest, since_s)
            if digest.rules_changed:
                self._rules.reload()
                self._tree.refresh()
            for folder in digest.new_folders:
                digest.changes += self._tree.walk(folder)
            if not (digest.folders_changed or digest.rules_changed):
                self._report(digest.changes)
                continue
            old = []
            for _ in range(_ROUNDS):
                old.append(self._notify)
                self._notify = self._open()
                watched = set(self._tree.folders)
                for folder in digest.new_folders:  # what was written or made before the watch was in place
                    digest.changes += self._tree.walk(folder, since_s)
                digest.changes += self._tree.look_again(since_s)  # word of it may still be on its way to an old watch
                if watched.issuperset(self._tree.folders):
                    break
            self._report(digest.changes)
            todo += [rest for notify in old if (rest := self._rest_of(notify, since_s)) is not None]

    def _gather(self, digest: Digest, since_s: float) -> None:
        """While folders come and go in numbers, as an archive is unpacked, wait: a new watch for each would be slow."""
        until_s = time.monotonic() + _GATHER_S
        while digest.folders_changed >= _MANY_FOLDERS and time.monotonic() < until_s:
            try:
                events = self._notify.watch(_BATCH_MS, _STEP_MS, _GATHER_CALM_MS, self._stop)
            except RuntimeError:
                digest.changes += self._tree.walk(self._root, since_s)
                return
            if not isinstance(events, set):
                return
            digest.add(self._tree.digest(events))

    def _rest_of(self, notify: _Notify, since_s: float) -> Digest | None:
        """What an old watch still holds; it is closed then."""
        try:
            late = notify.watch(1, 1, _LATE_MS, self._stop)
        except RuntimeError:
            return Digest(self._tree.walk(self._root, since_s))
        finally:
            notify.close()
        return self._tree.digest(late) if isinstance(late, set) else None

    def _since_s(self, moment_s: float) -> float:
        """What to hold for changed since then; what was there before the watch began is no change."""
        return max(moment_s - _CLOCK_SLACK_S, self._from_s)

    def _report(self, changes: list[RawChange]) -> None:
        if changes:
            self._tell(self._on_changes, changes)

    def _open(self) -> _Notify:
        """Watch the tree's folders as they are now. Folders that vanish meanwhile are left out."""
        from watchfiles._rust_notify import RustNotify  # imported when watching begins

        recursive = sys.platform == "darwin" and not self._polling
        for _ in range(_ROUNDS):
            git = self._rules.exclude_file
            extra = [os.path.dirname(git)] if git and os.path.isdir(os.path.dirname(git)) else []  # noqa: PTH120, PTH112
            folders = [*([self._root] if recursive else self._tree.folders), *extra]
            if self._polling:
                return Poller(folders)
            try:
                return RustNotify(folders, False, False, 0, recursive, False)
            except (FileNotFoundError, PermissionError):
                self._report(self._tree.walk(self._root))
            except (OSError, RuntimeError) as error:
                if not _is_limit(error):
                    raise OSError(f"{self._root} cannot be watched: {error}") from error
                self._polling = True
                self._tell(self._on_polling, _LIMIT.format(folders=len(folders)))
        raise OSError(f"{self._root} cannot be watched: its folders come and go too fast")


_LIMIT = (
    "The system's limit on watched folders is reached ({folders} are needed), so files are looked at twice a second "
    "instead. For instant reactions: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512, "
    "or list folders that don't matter in .gitignore."
)


def _is_limit(error: Exception) -> bool:
    return any(words in str(error) for words in ("watch limit", "Too many open files", "No space left"))


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        info = os.stat(folder)  # noqa: PTH116 - asked at each batch
    except OSError:
        return None
    return info.st_dev, info.st_ino
