;;; rdev-runs.el --- The list of runs  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What runs and what ran in a project, whichever editor or terminal asked for
;; it.  The list follows the runs that this Emacs hears of; `g' reads it again.

;;; Code:

(require 'rdev-client)
(require 'rdev-output)
(require 'rdev-run)
(require 'tabulated-list)

(declare-function rdev-attach "rdev")
(declare-function rdev-cancel "rdev")
(declare-function rdev-log "rdev")
(declare-function rdev-rerun "rdev")

(defvar rdev-runs-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "RET") #'rdev-attach)
    (define-key map "c" #'rdev-cancel)
    (define-key map "r" #'rdev-rerun)
    (define-key map "l" #'rdev-log)
    map)
  "Keys in the list of runs.")

(define-derived-mode rdev-runs-mode tabulated-list-mode "rdev-runs"
  "The runs of a project, newest first.
\\<rdev-runs-mode-map>\\[rdev-attach] shows the output, \\[rdev-cancel] \
cancels, \\[rdev-rerun] runs again, \\[rdev-log] opens the log."
  (setq tabulated-list-format
        [("Run" 14 t) ("What" 24 t) ("How it stands" 40 t)
         ("Lines" 9 nil :right-align t) ("Started" 19 t)])
  (setq tabulated-list-padding 1)
  (add-hook 'tabulated-list-revert-hook #'rdev-runs--read nil t)
  (tabulated-list-init-header))

(defun rdev-runs-of (client)
  "Return what ran in CLIENT's project: a list of plists, newest first."
  (append (plist-get (rdev-client-ask client :rdev/runs) :runs) nil))

(defun rdev-runs--read ()
  "Read this list again."
  (rdev-runs--set (rdev-runs-of (rdev-client-here))))

(defun rdev-runs--set (plists)
  "Make this the list of PLISTS, one for each run."
  (setq tabulated-list-entries (mapcar #'rdev-runs--row plists)))

(defun rdev-runs--row (data)
  "The row of the run DATA."
  (list (plist-get data :runId)
        (vector
         (plist-get data :runId)
         (rdev-run-label data)
         (propertize (rdev-run-describe data)
                     'face (cond ((rdev-run-failed-p data) 'error)
                                 ((rdev-run-finished-p data) 'shadow)
                                 (t 'success)))
         (number-to-string (plist-get data :lines))
         (format-time-string "%F %T" (date-to-time (plist-get data :startedAt))))))

(defun rdev-runs-at-point ()
  "The id of the run that this buffer or line is about, or nil."
  (if (derived-mode-p 'rdev-runs-mode)
      (tabulated-list-get-id)
    (rdev-output-run-id)))

(defun rdev-runs-buffer (client)
  "Return the buffer that lists what ran for CLIENT, read just now."
  (with-current-buffer
      (get-buffer-create (format "*rdev %s: runs*" (rdev-client-short-name client)))
    (unless (derived-mode-p 'rdev-runs-mode) (rdev-runs-mode))
    (setq default-directory (rdev-client-root client))
    (revert-buffer)
    (current-buffer)))

(defun rdev-runs--changed (&rest _)
  "Read each list in view again, without waiting for it."
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer
      (when-let* (((derived-mode-p 'rdev-runs-mode))
                  ((get-buffer-window buffer t))
                  (client (rdev-client-live default-directory)))
        (jsonrpc-async-request
         client :rdev/runs (make-hash-table)
         :success-fn (lambda (answer)
                       (when (buffer-live-p buffer)
                         (with-current-buffer buffer
                           (rdev-runs--set (append (plist-get answer :runs) nil))
                           (tabulated-list-print t)))))))))

(add-hook 'rdev-started-functions #'rdev-runs--changed)
(add-hook 'rdev-finished-functions #'rdev-runs--changed)

(provide 'rdev-runs)
;;; rdev-runs.el ends here
