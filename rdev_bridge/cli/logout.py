"""`rdev-bridge logout`: forget a server's key."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rdev_bridge.cli.login import add_server, remote_target
from rdev_bridge.core.shown import visible

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `logout`."""
    add_server(parser)


def run(args: argparse.Namespace) -> int:
    """Remove the stored key; it is no error where there was none."""
    from rdev_bridge import keys

    _, server = remote_target(args)
    name = visible(server.name)
    print(
        f"the key of {name} is forgotten" if keys.forget_key(server) else f"no key of {name} was kept", file=sys.stderr
    )
    remains = keys.describe_source(server, os.environ)
    if remains:
        print(f"note: {remains} still gives one", file=sys.stderr)
    return 0
