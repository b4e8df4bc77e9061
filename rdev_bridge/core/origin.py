"""Where a key may go: what it is bound to, and over what it is never sent (reliability rules, Security 1)."""

from __future__ import annotations

import ipaddress
import re

PLAIN_HTTP = "plain http to another machine lets anyone on the way read the key; use https"

_PORTS = {"http": 80, "https": 443}
# Nothing here that two URL parsers could read in two ways: no user, no backslash, no blank, no percent in the host.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
)


def check_url(url: str) -> str:
    """`url` as the base of an rdev server, without a slash at its end. Raises ValueError saying what is wrong."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in _PORTS:
        raise ValueError("a server's url begins with https:// or http://")
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        raise ValueError("a url must hold no user name and no key; `rdev-bridge login` keeps the key")
    if "?" in rest or "#" in rest:
        raise ValueError("a server's url has no query and no fragment")
    url = scheme.lower() + separator + rest
    if not url.isascii():
        raise ValueError("a url is written in ASCII; a host of other letters has a form that begins with xn--")
    if not _URL.fullmatch(url):
        raise ValueError("this is no url of a server; it looks like https://rdev.example.com or http://localhost:8080")
    if not 0 < _parts(url)[2] < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return url.rstrip("/")


def origin(url: str) -> str:
    """`scheme://host:port` of a checked url, lower case, with the port always written: equal means the same place."""
    scheme, host, port = _parts(url)
    return f"{scheme}://{host}:{port}"


def is_this_machine(url: str) -> bool:
    """Whether the host of a checked url is this machine, without asking anybody."""
    host = _parts(url)[1].strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def exposes_key(url: str) -> bool:
    """Whether a key for a checked url would go over plain http to another machine; `PLAIN_HTTP` says why not."""
    return _parts(url)[0] == "http" and not is_this_machine(url)


def _parts(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a checked url."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url!r} was not checked")
    return found["scheme"], found["host"].lower().rstrip("."), int(found["port"] or _PORTS[found["scheme"]])
