;;; rdev.el --- Run tasks on a remote development server  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors

;; Author: The rdev-bridge authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.15"))
;; Keywords: tools, processes
;; URL: https://github.com/rdev-bridge/rdev-bridge
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Runs the tasks of a project's rdev.toml through rdev-bridge, which runs them on an rdev server and brings every
;; line of their output back.
;;
;; `rdev-run' runs a task and shows its output in a `compilation-mode' buffer, where `next-error' opens the local
;; file also when the server sees the project under another path.  `rdev-cancel' ends a run, `rdev-runs' lists
;; them.  With `rdev-mode' on, problems appear through Flymake and the mode line says what runs.
;;
;; The bridge has a connection of its own beside the one that Eglot or lsp-mode holds for the buffer's language.

;;; Code:

(require 'cl-lib)
(require 'compile)
(require 'flymake)
(require 'jsonrpc)
(require 'project)
(require 'tabulated-list)
(require 'ansi-color)
(require 'url-util)

(defgroup rdev nil
  "Run tasks on a remote development server."
  :group 'tools
  :prefix "rdev-")

(defcustom rdev-command '("rdev-bridge" "lsp")
  "The program that is the bridge, and its arguments."
  :type '(repeat string))

(defcustom rdev-max-lines 50000
  "How many lines an output buffer keeps.  A run's log has all of them."
  :type 'natnum)

(defcustom rdev-show-output 'request
  "Which runs bring their output buffer into view when they start."
  :type '(choice (const :tag "Runs that you ask for" request)
                 (const :tag "All runs" all)
                 (const :tag "None" nil)))

(defconst rdev--flush-interval 0.05
  "Seconds for which output is gathered before it is drawn.")


;;;; The connection

(defclass rdev-connection (jsonrpc-process-connection)
  ((root :initarg :root :reader rdev--root :documentation "The project's folder, with a slash at its end.")
   (runs :initform (make-hash-table :test #'equal) :reader rdev--run-table :documentation "Run ids to rdev--run.")
   (diagnostics :initform (make-hash-table :test #'equal) :reader rdev--diagnostics
                :documentation "File names to vectors of LSP diagnostics."))
  "A running bridge.")

(cl-defstruct rdev--run
  "A run that this Emacs follows."
  data trigger buffer (waiting nil) (timer nil))

(defvar rdev--connections (make-hash-table :test #'equal)
  "Project folders to live connections.")

(defun rdev--project-root ()
  "The folder whose tasks are meant here: the nearest rdev.toml's, else the project's."
  (expand-file-name
   (or (locate-dominating-file default-directory "rdev.toml")
       (when-let ((project (project-current))) (project-root project))
       default-directory)))

(defun rdev--connection (&optional only-live)
  "The connection of this buffer's project; connects first, unless ONLY-LIVE."
  (let* ((root (file-name-as-directory (rdev--project-root)))
         (known (gethash root rdev--connections)))
    (cond ((and known (jsonrpc-running-p known)) known)
          (only-live nil)
          (t (rdev--connect root)))))

(defun rdev--connect (root)
  "Start a bridge for ROOT and introduce ourselves to it."
  (unless (executable-find (car rdev-command))
    (user-error "%s is not installed: pip install rdev-bridge, or set `rdev-command'" (car rdev-command)))
  (let* ((name (format "rdev: %s" (file-name-nondirectory (directory-file-name root))))
         (connection
          (make-instance
           'rdev-connection
           :name name
           :root root
           :events-buffer-scrollback-size 0
           :process (let ((default-directory root))
                      (make-process :name name :command rdev-command :connection-type 'pipe
                                    :coding 'utf-8-emacs-unix :noquery t
                                    :stderr (get-buffer-create (format " *%s stderr*" name))))
           :notification-dispatcher #'rdev--notified
           :request-dispatcher #'rdev--requested
           :on-shutdown #'rdev--gone)))
    (puthash root connection rdev--connections)
    (jsonrpc-request connection :initialize
                     (list :processId (emacs-pid)
                           :clientInfo (list :name "Emacs" :version emacs-version)
                           :rootUri (rdev--file-to-uri root)
                           :workspaceFolders (vector (list :uri (rdev--file-to-uri root) :name name))
                           :initializationOptions '(:rdev (:version 1))
                           :capabilities '(:general (:positionEncodings ["utf-32" "utf-16"])
                                           :workspace (:workspaceFolders t)
                                           :window (:showDocument (:support t))
                                           :textDocument (:publishDiagnostics (:relatedInformation t))
                                           :experimental (:rdev (:version 1)))))
    (jsonrpc-notify connection :initialized (make-hash-table))
    connection))

(defun rdev--gone (connection)
  "Tell the runs of CONNECTION that their bridge is gone."
  (remhash (rdev--root connection) rdev--connections)
  (maphash (lambda (_id run)
             (unless (rdev--finished-p (rdev--run-data run))
               (setf (rdev--run-data run)
                     (plist-put (plist-put (rdev--run-data run) :state "finished") :message "the bridge has stopped"))
               (rdev--end-output run)))
           (rdev--run-table connection))
  (force-mode-line-update t))

(defun rdev-shutdown ()
  "Stop the bridge of this project; runs that are not detached end with it."
  (interactive)
  (when-let ((connection (rdev--connection t)))
    (jsonrpc-request connection :shutdown nil :timeout 5)
    (jsonrpc-notify connection :exit nil)))

(defun rdev--ask (method params)
  "Send METHOD with PARAMS to this project's bridge and return its answer."
  (condition-case err
      (jsonrpc-request (rdev--connection) method params :timeout 15)
    (jsonrpc-error (user-error "rdev: %s" (alist-get 'jsonrpc-error-message (cdr err) (cadr err))))))

(defun rdev--nothing ()
  "An empty JSON object."
  (make-hash-table))

(defun rdev--file-to-uri (file)
  "FILE as a file URI."
  (concat "file://" (url-hexify-string (directory-file-name (expand-file-name file)) url-path-allowed-chars)))

(defun rdev--uri-to-file (uri)
  "The file name in URI."
  (decode-coding-string (url-unhex-string (string-remove-prefix "file://" uri)) 'utf-8))


;;;; What the bridge says

(defun rdev--requested (connection method params)
  "Answer the request METHOD with PARAMS that CONNECTION made."
  (pcase method
    ('window/showDocument
     (ignore connection)
     (find-file-other-window (rdev--uri-to-file (plist-get params :uri)))
     '(:success t))
    ('window/showMessageRequest
     (let ((titles (mapcar (lambda (action) (plist-get action :title)) (plist-get params :actions))))
       (when titles
         (let ((choice (completing-read (concat (plist-get params :message) " ") titles nil t)))
           (and (member choice titles) (list :title choice))))))
    ((or 'client/registerCapability 'client/unregisterCapability 'window/workDoneProgress/create) nil)
    (_ (jsonrpc-error :code -32601 :message (format "Emacs does not know %s" method)))))

(defun rdev--notified (connection method params)
  "Take in the notification METHOD with PARAMS from CONNECTION."
  (pcase method
    ('rdev/runStarted (rdev--run-started connection (plist-get params :run) (plist-get params :trigger)))
    ('rdev/output (rdev--output connection (plist-get params :runId) (plist-get params :chunks)))
    ('rdev/outputGap
     (rdev--note connection (plist-get params :runId)
                 (format "%s lines can no longer be sent by the server" (or (plist-get params :missing) "some"))))
    ('rdev/runFinished (rdev--run-finished connection (plist-get params :run)))
    ('rdev/connection
     (when (member (plist-get params :state) '("reconnecting" "offline" "resumed"))
       (message "rdev: %s: %s" (plist-get params :server) (or (plist-get params :message) (plist-get params :state)))))
    ('textDocument/publishDiagnostics
     (rdev--publish connection (rdev--uri-to-file (plist-get params :uri)) (plist-get params :diagnostics)))
    ('window/showMessage (message "%s" (plist-get params :message)))))


;;;; Runs and their output

(defun rdev--label (data)
  "What a person calls the run DATA."
  (or (plist-get data :task) (plist-get data :command)))

(defun rdev--finished-p (data)
  "Whether the run DATA has ended."
  (equal (plist-get data :state) "finished"))

(defun rdev--failed-p (data)
  "Whether the run DATA ended in a way that a person should look at."
  (and (rdev--finished-p data)
       (not (member (plist-get data :outcome) '("succeeded" "cancelled" "superseded")))))

(defun rdev--describe (data)
  "One phrase for how the run DATA stands."
  (let ((time (if-let ((ms (plist-get data :durationMs))) (format " in %.1f s" (/ ms 1000.0)) "")))
    (pcase (plist-get data :outcome)
      ('nil (or (plist-get data :message) (plist-get data :state)))
      ("succeeded" (concat "succeeded" time))
      ("failed" (format "exit code %s%s" (plist-get data :exitCode) time))
      ("timedOut" (concat "timed out" time))
      (outcome (concat outcome (if-let ((why (plist-get data :message))) (concat ": " why) ""))))))

(define-compilation-mode rdev-output-mode "rdev"
  "Output of a run on an rdev server."
  (setq-local compilation-parse-errors-filename-function #'rdev--local-file)
  (setq-local compilation-scroll-output t))

(defvar-local rdev--run-id nil "The run whose output this buffer shows.")
(defvar-local rdev--resolved nil "Paths as the server prints them, to local files or `none'.")

(defun rdev--local-file (name)
  "The local file for NAME as the server's tools print it."
  (let ((known (and rdev--resolved (gethash name rdev--resolved))))
    (unless known
      (setq known
            (or (condition-case nil
                    (when-let* ((connection (rdev--connection t))
                                (answer (jsonrpc-request connection :rdev/resolvePath
                                                         (list :runId rdev--run-id :path name) :timeout 2))
                                (uri (plist-get answer :uri)))
                      (rdev--uri-to-file uri))
                  (jsonrpc-error nil))
                'none))
      (unless rdev--resolved (setq rdev--resolved (make-hash-table :test #'equal)))
      (puthash name known rdev--resolved))
    (if (eq known 'none) name known)))

(defun rdev--output-buffer (connection data keep)
  "The buffer for the run DATA of CONNECTION, emptied unless KEEP."
  (let ((buffer (get-buffer-create (format "*rdev: %s*" (truncate-string-to-width (rdev--label data) 40 nil nil "…"))))
        (root (rdev--root connection)))
    (with-current-buffer buffer
      (unless (derived-mode-p 'rdev-output-mode) (rdev-output-mode))
      (setq default-directory root)
      (setq rdev--run-id (plist-get data :runId)
            rdev--resolved nil)
      (unless keep
        (let ((inhibit-read-only t))
          (erase-buffer)
          (compilation-forget-errors)))
      (setq mode-line-process '(:propertize ":run" face compilation-mode-line-run)))
    buffer))

(defun rdev--run-started (connection data trigger)
  "Follow the run DATA of CONNECTION, which TRIGGER started."
  (let* ((keep (plist-get data :parentRunId))
         (buffer (rdev--output-buffer connection data keep))
         (run (make-rdev--run :data data :trigger trigger :buffer buffer)))
    (puthash (plist-get data :runId) run (rdev--run-table connection))
    (rdev--insert run (list (concat "> " (plist-get data :command))))
    (when (pcase rdev-show-output
            ('all t)
            ('request (equal (plist-get trigger :kind) "request")))
      (display-buffer buffer '(nil (allow-no-window . t))))
    (force-mode-line-update t)))

(defun rdev--output (connection run-id chunks)
  "Add CHUNKS to the output of RUN-ID of CONNECTION."
  (when-let ((run (gethash run-id (rdev--run-table connection))))
    (seq-doseq (chunk chunks)
      (rdev--insert run (append (plist-get chunk :lines) nil)))))

(defun rdev--note (connection run-id text)
  "Say TEXT in the output of RUN-ID of CONNECTION."
  (when-let ((run (gethash run-id (rdev--run-table connection))))
    (rdev--insert run (list (concat "> " text)))))

(defun rdev--insert (run lines)
  "Put LINES at the end of RUN's output, together with what else comes in the next moment."
  (push lines (rdev--run-waiting run))
  (unless (rdev--run-timer run)
    (setf (rdev--run-timer run) (run-with-timer rdev--flush-interval nil #'rdev--flush run))))

(defun rdev--flush (run)
  "Draw what waits for RUN."
  (when (rdev--run-timer run)
    (cancel-timer (rdev--run-timer run))
    (setf (rdev--run-timer run) nil))
  (let* ((lines (apply #'append (nreverse (rdev--run-waiting run))))
         (surplus (- (length lines) rdev-max-lines))
         (buffer (rdev--run-buffer run)))
    (setf (rdev--run-waiting run) nil)
    (when (> surplus 0) (setq lines (nthcdr surplus lines))) ; a flood: what would scroll away at once is not drawn
    (when (and lines (buffer-live-p buffer))
      (with-current-buffer buffer
        (let* ((inhibit-read-only t)
               (end (copy-marker (point-max)))
               (windows (seq-filter (lambda (window) (= (window-point window) end)) (get-buffer-window-list nil nil t)))
               (at-end (= (point) end)))
          (save-excursion
            (goto-char end)
            (insert (mapconcat #'identity lines "\n") "\n")
            (ansi-color-apply-on-region end (point-max))
            (forward-line (- rdev-max-lines))
            (delete-region (point-min) (point)))
          (when at-end (goto-char (point-max)))
          (dolist (window windows) (set-window-point window (point-max)))
          (set-marker end nil))))))

(defun rdev--run-finished (connection data)
  "Note that the run DATA of CONNECTION has ended."
  (when-let ((run (gethash (plist-get data :runId) (rdev--run-table connection))))
    (setf (rdev--run-data run) data)
    (rdev--insert run (list (concat "> " (rdev--describe data))))
    (rdev--end-output run)
    (run-hook-with-args 'rdev-finished-functions data)
    (message "rdev: %s: %s" (rdev--label data) (rdev--describe data)))
  (force-mode-line-update t))

(defvar rdev-finished-functions nil
  "Functions called with a run's plist (`:task', `:outcome', `:exitCode' …) when it has ended.")

(defun rdev--end-output (run)
  "Draw the rest of RUN and say in its mode line how it ended."
  (rdev--flush run)
  (when (buffer-live-p (rdev--run-buffer run))
    (with-current-buffer (rdev--run-buffer run)
      (setq mode-line-process
            (list :propertize (concat ":" (rdev--describe (rdev--run-data run)))
                  'face (if (rdev--failed-p (rdev--run-data run)) 'compilation-mode-line-fail 'compilation-mode-line-exit)))
      (force-mode-line-update))))


;;;; Problems

(defun rdev--severity (number)
  "The Flymake type for LSP severity NUMBER."
  (pcase number ((or 'nil 1) :error) (2 :warning) (_ :note)))

(defun rdev--message (diagnostic)
  "What a person reads of DIAGNOSTIC."
  (format "%s: %s" (plist-get diagnostic :source) (plist-get diagnostic :message)))

(defvar-local rdev--report nil "What Flymake gave us to report this buffer's problems with.")

(defun rdev-flymake-backend (report &rest _)
  "Tell Flymake by way of REPORT what the runs found in this buffer's file."
  (setq rdev--report report)
  (rdev--report-buffer))

(defun rdev--position (line character)
  "Where LINE and CHARACTER, both from 0, stand in this buffer; never past the line's end."
  (save-excursion
    (goto-char (point-min))
    (forward-line line)
    (min (+ (point) character) (line-end-position))))

(defun rdev--report-buffer ()
  "Report this buffer's problems, if Flymake has asked for them."
  (when-let* ((report rdev--report)
              (connection (rdev--connection t)))
    (save-restriction
      (widen)
      (funcall
       report
       (mapcar
        (lambda (diagnostic)
          (let* ((range (plist-get diagnostic :range))
                 (start (plist-get range :start))
                 (end (plist-get range :end))
                 (from (rdev--position (plist-get start :line) (plist-get start :character)))
                 (to (rdev--position (plist-get end :line) (plist-get end :character))))
            (unless (< from to)
              (pcase-setq `(,from . ,to) (flymake-diag-region (current-buffer) (1+ (plist-get start :line)))))
            (flymake-make-diagnostic (current-buffer) from to (rdev--severity (plist-get diagnostic :severity))
                                     (rdev--message diagnostic))))
        (gethash (file-truename buffer-file-name) (rdev--diagnostics connection)))
       :region (cons (point-min) (point-max))))))

(defun rdev--publish (connection file diagnostics)
  "Keep DIAGNOSTICS of FILE for CONNECTION, and show them in its buffer or in the project's list."
  (let ((file (file-truename file)))
    (if (seq-empty-p diagnostics)
        (remhash file (rdev--diagnostics connection))
      (puthash file diagnostics (rdev--diagnostics connection)))
    (setq flymake-list-only-diagnostics (assoc-delete-all file flymake-list-only-diagnostics))
    (if-let ((buffer (find-buffer-visiting file)))
        (with-current-buffer buffer (rdev--report-buffer))
      (unless (seq-empty-p diagnostics)
        (push (cons file (mapcar (lambda (diagnostic)
                                   (let ((start (plist-get (plist-get diagnostic :range) :start)))
                                     (flymake-make-diagnostic
                                      file
                                      (cons (1+ (plist-get start :line)) (plist-get start :character))
                                      nil
                                      (rdev--severity (plist-get diagnostic :severity))
                                      (rdev--message diagnostic))))
                                 diagnostics))
              flymake-list-only-diagnostics)))))


;;;; The mode

(defun rdev-mode-line ()
  "What runs, or how the last run ended; for a mode line."
  (when-let* ((connection (rdev--connection t))
              (runs (hash-table-values (rdev--run-table connection))))
    (let ((active (seq-remove (lambda (run) (rdev--finished-p (rdev--run-data run))) runs))
          (last (rdev--run-data (car (last runs)))))
      (cond (active (format " rdev:%s…" (mapconcat (lambda (run) (rdev--label (rdev--run-data run))) active ",")))
            ((rdev--failed-p last) (propertize (format " rdev:%s failed" (rdev--label last)) 'face 'error))
            (t (format " rdev:%s" (rdev--label last)))))))

(defun rdev--setup-buffer ()
  "Show the problems of runs in this buffer when its project has tasks; start the bridge for run on save."
  (when (and buffer-file-name (locate-dominating-file buffer-file-name "rdev.toml") (executable-find (car rdev-command)))
    (rdev--connection)
    (add-hook 'flymake-diagnostic-functions #'rdev-flymake-backend nil t)
    (flymake-mode 1)))

;;;###autoload
(define-minor-mode rdev-mode
  "Show what runs in the mode line, and what runs found through Flymake, in projects that have an rdev.toml."
  :global t
  (let ((entry '(:eval (rdev-mode-line))))
    (cond (rdev-mode
           (add-hook 'find-file-hook #'rdev--setup-buffer)
           (add-to-list 'mode-line-misc-info entry t)
           (dolist (buffer (buffer-list)) (with-current-buffer buffer (rdev--setup-buffer))))
          (t
           (remove-hook 'find-file-hook #'rdev--setup-buffer)
           (setq mode-line-misc-info (delete entry mode-line-misc-info))
           (dolist (buffer (buffer-list))
             (with-current-buffer buffer
               (remove-hook 'flymake-diagnostic-functions #'rdev-flymake-backend t)))))))


;;;; Commands

(defun rdev--read-task (prompt)
  "Ask with PROMPT for one of this project's tasks and return its id."
  (let* ((tasks (append (plist-get (rdev--ask :rdev/tasks (rdev--nothing)) :tasks) nil))
         (ids (mapcar (lambda (task) (plist-get task :id)) tasks))
         (completion-extra-properties
          (list :annotation-function
                (lambda (id)
                  (let ((task (seq-find (lambda (task) (equal (plist-get task :id) id)) tasks)))
                    (concat "  " (or (plist-get task :description) (plist-get task :command))))))))
    (unless ids (user-error "No tasks yet: `rdev-bridge init' writes an rdev.toml"))
    (completing-read prompt ids nil t nil nil (car ids))))

;;;###autoload
(defun rdev-run (task)
  "Run TASK of this project on its rdev server."
  (interactive (list (rdev--read-task "Run task: ")))
  (rdev--report-disposition task (rdev--ask :rdev/run (list :task task))))

;;;###autoload
(defun rdev-run-command (command)
  "Run the shell text COMMAND on this project's rdev server."
  (interactive (list (read-shell-command "Run on the server: ")))
  (rdev--report-disposition command (rdev--ask :rdev/run (list :command command))))

(defun rdev--report-disposition (name answer)
  "Say what became of the wish to run NAME, from the bridge's ANSWER; return the run's id."
  (pcase (plist-get answer :disposition)
    ("queued" (message "rdev: %s will run after the run before it" name))
    ("ignored" (message "rdev: %s is running already" name)))
  (plist-get answer :runId))

(defun rdev--all-runs ()
  "All runs of this project, of any editor, newest first."
  (append (plist-get (rdev--ask :rdev/runs (rdev--nothing)) :runs) nil))

(defun rdev--read-run (prompt runs)
  "Ask with PROMPT for one of RUNS and return its id."
  (let ((lines (mapcar (lambda (run)
                         (cons (format "%s  %s  %s" (plist-get run :runId) (rdev--label run) (rdev--describe run))
                               (plist-get run :runId)))
                       runs)))
    (unless lines (user-error "No such run"))
    (cdr (assoc (completing-read prompt lines nil t nil nil (caar lines)) lines))))

;;;###autoload
(defun rdev-cancel (run-id)
  "End the run RUN-ID and all its processes on the server."
  (interactive
   (let ((active (seq-remove #'rdev--finished-p (rdev--all-runs))))
     (list (if (= (length active) 1) (plist-get (car active) :runId) (rdev--read-run "Cancel: " active)))))
  (rdev--ask :rdev/cancel (list :runId run-id)))

;;;###autoload
(defun rdev-attach (run-id)
  "Show the run RUN-ID from its first line, and follow it."
  (interactive (list (rdev--read-run "Attach to: " (rdev--all-runs))))
  (rdev--ask :rdev/attach (list :runId run-id :seq 0))
  (when-let ((run (gethash run-id (rdev--run-table (rdev--connection)))))
    (pop-to-buffer (rdev--run-buffer run))))

;;;###autoload
(defun rdev-watch (task)
  "Switch run on save for TASK."
  (interactive (list (rdev--read-task "Watch: ")))
  (let* ((tasks (plist-get (rdev--ask :rdev/tasks (rdev--nothing)) :tasks))
         (found (seq-find (lambda (candidate) (equal (plist-get candidate :id) task)) tasks))
         (enabled (not (eq (plist-get found :watching) t)))
         (answer (rdev--ask :rdev/watch (list :task task :enabled (or enabled :json-false)))))
    (message "rdev: %s %s" task
             (if (eq (plist-get answer :watching) t) "runs on save" "does not run on save any more"))))

;;;###autoload
(defun rdev-log (run-id)
  "Open the log of the run RUN-ID."
  (interactive (list (rdev--read-run "Log of: " (rdev--all-runs))))
  (let ((run (seq-find (lambda (run) (equal (plist-get run :runId) run-id)) (rdev--all-runs))))
    (find-file-read-only (rdev--uri-to-file (plist-get run :logUri)))))

(defvar-keymap rdev-runs-mode-map
  :parent tabulated-list-mode-map
  "RET" #'rdev-runs-attach
  "c" #'rdev-runs-cancel
  "l" #'rdev-runs-log)

(define-derived-mode rdev-runs-mode tabulated-list-mode "rdev-runs"
  "The runs of a project: \\`RET' attaches, \\`c' cancels, \\`l' opens the log, \\`g' reads the list again."
  (setq tabulated-list-format [("Run" 12 t) ("Task" 24 t) ("State" 28 t) ("Lines" 10 nil :right-align t) ("Started" 20 t)])
  (setq tabulated-list-entries #'rdev--runs-entries)
  (tabulated-list-init-header))

(defun rdev--runs-entries ()
  "The rows of the list of runs."
  (mapcar (lambda (run)
            (list (plist-get run :runId)
                  (vector (plist-get run :runId) (rdev--label run) (rdev--describe run)
                          (number-to-string (plist-get run :lines))
                          (format-time-string "%F %T" (date-to-time (plist-get run :startedAt))))))
          (rdev--all-runs)))

(defun rdev-runs-attach () "Attach to the run at point." (interactive) (rdev-attach (tabulated-list-get-id)))
(defun rdev-runs-cancel () "Cancel the run at point." (interactive) (rdev-cancel (tabulated-list-get-id)) (revert-buffer))
(defun rdev-runs-log () "Open the log of the run at point." (interactive) (rdev-log (tabulated-list-get-id)))

;;;###autoload
(defun rdev-runs ()
  "List the runs of this project, of any editor."
  (interactive)
  (let ((root (rdev--project-root)))
    (with-current-buffer (get-buffer-create "*rdev runs*")
      (setq default-directory root)
      (rdev-runs-mode)
      (tabulated-list-print)
      (pop-to-buffer (current-buffer)))))

(provide 'rdev)
;;; rdev.el ends here
