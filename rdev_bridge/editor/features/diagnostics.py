"""`textDocument/publishDiagnostics`: columns in the client's encoding, and a wrong `rdev.toml` at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdev_bridge.editor.sanitize import plain
from rdev_bridge.problems.columns import position, to_lsp_range

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.errors import SettingsError
    from rdev_bridge.problems.problem import ColumnUnit
    from rdev_bridge.problems.standing import PlacedProblem, RelatedPlace

_ERROR = 1  # DiagnosticSeverity


def problem_to_lsp(placed: PlacedProblem, client: Client) -> dict[str, Any]:
    """A problem as an LSP `Diagnostic`, its columns counted as this client counts."""
    problem = placed.problem
    wire: dict[str, Any] = {
        "range": to_lsp_range(problem, placed.line_text, client.position_encoding, placed.end_text),
        "severity": int(problem.severity),
        "source": placed.source,
        "message": plain(problem.message),
    }
    if problem.code:
        wire["code"] = plain(problem.code)
    if client.diagnostic_data:
        wire["data"] = {"runId": placed.run_id}
    if placed.related and client.related_information:
        wire["relatedInformation"] = [_related_to_lsp(one, problem.unit, client) for one in placed.related]
    return wire


def _related_to_lsp(one: RelatedPlace, unit: ColumnUnit, client: Client) -> dict[str, Any]:
    start = position(one.line, one.column, one.text, unit, client.position_encoding)
    return {
        "location": {"uri": one.path.as_uri(), "range": {"start": start, "end": start}},
        "message": plain(one.message),
    }


def settings_diagnostic(error: SettingsError) -> dict[str, Any]:
    """A wrong `rdev.toml` as a diagnostic over its line."""
    line = (error.line or 1) - 1
    return {
        "range": {"start": {"line": line, "character": 0}, "end": {"line": line + 1, "character": 0}},
        "severity": _ERROR,
        "source": "rdev",
        "message": plain(": ".join(part for part in (error.key, error.problem) if part)),
    }


class DiagnosticsPublisher:
    """What stands on each file, as the union of what several owners put there; each change is pushed whole."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._by_file: dict[Path, dict[str, list[dict[str, Any]]]] = {}
        self._told: set[Path] = set()  # files of which the client heard at some time

    def set(self, owner: str, path: Path, diagnostics: list[dict[str, Any]]) -> None:
        """Replace what `owner` has on `path`; an empty list takes it away."""
        owners = self._by_file.setdefault(path, {})
        if owners.get(owner, []) == diagnostics:
            return
        owners[owner] = diagnostics
        if not any(owners.values()):
            del self._by_file[path]
        self._told.add(path)
        self._tell(path)

    def again(self, path: Path) -> None:
        """The document was opened or closed: some clients (eglot) keep apart what they heard before and after that."""
        if path in self._told:
            self._tell(path)

    def _tell(self, path: Path) -> None:
        together = [diagnostic for standing in self._by_file.get(path, {}).values() for diagnostic in standing]
        self._peer.notify("textDocument/publishDiagnostics", {"uri": path.as_uri(), "diagnostics": together})

    def files_of(self, owner: str) -> list[Path]:
        """The files on which `owner` has something."""
        return [path for path, owners in self._by_file.items() if owners.get(owner)]
