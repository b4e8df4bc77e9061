"""What a server may send to a client, by what the client declared (LSP 3.17, "Client capabilities" of each method).

The rule is the specification's: a capability that is absent is one that the client does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# A request of the server, and where the client says that it takes it.
REQUESTS: dict[str, tuple[str, ...]] = {
    "window/workDoneProgress/create": ("window", "workDoneProgress"),
    "window/showDocument": ("window", "showDocument", "support"),
    "window/showMessageRequest": ("window", "showMessage"),
    "workspace/applyEdit": ("workspace", "applyEdit"),
    "workspace/configuration": ("workspace", "configuration"),
    "workspace/workspaceFolders": ("workspace", "workspaceFolders"),
    "workspace/codeLens/refresh": ("workspace", "codeLens", "refreshSupport"),
    "workspace/diagnostic/refresh": ("workspace", "diagnostics", "refreshSupport"),
    "workspace/inlayHint/refresh": ("workspace", "inlayHint", "refreshSupport"),
    "workspace/semanticTokens/refresh": ("workspace", "semanticTokens", "refreshSupport"),
}
# What every client takes.
NOTIFICATIONS = {"window/logMessage", "window/showMessage", "textDocument/publishDiagnostics"}
DIAGNOSTIC_EXTRAS = {
    "relatedInformation": "relatedInformation",
    "codeDescription": "codeDescriptionSupport",
    "data": "dataSupport",
    "tags": "tagSupport",
}
ACTION_EXTRAS = {"isPreferred": "isPreferredSupport", "disabled": "disabledSupport", "data": "dataSupport"}


class Declared:
    """One client's `initialize`, and what it makes of the server's messages."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._capabilities: dict[str, Any] = params.get("capabilities") or {}
        options = params.get("initializationOptions")
        self._rdev = self._at("experimental", "rdev") is not None or (isinstance(options, dict) and "rdev" in options)
        self._tokens: set[Any] = set()

    def _at(self, *keys: str) -> Any:
        value: Any = self._capabilities
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _has(self, *keys: str) -> bool:
        return self._at(*keys) not in (None, False)

    def complaints(self, message: dict[str, Any], method: str | None) -> Iterator[str]:
        """Why this client should not have got `message`; `method` is that of the request where it is an answer."""
        if "method" not in message:
            yield from self._in_answer(method, message.get("result"))
        elif "id" in message:
            yield from self._in_request(message["method"], message.get("params"))
        else:
            yield from self._in_notification(message["method"], message.get("params"))

    def _in_request(self, method: str, params: Any) -> Iterator[str]:
        if method == "window/workDoneProgress/create":
            self._tokens.add(params["token"])
        if method == "client/registerCapability":
            for registration in params["registrations"]:
                area, _, name = registration["method"].partition("/")
                if not self._has(area, name, "dynamicRegistration"):
                    yield f"{registration['method']} registered without dynamicRegistration"
        elif method not in REQUESTS:
            yield f"a request that no capability allows: {method}"
        elif not self._has(*REQUESTS[method]):
            yield f"{method} without {'.'.join(REQUESTS[method])}"

    def _in_notification(self, method: str, params: Any) -> Iterator[str]:
        if method.startswith("rdev/"):
            if not self._rdev:
                yield f"{method} without experimental.rdev"
        elif method == "$/progress":
            if params["token"] not in self._tokens:
                yield "$/progress with a token that nobody made"
        elif method not in NOTIFICATIONS:
            yield f"a notification that no capability allows: {method}"
        if method == "textDocument/publishDiagnostics":
            yield from self._in_diagnostics(params)

    def _in_diagnostics(self, params: Any) -> Iterator[str]:
        if "version" in params and not self._has("textDocument", "publishDiagnostics", "versionSupport"):
            yield "diagnostics with a version without versionSupport"
        for diagnostic in params["diagnostics"]:
            for key, capability in DIAGNOSTIC_EXTRAS.items():
                if key in diagnostic and not self._has("textDocument", "publishDiagnostics", capability):
                    yield f"a diagnostic with {key} without {capability}"

    def _in_answer(self, method: str | None, result: Any) -> Iterator[str]:
        if "documentChanges" in str(result) and not self._has("workspace", "workspaceEdit", "documentChanges"):
            yield f"the answer to {method} has documentChanges"
        if method == "initialize" and result is not None:
            yield from self._in_capabilities(result["capabilities"])
        elif method == "textDocument/codeAction":
            for action in result or ():
                yield from self._in_action(action)

    def _in_capabilities(self, provided: dict[str, Any]) -> Iterator[str]:
        offered = self._at("general", "positionEncodings") or []
        if provided.get("positionEncoding", "utf-16") not in {*offered, "utf-16"}:
            yield f"the position encoding {provided['positionEncoding']} was not offered"
        literals = self._has("textDocument", "codeAction", "codeActionLiteralSupport")
        if isinstance(provided.get("codeActionProvider"), dict) and not literals:
            yield "CodeActionOptions without codeActionLiteralSupport"

    def _in_action(self, action: dict[str, Any]) -> Iterator[str]:
        if isinstance(action.get("command"), str):
            return  # a Command, which every client takes
        if not self._has("textDocument", "codeAction", "codeActionLiteralSupport"):
            yield "a CodeAction without codeActionLiteralSupport"
        for key, capability in ACTION_EXTRAS.items():
            if key in action and not self._has("textDocument", "codeAction", capability):
                yield f"a CodeAction with {key} without {capability}"
