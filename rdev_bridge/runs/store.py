"""The history of one workspace folder on disk: `<state>/runs/<run id>/`, private to the user.

`run.json` says what the run is and how to find its command again, `output.log` and `index` hold its output, `delivered`
says what of it a reader has. `owner` is locked by the process that works on the run: an unfinished run whose lock is
free was left behind, and whoever takes the lock goes on with it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rdev_bridge import places
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import Outcome, RunState
from rdev_bridge.runs.log import LOG_NAME, lines_so_far
from rdev_bridge.runs.mark import DeliveredMark
from rdev_bridge.runs.stored import StoredRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rdev_bridge.model import Run


RUNS_KEPT = 100
LOG_BYTES_KEPT = 1 << 30
KEPT_FOR = timedelta(days=30)
_MORE_RUNS = 10
_FRESH_S = 60.0

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: they are misread
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
_RUN_NAME, _OWNER_NAME, _MARK_NAME, _END_NAME = "run.json", "owner", "delivered", "end"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StoredRun).decode


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self._lock: int | None = None

    @property
    def log_path(self) -> Path:
        """What `logUri` names."""
        return self.path / LOG_NAME

    def load(self) -> StoredRun | None:
        """`run.json`; None where there is none yet, or where it is not one of ours."""
        try:
            return _decode((self.path / _RUN_NAME).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, stored: StoredRun) -> None:
        """Replace `run.json` as a whole."""
        fresh = self.path / f"{_RUN_NAME}.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_encode(stored))
        fresh.replace(self.path / _RUN_NAME)

    @property
    def is_mine(self) -> bool:
        """Whether this process owns it, through this object."""
        return self._lock is not None

    def claim(self) -> bool:
        """Become the owner; false where another process is, or where the run was forgotten meanwhile."""
        if self._lock is not None:
            return True
        try:
            descriptor = os.open(self.path / _OWNER_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def release(self) -> None:
        """Be the owner no more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_owned(self) -> bool:
        """Whether a live process works on this run."""
        if self._lock is not None:
            return True
        if not self.claim():
            return True
        self.release()
        return False

    def note_end(self, outcome: Outcome) -> None:
        """Tell the owner what to call the end that somebody else is about to bring."""
        (self.path / _END_NAME).write_text(outcome.value)

    def take_back_end(self) -> None:
        """The end that `note_end` spoke of did not come."""
        (self.path / _END_NAME).unlink(missing_ok=True)

    def noted_end(self) -> Outcome | None:
        """What `note_end` left, if it was called."""
        try:
            return Outcome((self.path / _END_NAME).read_text())
        except (OSError, ValueError):
            return None

    def snapshot(self, stored: StoredRun) -> Run:
        """The run as it stands: while it goes on, its log says how many lines there are."""
        run = stored.to_run(self.log_path)
        return run if stored.state is RunState.FINISHED else replace(run, lines=lines_so_far(self.path))

    def mark(self) -> DeliveredMark:
        """What a reader of this run has. Its memory goes with the last reference, or with `close`."""
        return DeliveredMark(self.path / _MARK_NAME)


class RunStore:
    """All runs of one workspace folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = places.private(places.workspace_state_dir(folder) / "runs")
        self._known: dict[str, tuple[tuple[int, int], StoredRun]] = {}
        self._last_tick = 0

    def create(self) -> RunFolder:
        """A new run with an id that is short, sorts by time and can be typed; this process owns it."""
        while True:
            self._last_tick = max(self._last_tick + 1, int((time.time() - _EPOCH) * 10))
            path = self._path / (_base32(self._last_tick, 7) + _base32(secrets.randbits(10), 2))
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                folder = RunFolder(path)
                folder.claim()
                return folder

    def begin(self) -> tuple[RunFolder, DeliveredMark]:
        """`create`, and the mark of its reader. Raises RdevError: what cannot be kept could not be found again."""
        try:
            folder = self.create()
            return folder, folder.mark()
        except OSError as error:
            text = f"cannot keep a record of the run: {error.strerror}: {error.filename}"
            raise RdevError(text, reason="noRecord") from None

    def get(self, run_id: str) -> RunFolder | None:
        """The run of this exact id."""
        path = self._path / run_id
        is_plain = run_id.isascii() and run_id.isalnum()
        return RunFolder(path) if is_plain and (path / _RUN_NAME).exists() else None

    def all(self) -> list[tuple[RunFolder, StoredRun]]:
        """Every run, newest first."""
        # What is known is replaced, never changed: `prune` asks this from a thread of its own.
        before, known, found = self._known, {}, []
        for folder, stamp in self._stamped():
            record = before.get(folder.run_id)
            if record is None or record[0] != stamp:
                stored = folder.load()
                if stored is None:
                    continue
                record = stamp, stored
            known[folder.run_id] = record
            found.append((folder, record[1]))
        self._known = known
        return found

    def _stamped(self) -> Iterator[tuple[RunFolder, tuple[int, int]]]:
        with os.scandir(self._path) as entries:
            names = sorted((entry.name for entry in entries), reverse=True)
        for name in names:
            folder = RunFolder(self._path / name)
            try:
                info = (folder.path / _RUN_NAME).stat()
            except OSError:
                continue
            yield folder, (info.st_mtime_ns, info.st_ino)

    def remove(self, folder: RunFolder) -> None:
        """Forget a run of which nothing is worth keeping."""
        folder.release()
        shutil.rmtree(folder.path, ignore_errors=True)

    def is_overfull(self, now: datetime) -> bool:
        """Whether it may be time to `prune`: there are too many runs, an old one, or their logs are too large.

        Looks at names and sizes alone: reading a hundred records is a sixth of what `rdev-bridge run -- true` does
        after its imports. So a few runs more than RUNS_KEPT stay for a while.
        """
        names = [path.name for path in self._path.iterdir()]
        too_old = _base32(max(0, int((now - KEPT_FOR).timestamp() - _EPOCH)) * 10, 7)
        if len(names) > RUNS_KEPT + _MORE_RUNS or min(names, default="z") < too_old:
            return True
        return sum(_size(self._path / name / LOG_NAME) for name in names) > LOG_BYTES_KEPT

    def prune(self, now: datetime) -> None:
        """Keep the history bounded. A run that has not ended stays, unless nobody came back to it for KEPT_FOR."""
        kept_runs, kept_bytes = 0, 0
        for folder, stored in self.all():
            size = _size(folder.log_path)
            is_old = now - stored.started_at > KEPT_FOR
            over = kept_runs >= RUNS_KEPT or kept_bytes + size > LOG_BYTES_KEPT
            finished = stored.state is RunState.FINISHED
            if kept_runs and (is_old or (over and finished)) and not folder.is_owned():
                self.remove(folder)
            else:
                kept_runs, kept_bytes = kept_runs + 1, kept_bytes + size
        for path in self._path.iterdir():
            if self._is_stillborn(path, now):
                shutil.rmtree(path, ignore_errors=True)

    def _is_stillborn(self, path: Path, now: datetime) -> bool:
        """Whether its bridge was killed before there was anything to keep; a fresh one may just be about to begin."""
        try:
            made_s = path.stat().st_mtime
        except FileNotFoundError:
            return False
        is_fresh = now.timestamp() - made_s < _FRESH_S
        return not is_fresh and not (path / _RUN_NAME).exists() and not RunFolder(path).is_owned()


def find_run(wanted: str, stores: Sequence[RunStore]) -> tuple[RunFolder, StoredRun]:
    """The run that a person means: an id, the unique beginning of one, or `latest`. Raises UsageError.

    `latest` is the newest run that somebody asked for, not one that another run depends on.
    """
    known = [found for store in stores for found in store.all()]
    asked_for = [found for found in known if found[1].parent_run_id is None]
    if wanted == "latest" and asked_for:
        return max(asked_for, key=lambda found: found[0].run_id)
    matching = [found for found in known if found[0].run_id.startswith(wanted.lower())] if wanted else []
    exact = [found for found in matching if found[0].run_id == wanted.lower()]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    if matching:
        raise UsageError(f"{wanted!r} is the beginning of {len(matching)} run ids; give a letter more")
    raise UsageError(f"there is no run {wanted!r} here; `rdev-bridge runs` lists them")


def _base32(number: int, width: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (width - 1), -1, -5))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
