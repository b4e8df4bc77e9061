"""How a stream is kept: when to connect again, from where, and what of it was seen before. Events in, decisions out.

No clock and no randomness of its own: every `now_s` is a monotonic time in seconds, `jitter` gives numbers in [0, 1).
A laptop that sleeps stops that clock, so a night in a bag counts for nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.core.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Policy(msgspec.Struct, frozen=True):
    """The figures of the resume; tests use small ones."""

    first_delay_s: float = 0.2
    longest_delay_s: float = 30.0
    longest_server_delay_s: float = 300.0
    """A `Retry-After` beyond this is not waited for in full: the server may be back long before."""
    give_up_after_s: float = 600.0
    """Lost after this long without one properly opened stream, counted in time that this machine was awake."""
    silence_s: float = 60.0
    """The watchdog before the server's heartbeat is known."""
    heartbeats_missed: float = 3.0
    shortest_silence_s: float = 3.0
    longest_silence_s: float = 120.0
    remembered_ids: int = 16384
    offline_after: int = 3
    """Attempts in a row that reached nobody before the user is told "offline"."""


DEFAULT_POLICY = Policy()


class Wait(msgspec.Struct, frozen=True):
    """Connect again after `delay_s`; `reached` is false where nobody answered several times in a row."""

    delay_s: float
    attempt: int
    why: str
    reached: bool = True


class GiveUp(msgspec.Struct, frozen=True):
    """The end of the command cannot be learnt any more."""

    why: str


class Admission(msgspec.Struct, frozen=True):
    """What of a batch is new: `keep` is None for all of it, else one flag an event.

    `missing` events were lost before it (0: none). `unsafe` says that with this batch a resume became impossible.
    """

    keep: list[bool] | None = None
    missing: int = 0
    unsafe: bool = False


Decision = Wait | GiveUp

_ADVICE = {
    401: "{server} refuses the key (401); `{login}` stores a new one",
    403: "the key may not read this command (403); ask who runs {server} for access to the project",
    404: "{server} does not know this command any more (404): it was restarted or has forgotten it; run it again",
    410: "{server} has thrown this command's output away (410); run it again",
}
_TRY_AGAIN = frozenset({408, 425, 429})


def advice_for(status: int, server: str = "the server", login: str = "rdev-bridge login") -> str:
    """What a final status of `server` means to the person who reads it; `login` is the command that keeps its key."""
    text = _ADVICE.get(status, f"{{server}} refuses the stream with status {status}; ask who runs it")
    return text.format(server=server, login=login)


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """`Retry-After` in seconds, from either form (RFC 9110, 10.2.3); None where there is none or it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


class Resume:
    """The state of one stream over all its connections.

    Call `opened` when the server answers 200, `heard` for events that carry no content,
    `admit` for events that do, and `broke`, `refused` or `unreachable` when a connection ends; they decide.
    """

    def __init__(
        self, after: str | None, now_s: float, jitter: Callable[[], float], policy: Policy = DEFAULT_POLICY
    ) -> None:
        self.position = after
        """The id to send as `Last-Event-ID`; None to start from the beginning."""
        self.server_retry_ms: int | None = None
        self.policy = policy
        self._jitter = jitter
        self._attempt = 0
        self._unreached = 0
        self._last_open_s = now_s
        self.delivered = after is not None
        """Whether any output was handed on, now or before `after`."""
        self._unsafe = False
        self._resumed = after is not None
        self._connected = False
        self._opened_s = now_s
        self._heartbeat_at_s: float | None = None
        self._heartbeat_every_s: float | None = None
        self._seen = Seen(after, policy.remembered_ids)

    # -- while connected

    def opened(self, now_s: float) -> bool:
        """A stream stands. Says whether it goes on from an earlier one."""
        resumed, self._connected = self._connected, True
        if resumed:
            self._resumed = True
        if self._resumed:
            self._seen.reconnected()
        self._last_open_s = self._opened_s = now_s
        self._heartbeat_at_s = None
        self._unreached = 0
        return resumed

    def heard(self, event_id: str, now_s: float, *, heartbeat: bool) -> None:
        """An event without content came. Its id counts, but never moves the position.

        A single heartbeat tells nothing: a server with one clock for all its streams sends the first one early.
        """
        if event_id:
            self._seen.passed(event_id)
        if not heartbeat:
            return
        if self._heartbeat_at_s is not None:
            self._heartbeat_every_s = max(self._heartbeat_every_s or 0.0, now_s - self._heartbeat_at_s)
        self._heartbeat_at_s = now_s

    def silence_s(self) -> float:
        """How long a read may wait before the connection must be taken for dead; any byte ends the wait.

        Where the stream cannot be resumed a mistake would be the end, so there no early heartbeats shorten it.
        """
        policy, every_s = self.policy, self._heartbeat_every_s
        if every_s is None:
            return policy.silence_s
        shortest_s = policy.silence_s if self._unsafe else policy.shortest_silence_s
        return min(max(every_s * policy.heartbeats_missed, shortest_s), policy.longest_silence_s)

    def fell_silent(self) -> None:
        """The time of `silence_s` is over, and nothing came; `broke` follows.

        It may be a server whose heartbeats come in bursts: next time they are waited for longer.
        """
        if self._heartbeat_every_s is not None:
            self._heartbeat_every_s = self.silence_s()

    def admit(self, ids: Sequence[str]) -> Admission:
        """Decide about events with content; `ids` are their own ids, "" for an event that carries none."""
        was_unsafe = self._unsafe
        verdict = self._seen.admit(ids)
        if verdict.keep is None or any(verdict.keep):
            self._attempt = 0
            self.delivered = True
        self._unsafe = was_unsafe or not ids[-1] or self._seen.ambiguous
        newest = ids[-1] if verdict.keep is None else _last_kept(ids, verdict.keep)
        if newest:
            self.position = newest
        return Admission(verdict.keep, verdict.missing, unsafe=self._unsafe and not was_unsafe)

    # -- when a connection ends

    def broke(self, now_s: float, why: str) -> Decision:
        """The stream ended before `complete`: an end of file, a reset, or silence."""
        if self._unsafe:
            return GiveUp(
                f"{why}, and this server does not number its events, so that going on could lose or double output"
            )
        if now_s - self._opened_s > self.policy.longest_delay_s:
            self._attempt = 0
        return self._again(now_s, why)

    def refused(self, now_s: float, status: int, server_delay_s: float | None, final: str = "") -> Decision:
        """The server answered with something else than a stream. `final` says what it means where that is the end."""
        self._unreached = 0
        if status == 204:
            return GiveUp("the server says that nothing more will come, but never told how the command ended")
        if status in _TRY_AGAIN or status >= 500:
            return self._again(now_s, f"the server answers {status}", server_delay_s)
        return GiveUp(final or advice_for(status))

    def unreachable(self, now_s: float, why: str) -> Decision:
        """Nobody answered: refused, no route, no such name, a handshake that failed."""
        self._unreached += 1
        return self._again(now_s, why)

    def _again(self, now_s: float, why: str, server_delay_s: float | None = None) -> Decision:
        policy = self.policy
        if now_s - self._last_open_s > policy.give_up_after_s:
            minutes = policy.give_up_after_s / 60
            return GiveUp(f"{why}; given up after {minutes:.0f} minutes. The command may still be running there")
        self._attempt += 1
        first_s = policy.first_delay_s
        if self.server_retry_ms is not None:
            first_s = min(self.server_retry_ms / 1000, policy.longest_delay_s)
            if self._attempt > 1:  # it may ask for no delay at all, but not for thousands of tries
                first_s = max(first_s, policy.first_delay_s)
        ceiling_s = min(first_s * 2.0 ** min(self._attempt - 1, 20), policy.longest_delay_s)
        delay_s = ceiling_s * (0.5 + self._jitter() / 2)
        if server_delay_s is not None:
            delay_s = min(server_delay_s, policy.longest_server_delay_s) + delay_s
        return Wait(delay_s, self._attempt, why, reached=self._unreached < policy.offline_after)


def _last_kept(ids: Sequence[str], keep: Sequence[bool]) -> str:
    """The id of the last event that is new; "" where there is none, or it carries none."""
    return next((one for one, kept in zip(reversed(ids), reversed(keep), strict=True) if kept), "")
