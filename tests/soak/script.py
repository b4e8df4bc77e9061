"""What the commands of a soak say. As a program, `script.py NUMBER` says it; imported, `said(NUMBER)` knows it.

Stands alone, so that a server can run it anywhere. Each line carries its number, so that none is equal to another.
"""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# as written, and as an editor gets it
KINDS: list[tuple[bytes, str]] = [
    (b"", ""),
    (b"plain", "plain"),
    (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    (b'a "quoted" \\ back', 'a "quoted" \\ back'),
    (b"tab\tand\rreturn", "tab\tand\rreturn"),
    ("naïve 日本 😀".encode(), "naïve 日本 😀"),
    (b"data: x", "data: x"),
    (b'"}', '"}'),
    (b"no \xff\xfe UTF-8 \xc3(", "no \ufffd\ufffd UTF-8 \ufffd("),
    (b"NUL\0bell\x07", "NULbell"),
    ("\u2028 and \u0085".encode(), "\u2028 and "),
]


@dataclass(frozen=True)
class Step:
    """One line: where it goes, as bytes, as text, and how long to wait before it."""

    stream: str
    data: bytes
    text: str
    pause_s: float = 0.0


@dataclass(frozen=True)
class Script:
    steps: list[Step]
    exit_code: int


def said(number: int) -> Script:
    """The same for the same number, in every process."""
    dice = random.Random(number)
    count = dice.choice([1, 30, 300, 300, 3000])
    steps: list[Step] = []
    for line in range(count):
        raw, text = dice.choice(KINDS)
        if dice.random() < 0.004:
            text = "x" * dice.randrange(15_000, 300_000)
            raw = text.encode()
        pause_s = dice.uniform(0.0, 1.3) if dice.random() < 4 / count else 0.0
        stream = dice.choice(["stdout", "stdout", "stderr"])
        steps.append(Step(stream, raw + b"%d\n" % line, f"{text}{line}", pause_s))
    if dice.random() < 0.3:
        last = steps[-1]
        steps[-1] = Step(last.stream, last.data[:-1], last.text, last.pause_s)
    return Script(steps, dice.choice([0, 0, 1, 7, 255]))


def main(number: int) -> int:
    """Say it; a file in `started/` tells how often that was asked for, and of whom."""
    script = said(number)
    with Path("started", str(number)).open("a") as file:
        file.write(f"{os.getpid()}\n")
    waiting: dict[int, bytes] = {}
    for step in script.steps:
        if step.pause_s:
            flush(waiting)
            time.sleep(step.pause_s)
        where = 1 if step.stream == "stdout" else 2
        waiting[where] = waiting.get(where, b"") + step.data
        if len(waiting[where]) > 3000:
            flush(waiting)
    flush(waiting)
    return script.exit_code


def flush(waiting: dict[int, bytes]) -> None:
    for where, data in waiting.items():
        while data:
            data = data[os.write(where, data) :]
    waiting.clear()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
