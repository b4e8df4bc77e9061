"""The question whether a stranger's workspace may start things by itself: asked once for each content of its file."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from rdev_bridge.core.shown import visible
from rdev_bridge.editor.peer import Unanswered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.trust import Review

TRUST, NOT_NOW = "Trust this workspace", "Not now"
_INFO = 3  # MessageType
_A_PERSON_DECIDES_S = 3600.0
_SHOWN_STARTS, _SHOWN_CHARS = 3, 70
_MOST_WAITING = 1000  # of one change: a checkout's thousands start no more than its first ones do


class TrustQuestion:
    """`grant(folder)` is called where the user says yes; anything else, silence too, is a no for this session.

    `review(folder)` is what there is to decide on. A yes counts for what was shown and for nothing that came since.
    `granted(folder, paths)` follows a yes, with the files whose changes waited for it.
    """

    def __init__(
        self,
        peer: Peer,
        client: Client,
        review: Callable[[Path], Review],
        grant: Callable[[Path], Awaitable[Any]],
        granted: Callable[[Path, Iterable[Path]], None],
    ) -> None:
        self._peer, self._client, self._review = peer, client, review
        self._grant, self._granted = grant, granted
        self._asked: set[tuple[Path, str]] = set()
        self._waiting: dict[Path, dict[Path, None]] = {}

    def ask_once(self, folder: Path, paths: Iterable[Path]) -> None:
        """A task of `folder` would have started by itself, since `paths` changed."""
        review = self._review(folder)
        if (folder, review.digest) not in self._asked:
            self._asked.add((folder, review.digest))
            self._waiting.setdefault(folder, {})
            self._peer.spawn(self._ask(folder, review))
        if folder in self._waiting:
            self._waiting[folder].update(islice(dict.fromkeys(paths).items(), _MOST_WAITING))

    async def _ask(self, folder: Path, review: Review) -> None:
        answer = await self._answer(folder, review)
        paths = self._waiting.pop(folder, {})
        if not isinstance(answer, dict) or answer.get("title") != TRUST:
            return
        if self._review(folder).digest == review.digest:
            await self._grant(folder)
            self._granted(folder, paths)
        else:
            self.ask_once(folder, paths)

    async def _answer(self, folder: Path, review: Review) -> object:
        text = question(folder, review)
        if not self._client.message_actions:
            text = f"{text}\nThe command rdev.trust lets them, until rdev.toml changes.".replace("\n", " ")
            told = {"type": _INFO, "message": text}  # a paragraph: Emacs shows the last lines of what is too long
            self._peer.notify("window/showMessage", told)
            return None
        text += f"\n{TRUST}: yes, until rdev.toml changes. {NOT_NOW}: nothing starts by itself in this session."
        asked = {"type": _INFO, "message": text, "actions": [{"title": TRUST}, {"title": NOT_NOW}]}
        try:
            return await self._peer.ask("window/showMessageRequest", asked, _A_PERSON_DECIDES_S)
        except Unanswered:
            return None


def question(folder: Path, review: Review) -> str:
    """What the user reads: which folder, and what would start.

    Short lines, of which the first says most: VS Code makes one paragraph of them and cuts it after 1000 characters,
    Emacs shows as many as fit into a quarter of its frame.
    """
    where = visible(str(folder))
    if review.is_change:
        head = f"rdev.toml of {where} has changed. May its tasks start by themselves again when files change?"
        same = "· they run what they ran before"
    else:
        head = f"May tasks of {where} start by themselves when files change?"
        same = "· there are none yet"
    starts = [f"· {one}" if len(one) <= _SHOWN_CHARS else f"· {one[:_SHOWN_CHARS]}…" for one in review.starts]
    more = len(starts) - _SHOWN_STARTS
    rest = [f"· and {more} more; `rdev-bridge trust` shows all"] if more > 0 else []
    return "\n".join([head, *(starts[:_SHOWN_STARTS] or [same]), *rest]) + "."
