"""Times a run through a daemon: parses every frame, prints the seconds.

`python -m bench.peers.lsp_reader LINES COMMAND DAEMON…`: LINES must arrive, once and in order.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.editor import Editor


def main(words: list[str]) -> None:
    lines, command, daemon = int(words[0]), words[1], words[2:]
    with Editor(daemon, {}, Path.cwd()) as editor:
        editor.initialize()
        editor.call("rdev/run", {"command": "true"})  # a first run, so that no import is measured
        editor.wait_for("rdev/runFinished")
        began_s = time.perf_counter()
        editor.start("rdev/run", {"command": command})
        seen = editor.read_run()
        print(time.perf_counter() - began_s)
        if seen != lines:
            raise SystemExit(f"{seen} lines arrived instead of {lines}")


if __name__ == "__main__":
    main(sys.argv[1:])
