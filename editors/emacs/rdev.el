;;; rdev.el --- Run tasks on a remote development server  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors

;; Author: The rdev-bridge authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: tools, processes
;; URL: https://github.com/rdev-bridge/rdev-bridge
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Runs the tasks of a project's rdev.toml through rdev-bridge, which runs them
;; on an rdev server and brings back every line of their output.
;;
;; `rdev-run' runs a task and shows its output in a buffer like that of
;; `compile': `next-error' opens the local file also where the server sees the
;; project under another path.  `rdev-runs' lists what ran, from any editor;
;; `rdev-attach' follows such a run, and `rdev-cancel' ends it.
;;
;; With `global-rdev-mode' on, files of a project that has an rdev.toml show the
;; problems that runs found through Flymake, the mode line says what runs, and
;; tasks that watch files run when they are saved.
;;
;;     (global-rdev-mode 1)
;;     (define-key project-prefix-map "t" 'rdev-command-map)

;;; Code:

(require 'rdev-client)
(require 'rdev-output)
(require 'rdev-runs)


;;;; Questions

(defvar rdev--last-task (make-hash-table :test #'equal)
  "Project folders to the task that was run last.")

(defun rdev--tasks (client)
  "The tasks of CLIENT's project."
  (append (plist-get (rdev-client-ask client :rdev/tasks) :tasks) nil))

(defun rdev--read-task (prompt)
  "Ask with PROMPT for one of this project's tasks and return its id."
  (let* ((client (rdev-client-here))
         (tasks (rdev--tasks client))
         (ids (mapcar (lambda (task) (plist-get task :id)) tasks))
         (last (gethash (rdev-client-root client) rdev--last-task))
         (default (if (member last ids) last (car ids)))
         (completion-extra-properties
          (list :annotation-function
                (lambda (id)
                  (let ((task (seq-find (lambda (task) (equal (plist-get task :id) id))
                                        tasks)))
                    (concat "  " (or (plist-get task :description)
                                     (plist-get task :command))))))))
    (unless ids
      (user-error "No tasks yet: `rdev-bridge init' writes an rdev.toml"))
    (completing-read (format-prompt prompt default) ids nil t nil nil default)))

(defun rdev--read-run (prompt &optional active)
  "Return the run at point, else ask with PROMPT; ACTIVE: for one not ended."
  (or (rdev-runs-at-point)
      (let* ((runs (seq-filter (lambda (run)
                                 (not (and active (rdev-run-finished-p run))))
                               (rdev-runs-of (rdev-client-here))))
             (lines (mapcar (lambda (run)
                              (cons (format "%s  %s  %s" (plist-get run :runId)
                                            (rdev-run-label run)
                                            (rdev-run-describe run))
                                    (plist-get run :runId)))
                            runs)))
        (cond ((null lines)
               (user-error (if active "Nothing runs" "Nothing has run yet")))
              ((and active (null (cdr lines))) (cdar lines))
              (t (cdr (assoc (completing-read (format-prompt prompt (caar lines))
                                              lines nil t nil nil (caar lines))
                             lines)))))))

(defun rdev--save-buffers (root)
  "Offer to save the files of ROOT, as `compile' does."
  (save-some-buffers
   (not compilation-ask-about-save)
   (lambda () (and buffer-file-name (file-in-directory-p buffer-file-name root)))))

(defun rdev--submit (client what params)
  "Run WHAT by sending PARAMS to CLIENT, and return the run's id."
  (rdev--save-buffers (rdev-client-root client))
  (let ((answer (rdev-client-ask
                 client :rdev/run
                 (append params
                         (when buffer-file-name
                           (list :file (rdev-client-file-to-uri buffer-file-name)))))))
    (rdev--say-disposition what answer)))

(defun rdev--say-disposition (what answer)
  "Say what became of the wish to run WHAT by ANSWER; return the run's id."
  (pcase (plist-get answer :disposition)
    ("queued" (message "rdev: %s will run after the run before it" what))
    ("ignored" (message "rdev: %s is running already" what)))
  (plist-get answer :runId))


;;;; Commands

;;;###autoload
(defun rdev-run (task &optional arguments)
  "Run TASK of this project on its server, and return the run's id.
With a prefix argument, ask for ARGUMENTS to add to its command."
  (interactive (list (rdev--read-task "Run task")
                     (and current-prefix-arg
                          (split-string-and-unquote (read-string "Arguments: ")))))
  (let ((client (rdev-client-here)))
    (puthash (rdev-client-root client) task rdev--last-task)
    (rdev--submit client task
                  (append (list :task task)
                          (when arguments (list :arguments (vconcat arguments)))))))

;;;###autoload
(defun rdev-run-command (command)
  "Run the shell text COMMAND on this project's server; return the run's id."
  (interactive (list (read-shell-command "Run on the server: ")))
  (rdev--submit (rdev-client-here) command (list :command command)))

;;;###autoload
(defun rdev-rerun (&optional run-id)
  "Run again what RUN-ID ran: the run at point, else the newest."
  (interactive (list (rdev-runs-at-point)))
  (let ((client (rdev-client-here))
        (run-id (or run-id (rdev-runs-at-point))))
    (rdev--save-buffers (rdev-client-root client))
    (rdev--say-disposition
     "it" (rdev-client-ask client :workspace/executeCommand
                           (list :command "rdev.rerun"
                                 :arguments (if run-id (vector run-id) []))))))

;;;###autoload
(defun rdev-overwrite-theirs ()
  "Run again what found changed files on the server; yours replace them."
  (interactive)
  (rdev--run-after-conflict "ours"))

;;;###autoload
(defun rdev-leave-theirs ()
  "Run again what found changed files on the server; they stay as they are.
Each stays until you change that file again."
  (interactive)
  (rdev--run-after-conflict "theirs"))

(defun rdev--run-after-conflict (choice)
  "Run the newest task again, with CHOICE where both sides changed a file."
  (let* ((client (rdev-client-here))
         (run (rdev-client-last client))
         (data (and run (rdev-run-data run))))
    (unless (equal "syncConflict" (plist-get data :reason))
      (user-error "The newest run found no file that changed on the server too"))
    (rdev--submit client (plist-get data :task)
                  (list :task (plist-get data :task) :syncConflict choice))))

;;;###autoload
(defun rdev-cancel (run-id)
  "End the run RUN-ID and all its processes on the server."
  (interactive (list (rdev--read-run "Cancel" t)))
  (if (eq t (plist-get (rdev-client-ask (rdev-client-here) :rdev/cancel
                                        (list :runId run-id))
                       :accepted))
      (message "rdev: cancelling …")
    (message "rdev: it had ended")))

;;;###autoload
(defun rdev-attach (run-id)
  "Show the run RUN-ID from its first line, and follow it."
  (interactive (list (rdev--read-run "Attach to")))
  (let* ((client (rdev-client-here))
         (known (gethash run-id (rdev-client-runs client))))
    (if (and known (buffer-live-p (rdev-run-buffer known)))
        (display-buffer (rdev-run-buffer known))
      (rdev-client-ask client :rdev/attach (list :runId run-id :seq 0)))))

;;;###autoload
(defun rdev-watch (task)
  "Switch on or off that TASK is run when a file it watches is saved."
  (interactive (list (rdev--read-task "Watch")))
  (let ((answer (rdev-client-ask (rdev-client-here) :workspace/executeCommand
                                 (list :command "rdev.watch"
                                       :arguments (vector task)))))
    (message (if (eq t (plist-get answer :watching))
                 "rdev: %s runs on save now"
               "rdev: %s does not run on save any more")
             task)))

;;;###autoload
(defun rdev-log (run-id)
  "Open the log of the run RUN-ID, which has every byte of its output."
  (interactive (list (rdev--read-run "Log of")))
  (let ((run (seq-find (lambda (run) (equal (plist-get run :runId) run-id))
                       (rdev-runs-of (rdev-client-here)))))
    (unless run (user-error "No run %s is known" run-id))
    (find-file-read-only (rdev-client-uri-to-file (plist-get run :logUri)))))

;;;###autoload
(defun rdev-runs ()
  "List what ran in this project, from any editor or terminal."
  (interactive)
  (pop-to-buffer (rdev-runs-buffer (rdev-client-here))))

;;;###autoload
(defun rdev-trust ()
  "Let the tasks of this project start by themselves when files change."
  (interactive)
  (let* ((client (rdev-client-here))
         (tasks (rdev--tasks client)))
    (when (or (not (called-interactively-p 'any))
              (yes-or-no-p
               (format "%s\nLet these tasks of %s start by themselves? "
                       (mapconcat (lambda (task)
                                    (format "  %s: %s" (plist-get task :id)
                                            (plist-get task :command)))
                                  tasks "\n")
                       (abbreviate-file-name (rdev-client-root client)))))
      (rdev-client-ask client :rdev/trust
                       (list :folder (rdev-client-file-to-uri
                                      (rdev-client-root client))))
      (message "rdev: trusted as it is now"))))

;;;###autoload
(defun rdev-doctor ()
  "Say what this project lacks to be run, and what to do about it."
  (interactive)
  (let ((default-directory (or (rdev-client-root-here) default-directory))
        (process-environment (cons "NO_COLOR=1" process-environment)))
    (compilation-start (mapconcat #'shell-quote-argument
                                  (list (car rdev-command) "doctor") " ")
                       nil (lambda (_) "*rdev doctor*"))))

;;;###autoload
(defun rdev-shutdown ()
  "Stop this project's bridge, and each run that is not detached."
  (interactive)
  (if-let* ((client (rdev-client-live (rdev-client-root-here))))
      (rdev-client-stop client)
    (user-error "No bridge runs for this project")))

;;;###autoload (autoload 'rdev-command-map "rdev" nil nil 'keymap)
(defvar rdev-command-map
  (let ((map (make-sparse-keymap)))
    (define-key map "r" #'rdev-run)
    (define-key map "!" #'rdev-run-command)
    (define-key map "g" #'rdev-rerun)
    (define-key map "c" #'rdev-cancel)
    (define-key map "a" #'rdev-attach)
    (define-key map "l" #'rdev-runs)
    (define-key map "o" #'rdev-log)
    (define-key map "w" #'rdev-watch)
    (define-key map "d" #'rdev-doctor)
    map)
  "Commands of rdev, for a key of yours.")
(fset 'rdev-command-map rdev-command-map)

(provide 'rdev)
;;; rdev.el ends here
