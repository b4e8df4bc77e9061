"""Output is data: what reaches an editor keeps its colours (SGR) and nothing else that a terminal would obey.

Control strings (OSC, DCS, APC, PM, SOS), cursor movements, C0 and C1 controls and bidirectional controls go. The
rules look at one line alone and let an ESC through only as part of a complete SGR sequence, so no way of cutting
output into lines, batches or frames puts a sequence together again. ECMA-48, sections 5.4, 5.6 and 8.3.117.
"""

from __future__ import annotations

import re

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}\ud800-\udfff]")
_SAFE_ASCII = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F)])

# An unterminated control string loses its introducer only: the text after it stays readable and harmless. It ends at
# the next introducer at the latest, so that a line of nothing but introducers is still read in linear time.
_SEQUENCE = re.compile(
    "(?P<sgr>\x1b\\[[0-9;:]{0,128}m)"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\\\|\x9c)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|\x1b[ -/]+[0-~]|\x1b[0-Z\\\\-~]"
    f"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}]"
    "|(?P<surrogate>[\ud800-\udfff])"
)


def clean_lines(lines: list[str]) -> list[str]:
    """The same number of lines, each safe. Costs one pass over the bytes where all of them are plain ASCII."""
    text = "".join(lines)
    if text.isascii():
        if not text.encode().translate(None, _SAFE_ASCII):
            return lines
    elif not _UNSAFE.search(text):
        return lines
    return [clean(line) for line in lines]


def clean(line: str) -> str:
    """One line with no control but tab, line ends and complete SGR sequences."""
    return _SEQUENCE.sub(_keep, line) if _UNSAFE.search(line) else line


def plain(text: str) -> str:
    """Text for a message or a title: no colours either, line ends kept."""
    return _SGR.sub("", clean(text))


_SGR = re.compile("\x1b\\[[0-9;:]{0,128}m")


def _keep(match: re.Match[str]) -> str:
    if match["sgr"] is not None:
        return match["sgr"]
    return "\ufffd" if match["surrogate"] else ""
