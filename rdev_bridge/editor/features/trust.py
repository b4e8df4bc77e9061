"""The question whether a stranger's workspace may start things by itself: asked once, where the editor can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdev_bridge.editor.peer import Unanswered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer

TRUST, NOT_NOW = "Trust this workspace", "Not now"
_INFO = 3  # MessageType
_A_PERSON_DECIDES_S = 3600.0


class TrustQuestion:
    """`grant(folder)` is called where the user says yes; anything else, silence too, is a no for this session."""

    def __init__(self, peer: Peer, client: Client, grant: Callable[[Path], Awaitable[Any]]) -> None:
        self._peer, self._client, self._grant = peer, client, grant
        self._asked: set[Path] = set()

    def ask_once(self, folder: Path) -> None:
        """A task of `folder` would have started by itself."""
        if folder not in self._asked:
            self._asked.add(folder)
            self._peer.spawn(self._ask(folder))

    async def _ask(self, folder: Path) -> None:
        text = f"Tasks of {folder} start by themselves when files change, once you trust this workspace."
        if not self._client.message_actions:
            told = {"type": _INFO, "message": f"{text} The command rdev.trust does that."}
            self._peer.notify("window/showMessage", told)
            return
        question = {"type": _INFO, "message": text, "actions": [{"title": TRUST}, {"title": NOT_NOW}]}
        try:
            answer = await self._peer.ask("window/showMessageRequest", question, _A_PERSON_DECIDES_S)
        except Unanswered:
            return
        if isinstance(answer, dict) and answer.get("title") == TRUST:
            await self._grant(folder)
