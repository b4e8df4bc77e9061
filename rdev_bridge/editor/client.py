"""What this editor can do, learnt from its capabilities and from nothing else (never from its name)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The answers that features need; all default to "cannot", which is what a client that declares nothing says."""

    process_id: int | None = None
    folders: tuple[Path, ...] = ()
    rdev: bool = False
    trusted: bool = False
    position_encoding: str = "utf-16"
    progress: bool = False
    show_document: bool = False
    message_actions: bool = False
    lens_refresh: bool = False
    code_actions: bool = False
    code_action_literals: bool = False
    related_information: bool = False
    diagnostic_data: bool = False
    watches_files: bool = False


def client_from(params: dict[str, Any]) -> Client:
    """Read the params of `initialize`; whatever has an unexpected shape counts as not declared."""
    capabilities = _Tree(params.get("capabilities"))
    editing = _Tree(capabilities.at("textDocument"))
    options = _Tree(params.get("initializationOptions"))
    process_id = params.get("processId")
    return Client(
        process_id=process_id if isinstance(process_id, int) and process_id > 0 else None,
        folders=_folders(params),
        rdev=_is_declared(capabilities.at("experimental", "rdev")) or _is_declared(options.at("rdev")),
        trusted=options.at("rdev", "trusted") is True,
        position_encoding=_encoding(capabilities.at("general", "positionEncodings")),
        progress=capabilities.at("window", "workDoneProgress") is True,
        show_document=capabilities.at("window", "showDocument", "support") is True,
        # `showMessageRequest` itself is no capability of its own; `{}` says at least that somebody thought of it.
        message_actions=isinstance(capabilities.at("window", "showMessage"), dict),
        lens_refresh=capabilities.at("workspace", "codeLens", "refreshSupport") is True,
        code_actions=isinstance(editing.at("codeAction"), dict),
        code_action_literals=isinstance(editing.at("codeAction", "codeActionLiteralSupport"), dict),
        related_information=editing.at("publishDiagnostics", "relatedInformation") is True,
        diagnostic_data=editing.at("publishDiagnostics", "dataSupport") is True,
        watches_files=capabilities.at("workspace", "didChangeWatchedFiles", "dynamicRegistration") is True,
    )


def path_from_uri(uri: str) -> Path | None:
    """The local path of a `file:` URI; None for any other (`untitled:`, `git:`, another host's file)."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        return None
    path = unquote(parts.path)
    return None if "\0" in path else Path(path)


class _Tree:
    """JSON of unknown shape, looked into without fear."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def at(self, *keys: str) -> Any:
        value = self._value
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value


def _is_declared(value: Any) -> bool:
    return isinstance(value, dict) or value is True or value == []  # Lua writes its empty table as a list


def _encoding(offered: Any) -> str:
    """The client's own first choice; without one it is utf-16 (LSP 3.17, `positionEncodings`)."""
    offered = offered if isinstance(offered, list) else []
    return next((encoding for encoding in offered if encoding in ("utf-8", "utf-16", "utf-32")), "utf-16")


def _folders(params: dict[str, Any]) -> tuple[Path, ...]:
    """`workspaceFolders`, else `rootUri`, else `rootPath` (LSP: each takes precedence over the next)."""
    listed = params.get("workspaceFolders")
    if isinstance(listed, list) and listed:
        uris = [entry.get("uri") for entry in listed if isinstance(entry, dict)]
    elif isinstance(params.get("rootUri"), str):
        uris = [params["rootUri"]]
    elif isinstance(params.get("rootPath"), str) and params["rootPath"].startswith("/"):
        return (Path(params["rootPath"]),)
    else:
        return ()
    paths = [path_from_uri(uri) for uri in uris if isinstance(uri, str)]
    return tuple(dict.fromkeys(path for path in paths if path is not None))
