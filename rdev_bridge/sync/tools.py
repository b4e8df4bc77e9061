"""The tools that the server's scripts are built on, found out by trying them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from rdev_bridge.sync.archive import quoted
from rdev_bridge.sync.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

HASHES = {
    "sha256sum": 'exec sha256sum "$@"',
    "shasum": 'exec shasum -a 256 "$@"',
    "openssl": 'exec openssl dgst -sha256 -r "$@"',
}
"""SHA-256 of the files named, or of stdin: one line each that starts with the hash. Called as `$(sha …)` alone."""

_BULK_HASH = "openssl"
"""It uses the processor's own instructions, where coreutils mostly do not: a quarter of the time."""

DECODERS = {
    "base64": 'echo "$1" | base64 -d',
    "base64-D": 'echo "$1" | base64 -D',
    "openssl": 'echo "$1" | openssl base64 -d -A',
    "perl": "echo \"$1\" | perl -MMIME::Base64 -ne 'print decode_base64($_)'",
    "uudecode": "{ echo 'begin-base64 600 -'; echo \"$1\"; echo ====; } | uudecode -o /dev/stdout",
    "printf": 'printf %b "$1"',
}
"""The bytes of one argument of pure ASCII. printf is in every shell, and takes octal escapes instead of base64."""

_LITERAL = bytes([9, 10, *range(32, 127)])
"""What text is made of: no shell, and nothing on the way to it, takes these for anything else inside quotes."""

_ESCAPES = [chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\0{byte:03o}" for byte in range(256)]
_SAMPLE = b"\0\xffall bytes? " + bytes(range(256)) * 3 + b"an end"

BASE64_PIECE = 73_728
"""Bytes that fill 96 KiB of base64: with the script around it well below the 131 071 that Linux allows one argument."""
ESCAPED_PIECE = 18_432


@dataclass(frozen=True, slots=True)
class Tools:
    """What works on one server; names out of the tables above."""

    hash: str
    decode: str
    tar: bool
    gzip: bool
    readlink: bool
    literal: bool = False
    """`printf %s` prints text as it stands, which most shells do without another process."""
    bulk_hash: str = ""
    """The quickest for large files, which takes longer to start; empty where `hash` is all there is."""

    @property
    def piece_bytes(self) -> int:
        """How much of a stream one call may carry."""
        return ESCAPED_PIECE if self.decode == "printf" else BASE64_PIECE

    def encode(self, data: bytes) -> bytes:
        """What the server's `decode` turns into `data`."""
        return encoded(self.decode, data)

    def printing(self, data: bytes) -> bytes:
        """Shell text that prints `data`."""
        if self.literal and not data.translate(None, _LITERAL):
            return b"printf %s " + quoted(data.decode())
        return b"decode '" + self.encode(data) + b"'"

    def definitions(self, *, bulk: bool = False) -> bytes:
        """The functions that every script calls; `bulk`: where large files are hashed."""
        hashing = HASHES[(bulk and self.bulk_hash) or self.hash]
        text = f"sha() {{ {hashing}; }}\ndecode() {{ {DECODERS[self.decode]}; }}\n"
        return (text + f"unzip() {{ {'gzip -dc' if self.gzip else 'cat'}; }}\n").encode()


def encoded(decoder: str, data: bytes) -> bytes:
    """`data` as `decoder` of DECODERS reads it."""
    if decoder == "printf":
        return "".join([_ESCAPES[byte] for byte in data]).encode()
    return base64.b64encode(data)


@cache
def script(*names: str) -> bytes:
    """The text of scripts/NAME.sh, one after the other."""
    folder = files("rdev_bridge.sync") / "scripts"
    return b"\n".join((folder / f"{name}.sh").read_bytes() for name in names)


def trials() -> bytes:
    """Shell text that tries every tool on something whose answer is known (`first` stands in scripts/open.sh)."""
    hashed = hashlib.sha256(b"abc\n").hexdigest()
    lines = [_trial("hash", hashed, {name: f"f() {{ {body}; }}; echo abc | f" for name, body in HASHES.items()})]
    wanted = hashlib.sha256(_SAMPLE).hexdigest()
    for kind, body in HASHES.items():
        lines.append(f"sha_{kind}() {{ {body}; }}".encode())
    decoders = {
        name: f"f() {{ {body}; }}; f '{encoded(name, _SAMPLE).decode()}' | sha" for name, body in DECODERS.items()
    }
    lines.append(b'eval "sha() { sha_$found; }"')
    lines.append(_trial("bulk", hashed, {_BULK_HASH: f"f() {{ {HASHES[_BULK_HASH]}; }}; echo abc | f"}))
    lines.append(_trial("decode", wanted, decoders))
    text = f"printf %s {quoted(_LITERAL.decode()).decode()} | sha"
    lines.append(_trial("literal", hashlib.sha256(_LITERAL).hexdigest(), {"yes": text}))
    here = 'd=$own/stage.$machine.$$; mkdir "$d" "$d/x"; cd "$d" &&'
    gone = '; cd "$here"; rm -rf "$d"'
    tar = f"{here} echo works >t && tar -cf - t | (cd x && tar -xmof -) && cat x/t{gone}"
    lines.append(_trial("tar", "works", {"yes": tar}))
    lines.append(_trial("gzip", "works", {"yes": "echo works | gzip -c | gzip -dc"}))
    lines.append(_trial("readlink", "works", {"yes": f"{here} ln -s works x/l && readlink -n x/l{gone}"}))
    lines.append(b'generation\nleave opened "$now"\n')
    return b"\n".join(lines)


def _trial(kind: str, answer: str, commands: Mapping[str, str]) -> bytes:
    words = b" ".join(quoted(word) for pair in commands.items() for word in pair)
    return f"first {kind} {answer} ".encode() + words


def found(answers: Mapping[str, str]) -> Tools:
    """The outcome of the trials. Raises SyncError that names what is missing."""
    if answers.get("hash", "none") == "none":
        raise SyncError(
            f"push needs a SHA-256 tool on the server, and none of {', '.join(HASHES)} works there; install one",
            reason="toolMissing",
        )
    if answers.get("decode", "none") == "none":
        raise SyncError(
            f"push needs a decoder on the server, and none of {', '.join(DECODERS)} works there; install one of them",
            reason="toolMissing",
        )
    return Tools(
        hash=answers["hash"],
        decode=answers["decode"],
        tar=answers.get("tar") == "yes",
        gzip=answers.get("gzip") == "yes",
        readlink=answers.get("readlink") == "yes",
        literal=answers.get("literal") == "yes",
        bulk_hash=_BULK_HASH if answers.get("bulk") == _BULK_HASH else "",
    )
