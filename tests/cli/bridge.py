"""The real `rdev-bridge` as a process, in a workspace of the test's own, with the embedded server that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Bridge:
    """`folder` is where it is started; HOME and the like are the test's (see conftest)."""

    folder: Path

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """A process with stdout and stderr as pipes, unless told otherwise."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
        argv = [sys.executable, "-P", "-m", "rdev_bridge", *words]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        return subprocess.Popen(argv, cwd=self.folder, env=environ, **options)

    def call(self, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        process = self.start(*words, **options)
        with process:
            try:
                out, err = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        """`run -- COMMAND` as one shell line."""
        return self.call("run", *options, "--", command)

    def runs(self) -> list[dict[str, Any]]:
        """The history, newest first."""
        return [json.loads(line) for line in self.call("runs", "--all", "--output", "jsonl").stdout.splitlines()]
