"""Text of strangers, made fit for a person's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = 5


def visible(text: str) -> str:
    """`text` with every character that does not print (controls, bidi marks, odd blanks) escaped; tabs stay.

    A byte of a file's name that is no UTF-8 (PEP 383) is shown as that byte.
    """
    return "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in text)


def one_line(text: str) -> str:
    """The same as a single line, for a message of ours that quotes a stranger."""
    return visible(" ".join(text.split()))


def named(names: Sequence[str]) -> str:
    """The first few of `names`, fit for one line: `a, b and 3 more`."""
    shown = ", ".join(map(visible, names[:_NAMED]))
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
