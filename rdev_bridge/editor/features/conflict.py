"""Files that changed on both sides: the run did not start, and a person says which side stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdev_bridge.editor.peer import Unanswered
from rdev_bridge.editor.sanitize import plain
from rdev_bridge.editor.wording import title_of
from rdev_bridge.model import ConflictPolicy
from rdev_bridge.sync.errors import without_choice

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.model import Run

OURS, THEIRS, NEITHER = "Overwrite theirs", "Leave theirs", "Not now"
_WARNING = 2  # MessageType
_A_PERSON_DECIDES_S = 3600.0


class ConflictQuestion:
    """Asks where the editor can ask, one question at a time; `again(run, policy)` starts the latest such run anew.

    An editor that cannot ask reads `reason: "syncConflict"` in the run, or its message, and calls `rdev/run` with
    `syncConflict`.
    """

    def __init__(self, peer: Peer, client: Client, again: Callable[[Run, ConflictPolicy], None]) -> None:
        self._peer, self._client, self._again = peer, client, again
        self._latest: Run | None = None

    def finished(self, run: Run) -> bool:
        """A run is over; whether a person is asked about it, and so needs no other word of it."""
        if run.reason != "syncConflict" or run.parent_run_id is not None or not self._client.message_actions:
            return False
        is_asking = self._latest is not None
        self._latest = run
        if not is_asking:
            self._peer.spawn(self._ask(run))
        return True

    async def _ask(self, run: Run) -> None:
        told: dict[str, Any] = {
            "type": _WARNING,
            "message": f"{title_of(run)} did not start: {plain(run.message or '')}",
        }
        actions = [{"title": title} for title in (OURS, THEIRS, NEITHER)]
        question = told | {"message": without_choice(told["message"]), "actions": actions}
        try:
            answer = await self._peer.ask("window/showMessageRequest", question, _A_PERSON_DECIDES_S)
        except Unanswered:
            self._peer.notify("window/showMessage", told)
            answer = None
        latest, self._latest = self._latest or run, None
        chosen = answer.get("title") if isinstance(answer, dict) else None
        if chosen in (OURS, THEIRS):
            self._again(latest, ConflictPolicy.OURS if chosen == OURS else ConflictPolicy.THEIRS)
