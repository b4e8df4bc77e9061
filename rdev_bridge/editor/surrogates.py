r"""Half characters in a client's JSON: `"\ud800"`, which the grammar allows and no UTF-8 can hold (RFC 8259, 8.2).

JavaScript's strings may hold one (a document with half an emoji), and `JSON.stringify` writes it so. A decoder that
refuses it loses the whole message, and a request is never answered: not even its id can be read.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def made_whole(body: bytes) -> bytes:
    """`body` with U+FFFD in the place of each half, as a URL or a file would have it (WebIDL's USVString)."""
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found["half"] else found[0], body)
