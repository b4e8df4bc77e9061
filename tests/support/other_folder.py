"""`rdev-bridge serve OTHER`: a server whose files lie in another folder than the workspace's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "rdev_" + "5" * 48
_ELSEWHERE = """\
text=$(printf '%s' "$1" | sed "s|^proof='|proof='/elsewhere|")
exec sh -c "$text"
"""


@dataclass
class OtherFolder:
    """The server, and what a bridge needs in its environment to go there."""

    root: Path
    environ: dict[str, str]
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """SIGKILL to the server and to all that it runs."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def serve(root: Path, port: int = 0, *, elsewhere: bool = False) -> OtherFolder:
    """Start it; it is up when this returns. `elsewhere`: it sees no file of ours, as if it were another machine."""
    root.mkdir(exist_ok=True)
    more = []
    if elsewhere:
        script = root.with_name(f"{root.name}-elsewhere")
        script.write_text(_ELSEWHERE)
        more = ["--shell", f"sh {script}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rdev_bridge", "serve", str(root), "--port", str(port), *more],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "RDEV_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        said = json.loads(process.stdout.readline())
    environ = {"RDEV_URL": said["url"], "RDEV_PROJECT": said["project"], "RDEV_API_KEY": KEY}
    return OtherFolder(root, environ, process)


@contextmanager
def other_folder(root: Path, *, elsewhere: bool = False) -> Iterator[OtherFolder]:
    """`serve`, and its end."""
    server = serve(root, elsewhere=elsewhere)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()
