;;; rdev-flymake.el --- What runs found, on its lines  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; The bridge reads problems from the output of runs and publishes them.  Here
;; they become Flymake's: on their lines in visited files, and in the project's
;; list for the others.

;;; Code:

(require 'flymake)
(require 'rdev-client)

(defvar-local rdev-flymake--report nil
  "The function that Flymake gave us for this buffer's problems.")

(defun rdev-flymake-backend (report &rest _)
  "Tell Flymake by way of REPORT what was found in this buffer's file."
  (setq rdev-flymake--report report)
  (rdev-flymake--show))

(defun rdev-flymake-setup ()
  "Show the problems found in this buffer."
  (add-hook 'flymake-diagnostic-functions #'rdev-flymake-backend nil t)
  (if flymake-mode (flymake-start) (flymake-mode 1)))

(defun rdev-flymake-teardown ()
  "Show the problems found in this buffer no longer."
  (when rdev-flymake--report
    (funcall rdev-flymake--report nil :region (cons (point-min) (point-max))))
  (setq rdev-flymake--report nil)
  (remove-hook 'flymake-diagnostic-functions #'rdev-flymake-backend t))

(defun rdev-flymake--show ()
  "Report this buffer's problems, if Flymake has asked for them."
  (when-let* ((report rdev-flymake--report)
              (client (rdev-client-live (rdev-client-root-here))))
    (save-restriction
      (widen)
      (funcall report
               (mapcar #'rdev-flymake--in-buffer
                       (gethash (file-truename buffer-file-name)
                                (rdev-client-problems client)))
               ;; replace all that was reported before
               :region (cons (point-min) (point-max))))))

(defun rdev-flymake--in-buffer (problem)
  "PROBLEM, an LSP diagnostic, as one of Flymake's in this buffer."
  (let* ((range (plist-get problem :range))
         (from (rdev-flymake--position (plist-get range :start)))
         (to (rdev-flymake--position (plist-get range :end))))
    (unless (< from to)
      (pcase-setq `(,from . ,to)
                  (flymake-diag-region
                   (current-buffer)
                   (1+ (plist-get (plist-get range :start) :line)))))
    (flymake-make-diagnostic (current-buffer) from to
                             (rdev-flymake--type problem)
                             (rdev-flymake--text problem))))

(defun rdev-flymake--position (place)
  "Where PLACE, line and character from 0, is here; never past its line's end."
  (save-excursion
    (goto-char (point-min))
    (forward-line (plist-get place :line))
    (min (+ (point) (plist-get place :character)) (line-end-position))))

(defun rdev-flymake--type (problem)
  "Flymake's type for the severity of PROBLEM."
  (pcase (plist-get problem :severity)
    ((or 'nil 1) :error)
    (2 :warning)
    (_ :note)))

(defun rdev-flymake--text (problem)
  "Return the text of PROBLEM for a person."
  (format "%s [%s]" (plist-get problem :message) (plist-get problem :source)))

(defun rdev-flymake--in-list (file problem)
  "PROBLEM as one of Flymake's for FILE, which no buffer visits."
  (let ((start (plist-get (plist-get problem :range) :start)))
    (flymake-make-diagnostic
     file
     (cons (1+ (plist-get start :line)) (1+ (plist-get start :character)))
     nil
     (rdev-flymake--type problem)
     (rdev-flymake--text problem))))

(cl-defmethod rdev-client-handle
  (client (_ (eql 'textDocument/publishDiagnostics)) params)
  "Show the problems of PARAMS, and keep them in CLIENT for when they are asked."
  (rdev-flymake--set client (rdev-client-uri-to-file (plist-get params :uri))
                     (plist-get params :diagnostics)))

(defun rdev-flymake--set (client file problems)
  "Make PROBLEMS, found through CLIENT, all that stands in FILE."
  (let ((file (file-truename file)))
    (if (seq-empty-p problems)
        (remhash file (rdev-client-problems client))
      (puthash file problems (rdev-client-problems client)))
    (setq flymake-list-only-diagnostics
          (assoc-delete-all file flymake-list-only-diagnostics))
    (if-let* ((buffer (find-buffer-visiting file)))
        (with-current-buffer buffer (rdev-flymake--show))
      (unless (seq-empty-p problems)
        (push (cons file (mapcar (lambda (problem)
                                   (rdev-flymake--in-list file problem))
                                 problems))
              flymake-list-only-diagnostics)))))

(defun rdev-flymake--gone (client)
  "The bridge of CLIENT has ended: what it found is no longer known to be so."
  (dolist (file (hash-table-keys (rdev-client-problems client)))
    (rdev-flymake--set client file [])))

(add-hook 'rdev-client-gone-functions #'rdev-flymake--gone)

(provide 'rdev-flymake)
;;; rdev-flymake.el ends here
