"""`rdev-bridge lsp`: the daemon that editors start."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--stdio` is what many editors add by themselves; there is no other channel."""
    parser.add_argument("--stdio", action="store_true", help="speak over stdin and stdout (always so)")


def run(args: argparse.Namespace) -> int:
    """Serve one editor; ends the process itself, since a thread may be blocked on a pipe for good."""
    del args
    from rdev_bridge.editor.daemon import serve

    if sys.stdin.isatty():
        print("rdev-bridge lsp talks to editors, not to people; Ctrl-C ends it", file=sys.stderr)
    os._exit(serve(dict(os.environ)))
