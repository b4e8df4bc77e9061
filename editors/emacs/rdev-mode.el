;;; rdev-mode.el --- Problems, mode line and run on save  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `rdev-mode' in a file's buffer tells the bridge when the file is saved, shows
;; what runs found in it, and says in the mode line what runs.
;; `global-rdev-mode' turns it on beneath every rdev.toml, and makes a folder
;; with an rdev.toml a project of project.el where nothing else does.

;;; Code:

(require 'project)
(require 'rdev-client)
(require 'rdev-flymake)
(require 'rdev-output)
(require 'rdev-run)

(declare-function rdev-runs "rdev")

(defvar-local rdev-mode--root nil "The project of this buffer, once looked up.")


;;;; The mode line

(defvar rdev-mode--tick nil "The timer that moves the time while something runs.")

(defvar rdev-mode-line-map
  (let ((map (make-sparse-keymap)))
    (define-key map [mode-line mouse-1] #'rdev-runs)
    map)
  "Keys on what the mode line says of runs.")

(defun rdev-mode-line ()
  "Return what is running in this buffer's project, or how the last run ended."
  (when-let* ((client (and rdev-mode--root (rdev-client-live rdev-mode--root)))
              (text (rdev-mode--text client)))
    (concat " " (propertize (concat "rdev[" text "]")
                            'mouse-face 'mode-line-highlight
                            'help-echo "mouse-1: what ran in this project"
                            'local-map rdev-mode-line-map))))

(defun rdev-mode--text (client)
  "Return the mode line's words about CLIENT, or nil for none."
  (let ((active (hash-table-values (rdev-client-runs client)))
        (last (rdev-client-last client)))
    (cond (active
           (propertize
            (mapconcat (lambda (run)
                         (format "%s %s" (rdev-run-label (rdev-run-data run))
                                 (rdev-mode--since (rdev-run-began run))))
                       active ", ")
            'face 'compilation-mode-line-run))
          (last
           (let ((data (rdev-run-data last)))
             (propertize (format "%s %s" (rdev-run-label data)
                                 (plist-get data :outcome))
                         'face (if (rdev-run-failed-p data)
                                   'compilation-mode-line-fail
                                 'compilation-mode-line-exit)))))))

(defun rdev-mode--since (time)
  "How long ago TIME was, as minutes and seconds."
  (let ((seconds (truncate (float-time (time-since time)))))
    (format "%d:%02d" (/ seconds 60) (mod seconds 60))))

(defun rdev-mode--runs-changed (&rest _)
  "Keep the mode lines true, and ask before Emacs ends with a run of its own."
  (let (active)
    (rdev-client-each
     (lambda (client)
       (let ((runs (hash-table-values (rdev-client-runs client))))
         (when runs (setq active t))
         (set-process-query-on-exit-flag
          (jsonrpc--process client)
          (seq-some (lambda (run) (not (equal (rdev-run-trigger run) "attach")))
                    runs)))))
    (cond ((and active (not rdev-mode--tick))
           (setq rdev-mode--tick (run-with-timer 1 1 #'force-mode-line-update t)))
          ((and rdev-mode--tick (not active))
           (cancel-timer rdev-mode--tick)
           (setq rdev-mode--tick nil)))
    (force-mode-line-update t)))

(add-hook 'rdev-started-functions #'rdev-mode--runs-changed)
(add-hook 'rdev-finished-functions #'rdev-mode--runs-changed)
(add-hook 'rdev-client-gone-functions #'rdev-mode--runs-changed 90)


;;;; The mode

(defun rdev-mode--tell (method &optional more)
  "Tell the bridge METHOD of this buffer's file, with MORE of the document."
  (when-let* ((client (and buffer-file-name rdev-mode--root
                           (rdev-client-live rdev-mode--root))))
    (rdev-client-tell
     client method
     (list :textDocument
           (append (list :uri (rdev-client-file-to-uri buffer-file-name)) more)))))

(defun rdev-mode--saved ()
  "Tell the bridge that this buffer's file was saved."
  (rdev-mode--tell :textDocument/didSave))

(defun rdev-mode--closed ()
  "Tell the bridge that nothing visits this buffer's file any more."
  (rdev-mode--tell :textDocument/didClose))

(defun rdev-mode--flymake-again ()
  "Add our problems once more: Eglot puts its own in place of all others."
  (when (bound-and-true-p rdev-mode) (rdev-flymake-setup)))

;;;###autoload
(define-minor-mode rdev-mode
  "Show the problems found in this file, and run tasks when it is saved."
  :group 'rdev
  (if rdev-mode
      (let ((client (rdev-client-here)))
        (setq rdev-mode--root (rdev-client-root client))
        (rdev-mode--tell :textDocument/didOpen
                         ;; the bridge reads what was saved, never this text
                         (list :languageId "" :version 0 :text ""))
        (add-hook 'after-save-hook #'rdev-mode--saved nil t)
        (add-hook 'kill-buffer-hook #'rdev-mode--closed nil t)
        (add-hook 'eglot-managed-mode-hook #'rdev-mode--flymake-again nil t)
        (add-to-list 'mode-line-misc-info '(rdev-mode (:eval (rdev-mode-line))))
        (rdev-flymake-setup))
    (rdev-mode--closed)
    (rdev-flymake-teardown)
    (remove-hook 'after-save-hook #'rdev-mode--saved t)
    (remove-hook 'kill-buffer-hook #'rdev-mode--closed t)
    (remove-hook 'eglot-managed-mode-hook #'rdev-mode--flymake-again t)))

(defun rdev-mode--maybe ()
  "Turn `rdev-mode' on in a file beneath an rdev.toml."
  (when (and buffer-file-name
             (not (file-remote-p buffer-file-name))
             (locate-dominating-file buffer-file-name "rdev.toml")
             (executable-find (car rdev-command)))
    (rdev-mode 1)))

;;;###autoload
(define-globalized-minor-mode global-rdev-mode rdev-mode rdev-mode--maybe
  :group 'rdev
  (if global-rdev-mode
      (progn
        (add-hook 'project-find-functions #'rdev-mode-project 90)
        (add-to-list 'project-switch-commands '(rdev-run "Run task" ?t) t))
    (remove-hook 'project-find-functions #'rdev-mode-project)))


;;;; project.el

(defun rdev-mode-project (folder)
  "The project above FOLDER that has an rdev.toml; for `project-find-functions'."
  (when-let* ((root (locate-dominating-file folder "rdev.toml")))
    (cons 'rdev root)))

(cl-defmethod project-root ((project (head rdev)))
  "The folder of PROJECT, where its rdev.toml is."
  (cdr project))

(provide 'rdev-mode)
;;; rdev-mode.el ends here
