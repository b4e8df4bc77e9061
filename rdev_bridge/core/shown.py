"""Text of strangers, made fit for a person's screen."""

from __future__ import annotations


def visible(text: str) -> str:
    """`text` with every character that does not print (controls, bidi marks, odd blanks) escaped; tabs stay."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """The same as a single line, for a message of ours that quotes a stranger."""
    return visible(" ".join(text.split()))
