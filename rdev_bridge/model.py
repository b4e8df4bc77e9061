"""The words of the domain: immutable values, no I/O, no decisions.

Everything that travels between the rooms is defined here once. Times are aware UTC datetimes,
durations carry their unit in the name, paths are local `Path`s unless the name says `remote`.

msgspec makes these classes, and the others that every run loads: a frozen dataclass with slots takes some 0.5 ms to
make, a Struct 0.03, and sixty of them are a tenth of what `rdev-bridge run -- true` takes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path


class Stream(StrEnum):
    """Which pipe of the remote process a line came from."""

    STDOUT = "stdout"
    STDERR = "stderr"


class RunState(StrEnum):
    """Where a run stands in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"


class Outcome(StrEnum):
    """How a run ended. Only `succeeded` and `failed` come with an exit code of the command's own."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    TIMED_OUT = "timedOut"
    LOST = "lost"
    ERROR = "error"


class BusyPolicy(StrEnum):
    """What a new request does while a run of the same task is under way."""

    QUEUE = "queue"
    RESTART = "restart"
    IGNORE = "ignore"
    PARALLEL = "parallel"


class Disposition(StrEnum):
    """What became of a request to run."""

    STARTED = "started"
    QUEUED = "queued"
    IGNORED = "ignored"


class OnClientExit(StrEnum):
    """What happens to a run when the bridge that started it goes."""

    CANCEL = "cancel"
    DETACH = "detach"


class TriggerKind(StrEnum):
    """Why a run started."""

    REQUEST = "request"
    SAVE = "save"
    CHANGE = "change"
    DEPENDENCY = "dependency"
    ATTACH = "attach"


class ConnectionState(StrEnum):
    """How the stream to a server is doing."""

    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    RESUMED = "resumed"
    OFFLINE = "offline"


class Secret:
    """A key. Its repr and str never show it, and no encoder takes it. `reveal()`, easy to grep for, is the way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the header that needs it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is written nowhere")


class Location(msgspec.Struct, frozen=True):
    """A place in a configuration file; `line` and columns count from 0, columns in UTF-16 code units (LSP)."""

    path: Path
    line: int
    start: int = 0
    end: int = 0


class EmbeddedServer(msgspec.Struct, frozen=True):
    """The server that the bridge starts by itself for one workspace folder."""

    folder: Path
    name: str = "embedded"


class RemoteServer(msgspec.Struct, frozen=True):
    """A server that the user configured.

    `api_key_command` is an argv whose stdout is the key. `key_from_environment` says that `RDEV_API_KEY`
    may be sent here (contract, section 3). `allow_http` is the user's own consent to plain http off this machine.
    """

    name: str
    url: str
    api_key_command: tuple[str, ...] | None = None
    key_from_environment: bool = False
    allow_http: bool = False
    setting: str = "its url"
    """Where the url was given, for a message that says what to check."""


Server = EmbeddedServer | RemoteServer


class Target(msgspec.Struct, frozen=True):
    """Where a run goes: a server, a project on it, and where that server sees the workspace."""

    server: Server
    project: str
    remote_root: str | None = None


class SyncCommand(msgspec.Struct, frozen=True):
    """A local command that must succeed before the run may start."""

    command: str
    timeout_s: float | None = None


class SyncPush(msgspec.Struct, frozen=True):
    """Bring changed files over through `/shell` before the run starts."""


Sync = SyncCommand | SyncPush | None


class ConflictPolicy(StrEnum):
    """What a push does with a file that changed on the server since the last push: stop, overwrite it, or keep it."""

    FAIL = "fail"
    OURS = "ours"
    THEIRS = "theirs"


class SyncProgress(msgspec.Struct, frozen=True):
    """How far a sync is. `phase` is "scan", "upload", "apply" or "command", and "done" at its end.

    Totals are 0 while they are unknown.
    """

    phase: str
    done_bytes: int = 0
    total_bytes: int = 0
    files: int = 0


class SyncResult(msgspec.Struct, frozen=True):
    """What a sync left behind.

    `state` names the content of the workspace that the run sees: two runs with the same `state` ran on the same files
    (None where nothing was compared). `kept` are paths where the server's file differs and was left alone, `refused`
    are "path: reason" of what cannot be brought over; both should be told.
    """

    state: str | None = None
    files: int = 0
    bytes: int = 0
    deleted: int = 0
    kept: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One `[tasks.NAME]` of an `rdev.toml`, checked and with defaults filled in.

    `cwd` is as written (relative to the folder, or absolute on the server). `problem_matcher` is as written:
    names and VS Code objects, checked by `problems/`.
    """

    name: str
    folder: Path
    command: str
    description: str | None = None
    group: str | None = None
    cwd: str | None = None
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    on_busy: BusyPolicy = BusyPolicy.QUEUE
    timeout_s: float | None = None
    server: str | None = None
    project: str | None = None
    remote_root: str | None = None
    problem_matcher: tuple[str | Mapping[str, Any], ...] = ()
    on_client_exit: OnClientExit = OnClientExit.CANCEL
    sync: Sync = None
    location: Location | None = None


class Trigger(msgspec.Struct, frozen=True):
    """Why a run started, and the files that made it start (local paths)."""

    kind: TriggerKind = TriggerKind.REQUEST
    files: tuple[Path, ...] = ()


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's wish to run `task`, or the free shell text `command` in `folder`: exactly one of the two."""

    folder: Path
    task: Task | None = None
    command: str | None = None
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    timeout_s: float | None = None
    on_busy: BusyPolicy | None = None
    on_client_exit: OnClientExit | None = None
    trigger: Trigger = Trigger()
    file: Path | None = None
    parent_run_id: str | None = None
    sync_conflict: ConflictPolicy = ConflictPolicy.FAIL


class DiagnosticCounts(msgspec.Struct, frozen=True):
    """How many problems a run reported, and how many named a file that maps to nowhere in the workspace."""

    errors: int = 0
    warnings: int = 0
    unmapped: int = 0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one run; the live object that changes is `runs.LiveRun`.

    `exit_code` is set only where the command's end was learnt. `lines` counts the lines relayed over both streams.
    `reason` is a word for programs where the outcome is `error` (`RdevError.reason`). `workspace_state` names the
    content of the workspace that it ran on (`SyncResult.state`).
    """

    run_id: str
    command: str
    folder: Path
    project: str
    server: str
    state: RunState
    started_at: datetime
    log_path: Path
    task: str | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    duration_ms: int | None = None
    lines: int = 0
    diagnostics: DiagnosticCounts | None = None
    message: str | None = None
    reason: str | None = None
    parent_run_id: str | None = None
    workspace_state: str | None = None
    stale: bool = False


class Chunk(msgspec.Struct):
    """Consecutive output of one stream.

    `lines` hold no line end; each was ended by one, except the last one where `ended` is false. A line may hold any
    character at all, carriage returns and (from a foreign server) even line feeds: one output event, one line.
    """

    stream: Stream
    lines: list[str]
    ended: bool = True

    def text(self) -> str:
        """The chunk as a terminal prints it."""
        return "\n".join(self.lines) + ("\n" if self.ended and self.lines else "")


class Connection(msgspec.Struct, frozen=True):
    """A change in how a server's stream is doing, as a person should learn it."""

    server: str
    state: ConnectionState
    attempt: int | None = None
    retry_in_ms: int | None = None
    message: str | None = None
    is_start: bool = False
    """It is the start call that waits: nothing runs yet."""
