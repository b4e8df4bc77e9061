"""Why a server cannot be reached, in words for a person: which one, what went wrong, and what to do about it."""

from __future__ import annotations

import os
import shlex
import socket
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec
from msgspec.structs import replace

from rdev_bridge.core.origin import is_this_machine, origin
from rdev_bridge.core.shown import one_line
from rdev_bridge.errors import RdevError
from rdev_bridge.model import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdev_bridge.model import Server

_MOST_CAUSES = 50
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_SOCKS = frozenset({"socks5", "socks5h"})
_HERE = "`rdev-bridge doctor` says more"
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})
_RENEW = "is this machine's clock right? Else ask who runs the server to renew it"
_UNKNOWN_SIGNER = "if you trust it, name its certificate: SSL_CERT_FILE=FILE.pem (so too behind a proxy that opens TLS)"
_CERTIFICATES = {
    9: ("is not valid yet", "is this machine's clock right?"),
    10: ("has expired", _RENEW),
    18: ("is signed by nobody but itself", _UNKNOWN_SIGNER),
    19: ("is signed by an authority that this machine does not know", _UNKNOWN_SIGNER),
    20: ("is signed by an authority that this machine does not know", _UNKNOWN_SIGNER),
    21: ("is signed by an authority that this machine does not know", _UNKNOWN_SIGNER),
    62: ("is for another name", "check the host in {setting}"),
    64: ("is for another name", "check the host in {setting}"),
}
"""By OpenSSL's X509_V_ERR_*. Source: x509_vfy.h."""


class Proxy(msgspec.Struct, frozen=True):
    """`place` is host and port; `setting` is the variable that names it."""

    place: str
    setting: str


class Whereabouts(msgspec.Struct, frozen=True):
    """How messages speak of a server: `name` as a subject, its `host`, and `setting`, where the user gave its url.

    `login` is the command that keeps a key for it. The embedded server has nothing but its name.
    """

    name: str
    host: str = ""
    setting: str = ""
    login: str = ""
    proxy: Proxy | None = None


class Failure(msgspec.Struct, frozen=True):
    """`what` happened, a sentence without its full stop, and `advice`, what to do (None: nothing can be said)."""

    what: str
    advice: str | None = None

    def error(self, consequence: str = "") -> RdevError:
        """The same as an error, with what it means for the caller in between."""
        what = f"{self.what}; {consequence}" if consequence else self.what
        return RdevError(what, reason="unreachable", advice=self.advice)


def whereabouts(server: Server) -> Whereabouts:
    """Of a server whose url, if it has one, was checked."""
    if isinstance(server, EmbeddedServer):
        return Whereabouts("the embedded server")
    place = origin(server.url).partition("://")[2]
    host = place.rpartition(":")[0]
    word = f"--url {server.url}" if server.name == place else shlex.quote(server.name)
    login = f"rdev-bridge login {word}"
    return Whereabouts(f"the server at {place}", host, server.setting, login, proxy_for(server.url))


def proxy_for(url: str) -> Proxy | None:
    """The proxy that the user's environment names for a checked url; never one to this machine.

    Raises RdevError where that can be none.
    """
    scheme, host = url.partition(":")[0], urlsplit(url).hostname or ""
    known = getproxies()
    kind = next((kind for kind in (scheme, "all") if known.get(kind)), None)
    if is_this_machine(url) or kind is None or proxy_bypass(host):
        return None
    words = (f"{kind}_proxy", f"{kind}_proxy".upper())
    setting = next((word for word in words if os.environ.get(word)), "the system's proxy settings")
    named = known[kind] if "://" in known[kind] else f"http://{known[kind]}"
    try:
        at = urlsplit(named)
        usable = bool(at.hostname) and at.port != 0
    except ValueError:  # a port that is none, a bracket that is never closed
        usable = False
    if not usable or at.scheme not in {"http", "https", *_SOCKS}:
        example = "it looks like http://proxy.example.com:3128"
        raise RdevError(f"{setting} names no proxy", reason="badProxy", advice=f"{example}; or unset it")
    if at.scheme in _SOCKS and find_spec("socksio") is None:
        advice = "install it beside rdev-bridge: pip install socksio"
        raise RdevError(f"{setting} names a SOCKS proxy, which needs socksio", reason="badProxy", advice=advice)
    return Proxy(at.netloc.rpartition("@")[2], setting)


def failure(error: Exception, server: Whereabouts) -> Failure:
    """What an exception of the HTTP library means. Nothing of it holds a key."""
    found = _failure(error, server)
    return replace(found, advice=_HERE) if found.advice and not server.setting else found


def _failure(error: Exception, server: Whereabouts) -> Failure:
    text = one_line(str(error)[:200])
    match error:
        case _ if was_not_sent(error):
            return _not_connected(error, text, server)
        case httpx.TimeoutException() | TimeoutError():
            return Failure(f"{server.name} did not answer in time")
        case httpx.RemoteProtocolError() if "peer closed" not in text and "disconnected" not in text:
            advice = f"is it an rdev server, its url perhaps https? Check {server.setting}"
            return Failure(f"{server.name} does not speak HTTP ({text})", advice)
        case httpx.RemoteProtocolError():
            return Failure("the connection broke")
    return Failure(f"the connection broke ({text})" if text else "the connection broke")


def was_not_sent(error: Exception) -> bool:
    """Whether there was no connection over which anything could have been sent."""
    return isinstance(error, _NOT_SENT)


def was_refused(error: BaseException) -> bool:
    """Whether nobody listens there (yet), on any of the host's addresses. The library hides it in the causes."""
    causes = list(_causes(error))
    return any(isinstance(cause, ConnectionRefusedError) for cause in causes) and not is_untrusted(error)


def is_untrusted(error: BaseException) -> bool:
    """Whether TLS failed for good: waiting does not make a certificate valid."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _not_connected(error: Exception, text: str, server: Whereabouts) -> Failure:
    causes = list(_causes(error))
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return _untrusted(certificate, server)
    failed = [cause.reason or "" for cause in causes if isinstance(cause, ssl.SSLError)]
    if not _NO_TLS.isdisjoint(failed):
        what = f"{server.name} cannot be reached (it does not speak TLS)"
        return Failure(what, f"is its url http? Check {server.setting}")
    if failed:
        why = max(failed).lower().replace("_", " ") or "it hung up"
        return Failure(f"{server.name} cannot be reached (no TLS with it: {why})", "ask who runs the server")
    if isinstance(error, httpx.ProxyError) and server.proxy is not None:
        return _refused_by_proxy(text, server, server.proxy)
    if server.proxy is not None:
        name, setting = f"the proxy at {server.proxy.place}", server.proxy.setting
    else:
        name, setting = server.name, server.setting
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        what, advice = "its name cannot be looked up", f"check {setting}, or your network or VPN"
    elif was_refused(error):
        what, advice = "connection refused", f"is it running? Else check {setting}"
    else:
        advice = f"check your network or VPN, or {setting}"
        told = (cause.strerror for cause in reversed(causes) if isinstance(cause, OSError) and cause.strerror)
        timed_out = isinstance(error, httpx.ConnectTimeout)
        what = "no answer" if timed_out else next(told, text).lower() or "no connection"
    return Failure(f"{name} cannot be reached ({what})", advice)


def _untrusted(error: ssl.SSLCertVerificationError, server: Whereabouts) -> Failure:
    said = one_line(str(error.verify_message))
    what, advice = _CERTIFICATES.get(error.verify_code, (f"is not trusted ({said})", "ask who runs the server"))
    return Failure(f"the certificate of {server.name} {what}", advice.format(setting=server.setting))


def _refused_by_proxy(text: str, server: Whereabouts, proxy: Proxy) -> Failure:
    """The proxy answered CONNECT with a status; `text` is that status and its reason phrase."""
    head = f"the proxy at {proxy.place}"
    status = text[:3]
    if status == "407":
        return Failure(f"{head} wants a user and a password ({text})", f"put them into {proxy.setting}")
    if status in {"502", "503", "504"}:
        return Failure(f"{head} cannot reach {server.name} ({text})", f"check {server.setting}, or {proxy.setting}")
    return Failure(
        f"{head} does not let us to {server.name} ({text or 'no reason given'})",
        f"ask who runs the proxy, or go without it: NO_PROXY={server.host}",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that led to it, also where several addresses failed one by one."""
    pending, seen = [error], 0
    while pending and seen < _MOST_CAUSES:
        one, seen = pending.pop(0), seen + 1
        yield one
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions
        cause = one.__cause__ or one.__context__
        if cause is not None:
            pending.append(cause)
