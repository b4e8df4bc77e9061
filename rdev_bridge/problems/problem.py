"""What a matcher finds in output: values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

LAST_COLUMN = 2**31 - 1
"""The end of a line, however long."""


class Severity(IntEnum):
    """As in LSP's `DiagnosticSeverity`."""

    ERROR = 1
    WARNING = 2
    INFO = 3
    HINT = 4


class ColumnUnit(StrEnum):
    """What a tool counts when it prints a column; all of them count from 1.

    `DISPLAY` is GCC since version 11: terminal cells, a tab reaching to the next multiple of 8.
    """

    BYTES = "bytes"
    UTF16 = "utf16"
    CHARACTERS = "characters"
    DISPLAY = "display"


class ApplyTo(StrEnum):
    """Which documents a problem is shown on (VS Code's `applyTo`)."""

    ALL = "allDocuments"
    OPEN = "openDocuments"
    CLOSED = "closedDocuments"


class FileLocationKind(StrEnum):
    """How a printed file name is read (VS Code's `fileLocation`)."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    AUTO_DETECT = "autodetect"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class FileLocation:
    """`prefix` is what a relative name counts from, None the run's own folder; `include` and `exclude` bound a search.

    `told` is the folder that the output itself says it is in (`make: Entering directory`); it is tried first.
    All of them are as the server sees it and may begin with `${workspaceFolder}` or `${cwd}`.
    """

    kind: FileLocationKind = FileLocationKind.AUTO_DETECT
    prefix: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    told: str | None = None


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that belongs to a problem; `path` as printed, `line` and `column` from 1.

    `leads` says that it is on the way to the problem (a caller, an include), not beside it (a note).
    """

    path: str
    line: int
    message: str
    column: int | None = None
    leads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One complaint of a tool.

    `path` is as printed. Lines and columns count from 1, columns in `unit`; no `column` means the whole line, no
    `end_column` the word that begins at `column`; an end is exclusive. `output_line` is the number (from 0) of the
    line of output that completed it and takes no part in comparisons.
    """

    path: str
    line: int
    message: str
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    severity: Severity = Severity.ERROR
    code: str | None = None
    source: str | None = None
    owner: str = ""
    unit: ColumnUnit = ColumnUnit.UTF16
    apply_to: ApplyTo = ApplyTo.ALL
    location: FileLocation = FileLocation()
    related: tuple[Related, ...] = ()
    output_line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CycleBegan:
    """A background tool started over: what it reports from now on replaces what `owner` reported before.

    `path` is set where the tool names one file, as printed: only that file is replaced then.
    """

    owner: str
    output_line: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class CycleEnded:
    """A background tool has reported all it had to say for now."""

    owner: str
    output_line: int


Event = Problem | CycleBegan | CycleEnded
