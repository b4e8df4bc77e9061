;;; rdev-run.el --- A run, and the words for it  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What is known of a run is the plist that the bridge sent (docs/protocol.md has
;; its keys); here are the questions that the rest of the package asks of it.

;;; Code:

(require 'cl-lib)
(require 'rdev-client)

(defcustom rdev-started-functions nil
  "Hook for when a run starts, with its plist (`:runId', `:task' …)."
  :group 'rdev
  :type 'hook)

(defcustom rdev-finished-functions nil
  "Hook for when a run has ended, with its plist.
It has `:task' or `:command', `:outcome', `:exitCode' and `:durationMs'."
  :group 'rdev
  :type 'hook)

(cl-defstruct (rdev-run (:constructor rdev-run--make))
  "A run that this Emacs follows: the bridge's DATA, and where it is shown."
  data trigger buffer began)


;;;; Words

(defun rdev-run-label (data)
  "Return the name of the run DATA for a person."
  (or (plist-get data :task)
      (truncate-string-to-width
       (replace-regexp-in-string "[ \t\n]+" " " (plist-get data :command))
       40 nil nil "…")))

(defun rdev-run-finished-p (data)
  "Whether the run DATA has ended."
  (equal (plist-get data :state) "finished"))

(defun rdev-run-failed-p (data)
  "Whether the run DATA ended in a way that a person should look at."
  (and (rdev-run-finished-p data)
       (not (member (plist-get data :outcome)
                    '("succeeded" "cancelled" "superseded")))))

(defun rdev-run-describe (data)
  "One phrase for how the run DATA stands."
  (let ((time (if-let* ((ms (plist-get data :durationMs)))
                  (format " after %s" (rdev-run-duration (/ ms 1000.0)))
                ""))
        (why (if-let* ((text (plist-get data :message))) (concat ": " text) "")))
    (pcase (plist-get data :outcome)
      ('nil (concat (plist-get data :state) why))
      ("failed" (format "failed with exit code %s%s"
                        (plist-get data :exitCode) time))
      ("timedOut" (concat "timed out" time))
      ("superseded" "replaced by a newer run")
      ("lost" (concat "lost, its end could not be learnt" why))
      ("error" (concat "could not start" why))
      (outcome (concat outcome time)))))

(defun rdev-run-duration (seconds)
  "Return SECONDS in words."
  (if (< seconds 60)
      (format "%.1f s" seconds)
    (format "%d min %d s" (/ seconds 60) (mod (truncate seconds) 60))))

(provide 'rdev-run)
;;; rdev-run.el ends here
