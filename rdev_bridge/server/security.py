"""Who may call: key, Host, Origin, and the ticket of a browser's one stream. Pure but for the clock it is given."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,64}")


def is_project_id(text: str) -> bool:
    """`[A-Za-z0-9_.-]{1,64}`, never `.` or `..`."""
    return PROJECT_ID.fullmatch(text) is not None


def project_id_for(name: str) -> str:
    """A folder's name made a valid project id; the one that a bridge in that folder asks for."""
    made = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:64]
    return made if made.strip(".-") else "workspace"


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Gate:
    """What must be right about a request before anything is looked at.

    A page that rebinds its own name to this machine always needs a name, so addresses are no danger; `names` are the
    hosts served besides, `origins` the pages (`https://host:port`) that the user vouches for. `beyond_loopback` says
    that the server listens on more than loopback.
    """

    key: str
    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    beyond_loopback: bool = False

    def knows_key(self, given: str | None) -> bool:
        """Compared in constant time."""
        return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self.key.encode())

    def serves_host(self, host: str | None) -> bool:
        """Whether a Host header names this server. Any port: the way here may lead over a forwarded one."""
        name = _host_name(host)
        if name is None:
            return False
        if is_loopback(name) or name.lower() in self.names:
            return True
        return self.beyond_loopback and _is_address(name)

    def allows_page(self, headers: Mapping[str, str]) -> bool:
        """Whether this page may ask: one of the same origin, one that the user vouched for, or no page at all.

        `Sec-Fetch-Site` is the browser's own word, which no page can forge; it also holds behind a proxy that rewrites
        Host.
        """
        site = headers.get("sec-fetch-site")
        origin = headers.get("origin")
        if origin is not None and origin in self.origins:
            return True
        if site in {"cross-site", "same-site"}:
            return False
        if site == "same-origin" or origin is None:
            return True
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == headers.get("host", "").lower() != ""


def _host_name(host: str | None) -> str | None:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?", host or "")
    return found[1].strip("[]").removesuffix(".") if found else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Ticket:
    """A browser's leave to read one stream without the key; it lives while one is open, and a while after."""

    token: str
    expires_s: float
    open_streams: int = 0


@dataclass(slots=True)
class Tickets:
    """All tickets of one server. Cookie names hold `tag`, since cookies know no ports: a neighbour's are left alone."""

    lifetime_s: float
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    _tickets: dict[str, Ticket] = field(default_factory=dict)

    def issue(self, stream_id: str, now_s: float) -> str:
        """A new ticket's token. Dead tickets are forgotten on the way."""
        self._tickets = {key: ticket for key, ticket in self._tickets.items() if _lives(ticket, now_s)}
        token = secrets.token_urlsafe(32)
        self._tickets[stream_id] = Ticket(token, now_s + self.lifetime_s)
        return token

    def cookie_name(self, stream_id: str) -> str:
        """The cookie that carries the ticket of a stream."""
        return f"rdev-{self.tag}-{stream_id}"

    def holder(self, stream_id: str, cookies: Mapping[str, str], now_s: float) -> Ticket | None:
        """The ticket of this stream, if the cookies hold it and it lives."""
        ticket = self._tickets.get(stream_id)
        token = cookies.get(self.cookie_name(stream_id))
        if ticket is None or token is None or not _lives(ticket, now_s):
            return None
        return ticket if hmac.compare_digest(token.encode("utf-8", "replace"), ticket.token.encode()) else None

    def opened(self, ticket: Ticket) -> None:
        """A stream was opened with it."""
        ticket.open_streams += 1

    def closed(self, ticket: Ticket, now_s: float) -> None:
        """That stream ended; the browser has `lifetime_s` to come again."""
        ticket.open_streams -= 1
        ticket.expires_s = now_s + self.lifetime_s

    def dead_cookies(self, cookies: Mapping[str, str], now_s: float) -> list[str]:
        """Names of our cookies in `cookies` that open nothing any more, so that the browser can drop them."""
        prefix = f"rdev-{self.tag}-"
        return [
            name
            for name in cookies
            if name.startswith(prefix)
            and ((ticket := self._tickets.get(name.removeprefix(prefix))) is None or not _lives(ticket, now_s))
        ]


def _lives(ticket: Ticket, now_s: float) -> bool:
    return ticket.open_streams > 0 or now_s < ticket.expires_s
