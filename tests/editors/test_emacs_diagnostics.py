"""Real Emacs with eglot and flymake as they come (Debian's `elpa-eglot`), and not a line of ours but the README's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editors.elsewhere import ASCII_PACKAGE, Elsewhere, Expected, elsewhere

__all__ = ["elsewhere"]

pytestmark = pytest.mark.editor

DRIVE = r"""
(package-initialize)
(require 'eglot)
(require 'json)
(add-to-list 'eglot-server-programs '(prog-mode . ("rdev-bridge" "lsp")))
(setq eglot-sync-connect 20 eglot-autoshutdown t)

(defvar seen nil)
(defun tell (name value) (push (cons name value) seen))
(defun finish ()
  (with-temp-file (getenv "SEEN")
    (set-buffer-file-coding-system 'utf-8)
    (insert (json-encode seen)))
  (kill-emacs))
(defun wait-for (what condition)
  (let ((left 1500))
    (while (and (not (funcall condition)) (> (setq left (1- left)) 0))
      (accept-process-output nil 0.02)
      (sit-for 0.001))
    (when (= left 0)
      (tell 'missing what)
      (tell 'listed (listed))
      (finish))))

(defun listed ()
  "What M-x flymake-show-project-diagnostics shows."
  (flymake-show-project-diagnostics)
  (with-current-buffer (flymake--project-diagnostics-buffer (project-root (project-current)))
    (mapcar (lambda (entry)
              (let ((diag (plist-get (car entry) :diagnostic)))
                `((path . ,(let ((locus (flymake--diag-locus diag)))
                             (if (bufferp locus) (buffer-file-name locus) locus)))
                  (line . ,(string-to-number (format "%s" (plist-get (car entry) :line))))
                  (severity . ,(format "%s" (flymake--diag-type diag)))
                  (message . ,(flymake-diagnostic-text diag)))))
            (if (functionp tabulated-list-entries) (funcall tabulated-list-entries) tabulated-list-entries))))

(defun shown (file)
  "What stands in FILE once it is visited."
  (with-current-buffer (find-file-noselect file)
    (wait-for (concat "flymake in " file)
              (lambda () (and (eglot-managed-p) (progn (flymake-start) t) (flymake-diagnostics))))
    (mapcar (lambda (diag)
              `((path . ,buffer-file-name)
                (line . ,(line-number-at-pos (flymake-diagnostic-beg diag)))
                (rest . ,(save-excursion
                           (goto-char (flymake-diagnostic-beg diag))
                           (buffer-substring (point) (line-end-position))))
                (severity . ,(format "%s" (flymake-diagnostic-type diag)))
                (message . ,(flymake-diagnostic-text diag))))
            (flymake-diagnostics))))

(defun choose (title)
  "Ask for the code actions here and take the one called TITLE."
  (cl-letf ((last-nonmenu-event ?x) ; as from a key, not from the mouse
            ((symbol-function 'completing-read) (lambda (&rest _) title)))
    (eglot-code-actions (point-min) (point-max) nil t)))

(find-file (getenv "FIRST"))
(call-interactively #'eglot)
(wait-for "eglot" (lambda () (eglot-managed-p)))
(dolist (task '("test" "types" "build"))
  (choose (concat "Run " task)))
(wait-for "three" (lambda () (= (length (listed)) 3)))
(tell 'before (listed))

(goto-char (point-min))
(search-forward "price + count")
(replace-match "price * count")
(save-buffer)
(wait-for "two" (lambda () (= (length (listed)) 2)))
(tell 'after (listed))
(tell 'visited (shown (getenv "OTHER")))
(finish)
"""


@pytest.mark.parametrize("elsewhere", [ASCII_PACKAGE], indirect=True)  # eglot 1.9 does not decode what a URI encodes
def test_problems_stand_on_the_local_files_and_go_when_mended(elsewhere: Elsewhere, tmp_path: Path) -> None:
    seen = drive(elsewhere, tmp_path)
    check(elsewhere, seen["before"], elsewhere.expected)
    check(elsewhere, seen["after"], [one for one in elsewhere.expected if one.task != "test"])
    check(elsewhere, seen["visited"], [one for one in elsewhere.expected if one.task == "types"])
    assert seen["visited"][0]["rest"] == '"many"'


def check(project: Elsewhere, shown: list[dict[str, Any]], expected: list[Expected]) -> None:
    by_path = {one["path"]: one for one in shown}
    assert len(by_path) == len(shown) == len(expected)
    for wanted in expected:
        one = by_path[str(project.local / wanted.path)]
        assert one["line"] == wanted.line
        assert one["message"].startswith(f"rdev:{wanted.task}")
        assert wanted.message in one["message"]
        assert one["severity"] == f"eglot-{wanted.severity}"


def drive(project: Elsewhere, tmp_path: Path) -> dict[str, Any]:
    """Go through `DRIVE` in a fresh Emacs, and tell what was seen."""
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    emacs = shutil.which("emacs", path=search)
    assert emacs is not None, "install Emacs: apt-get install emacs-nox elpa-eglot"
    (tmp_path / "drive.el").write_text(DRIVE, "utf-8")
    seen = tmp_path / "seen.json"
    environ = {
        "PATH": search,
        "SEEN": str(seen),
        "FIRST": str(project.mended),
        "OTHER": str(project.local / project.expected[0].path),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [emacs, "--batch", "-q", "--load", tmp_path / "drive.el"],
        env=os.environ | environ,
        cwd=project.local,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert seen.exists(), (done.stdout, done.stderr)
    told: dict[str, Any] = json.loads(seen.read_text("utf-8"))
    assert "missing" not in told, (told, done.stderr)
    return told
