"""A real Emacs in batch with the package, driven over its own server (`emacsclient --eval`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.support.wait import eventually

PACKAGE = Path(__file__).parents[2] / "editors" / "emacs"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


class Emacs:
    """One Emacs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = Path(tempfile.mkdtemp(prefix="rdev-emacs-"))  # a socket's path must be short
        self._socket = self._own / "socket"
        start = f"""(progn (require 'server) (require 'rdev) (require 'rdev-mode)
          (setq server-socket-dir "{self._own}" server-name "socket") (server-start)
          (while t (accept-process-output nil 1)))"""
        self._process = subprocess.Popen(
            ["emacs", "-Q", "--batch", "-L", PACKAGE, "--eval", start],
            cwd=folder,
            env={**os.environ, "PATH": PATH},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._socket.exists, 60, "Emacs's socket")

    def eval(self, form: str) -> str:
        """The value of a form, as Lisp prints it."""
        argv = ["emacsclient", "-s", self._socket, "--eval", form]
        done = subprocess.run(argv, cwd=self._folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().replace("\\n", "\n")

    def output(self) -> str:
        """What stands in the newest output buffer; `nil` where there is none."""
        return self.eval(
            """(let ((buffer (seq-find (lambda (buffer) (with-current-buffer buffer (derived-mode-p 'rdev-output-mode)))
                                       (buffer-list))))
                 (when buffer
                   (with-current-buffer buffer
                     (rdev-output-flush buffer)
                     (substring-no-properties (buffer-string)))))"""
        )

    def wait_for(self, text: str) -> None:
        """Until `text` stands in the newest output buffer."""
        eventually(lambda: text in self.output(), 30, f"{text!r} in Emacs")

    def listed(self) -> str:
        """The list of runs, as a person sees it."""
        return self.eval("(with-current-buffer (rdev-runs-buffer (rdev-client-here)) (buffer-string))")

    def close(self) -> None:
        """End it as its window's end would."""
        self._process.terminate()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.wait(60)
            shutil.rmtree(self._own, ignore_errors=True)  # Emacs takes it away where it can

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
