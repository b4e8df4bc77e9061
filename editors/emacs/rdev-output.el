;;; rdev-output.el --- Runs and their output buffers  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Each run has a buffer in a mode derived from `compilation-mode'.  Output is
;; gathered for a moment before it is drawn, and a buffer keeps a bounded number
;; of lines of bounded length: a run's log has all of it.
;;
;; `next-error' asks the bridge which local file the server's path means, so it
;; works with any path map.

;;; Code:

(require 'ansi-color)
(require 'compile)
(require 'rdev-client)
(require 'rdev-run)

(defcustom rdev-max-lines 20000
  "How many lines an output buffer keeps.  The run's log has all of them."
  :group 'rdev
  :type 'natnum)

(defcustom rdev-max-line-length 4000
  "How many characters of a line an output buffer shows."
  :group 'rdev
  :type 'natnum)

(defcustom rdev-show-output 'request
  "Which runs bring their output buffer into view when they start."
  :group 'rdev
  :type '(choice (const :tag "Runs that you ask for" request)
                 (const :tag "All runs" all)
                 (const :tag "None" nil)))

(defconst rdev-output--pause 0.05
  "Seconds for which output is gathered before it is drawn.")

(defconst rdev-output--slice 3000
  "How many lines are drawn at once.")


;;;; The buffer

(defvar-local rdev-output--run nil "The `rdev-run' that this buffer shows.")
(defvar-local rdev-output--top nil "Marker after what stands above the output.")
(defvar-local rdev-output--arrived nil "What waits to be drawn, newest first.")
(defvar-local rdev-output--waiting nil "What waits before that, oldest first.")
(defvar-local rdev-output--count 0 "How many lines wait.")
(defvar-local rdev-output--timer nil "The timer that will draw some of them.")
(defvar-local rdev-output--cut nil "Whether lines at the top are gone.")

(defvar rdev-output-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map [remap kill-compilation] #'rdev-cancel)
    (define-key map [remap recompile] #'rdev-rerun)
    (define-key map "l" #'rdev-log)
    map)
  "Keys in the output of a run.")

(declare-function rdev-cancel "rdev")
(declare-function rdev-rerun "rdev")
(declare-function rdev-log "rdev")

;;;###autoload (autoload 'rdev-output-mode "rdev-output" nil t)
(define-compilation-mode rdev-output-mode "rdev"
  "Output of a run on an rdev server.
\\<rdev-output-mode-map>\\[compile-goto-error] goes to what a message names.
\\[rdev-rerun] runs it again, \\[rdev-cancel] cancels it, \\[rdev-log] opens
its log."
  (setq-local next-error-function #'rdev-output-next-error)
  (setq-local revert-buffer-function (lambda (&rest _) (rdev-rerun)))
  (setq-local rdev-output--top (make-marker))
  (setq-local bidi-paragraph-direction 'left-to-right))

(defun rdev-output-run-id ()
  "Return the id of this buffer's run, or nil."
  (and rdev-output--run
       (plist-get (rdev-run-data rdev-output--run) :runId)))

(defun rdev-output--buffer (client data)
  "A buffer for the run DATA of CLIENT: its task's last one, unless in use."
  (let ((name (format "*rdev %s: %s*"
                      (rdev-client-short-name client) (rdev-run-label data)))
        (root (rdev-client-root client)))
    (or (seq-find
         (lambda (buffer)
           (with-current-buffer buffer
             (and (string-prefix-p name (buffer-name))
                  (derived-mode-p 'rdev-output-mode)
                  (equal default-directory root)
                  rdev-output--run
                  (rdev-run-finished-p (rdev-run-data rdev-output--run)))))
         (sort (buffer-list)
               (lambda (one other)
                 (string< (buffer-name one) (buffer-name other)))))
        (with-current-buffer (generate-new-buffer name)
          (setq default-directory root)
          (rdev-output-mode)
          (current-buffer)))))

(defun rdev-output-open (client run)
  "Make a buffer ready for RUN of CLIENT, and return it."
  (with-current-buffer (rdev-output--buffer client (rdev-run-data run))
    (let ((inhibit-read-only t))
      (compilation-forget-errors)
      (erase-buffer)
      (insert (propertize (format "$ %s\n" (plist-get (rdev-run-data run) :command))
                          'font-lock-face 'bold)))
    (set-marker rdev-output--top (point-max))
    (setq rdev-output--run run
          rdev-output--cut nil
          rdev-output--arrived nil
          rdev-output--waiting nil
          rdev-output--count 0
          ansi-color-context nil
          compilation-messages-start (1- (point-max)) ; before the first
          next-error-last-buffer (current-buffer)
          mode-line-process '(:propertize ":run" face compilation-mode-line-run))
    (setf (rdev-run-buffer run) (current-buffer))))

;; What waits to be drawn is a queue of vectors of lines and of our own words.
;; A flood is drawn in slices with pauses for the person at the keyboard; of what
;; waits, the lines that would be cut off again at once are never drawn.

(defun rdev-output-add (buffer item)
  "Draw ITEM, a vector of lines or a text of ours, in BUFFER when its turn comes."
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (push item rdev-output--arrived)
      (cl-incf rdev-output--count (rdev-output--lines-in item))
      (while (> (- rdev-output--count (rdev-output--lines-in (rdev-output--oldest)))
                rdev-max-lines)
        (rdev-output--take)
        (rdev-output--note-cut))
      (unless rdev-output--timer
        (rdev-output--draw-soon buffer rdev-output--pause)))))

(defun rdev-output-note (buffer text &optional face)
  "Say TEXT, in FACE, as a line of our own at the end of BUFFER."
  (rdev-output-add
   buffer (propertize (concat text "\n") 'font-lock-face (or face 'shadow))))

(defun rdev-output--lines-in (item)
  "Return how many lines ITEM counts for."
  (if (stringp item) 1 (length item)))

(defun rdev-output--oldest ()
  "Return what has waited longest, or nil."
  (unless rdev-output--waiting
    (setq rdev-output--waiting (nreverse rdev-output--arrived)
          rdev-output--arrived nil))
  (car rdev-output--waiting))

(defun rdev-output--take ()
  "Take from the queue what has waited longest."
  (let ((item (rdev-output--oldest)))
    (pop rdev-output--waiting)
    (cl-decf rdev-output--count (rdev-output--lines-in item))
    item))

(defun rdev-output--draw-soon (buffer seconds)
  "Draw a slice of what waits in BUFFER after SECONDS."
  (setq rdev-output--timer
        (run-with-timer seconds nil #'rdev-output--draw buffer)))

(defun rdev-output--draw (buffer)
  "Draw a slice of what waits in BUFFER, and see to the rest later."
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (let ((began (float-time)))
        (setq rdev-output--timer nil)
        (rdev-output--draw-lines rdev-output--slice)
        (when (rdev-output--oldest)
          (rdev-output--draw-soon
           buffer (max rdev-output--pause (- (float-time) began))))))))

(defun rdev-output-flush (buffer)
  "Draw all that waits in BUFFER, now."
  (with-current-buffer buffer
    (when rdev-output--timer
      (cancel-timer rdev-output--timer)
      (setq rdev-output--timer nil))
    (rdev-output--draw-lines most-positive-fixnum)))

(defun rdev-output--draw-lines (limit)
  "Draw what waits here, but not much more than LIMIT lines."
  (let ((gc-cons-threshold (max gc-cons-threshold (* 64 1024 1024)))
        (texts nil)
        (drawn 0))
    (while (and (rdev-output--oldest) (< drawn limit))
      (let ((item (rdev-output--take)))
        (cl-incf drawn (rdev-output--lines-in item))
        (push (if (stringp item) item
                (concat (ansi-color-apply (rdev-output--text item)) "\n"))
              texts)))
    (when texts
      (rdev-output--insert (apply #'concat (nreverse texts)))
      ;; redisplay would do this line by line, and collect garbage all the while
      (when (get-buffer-window nil 'visible)
        (compilation--ensure-parse (point-max))))))

(defun rdev-output--text (lines)
  "LINES as one text, as a terminal would leave it, none of them too long."
  (mapconcat
   (lambda (line)
     (when (string-search "\r" line)    ; what stood there before was overwritten
       (setq line (car (last (split-string line "\r" t)))))
     (if (<= (length line) rdev-max-line-length)
         line
       (concat (replace-regexp-in-string
                "\e[^m]*\\'" "" (substring line 0 rdev-max-line-length))
               (format "\e[0m … %d more characters"
                       (- (length line) rdev-max-line-length)))))
   lines "\n"))

(defun rdev-output--insert (text)
  "Put TEXT at the end of this buffer, and keep in view what showed the end."
  (let* ((inhibit-read-only t)
         (end (point-max))
         (at-end (= (point) end))
         (windows (seq-filter (lambda (window) (= (window-point window) end))
                              (get-buffer-window-list nil nil t))))
    (save-excursion
      (goto-char end)
      (insert text)
      (rdev-output--trim))
    (when at-end (goto-char (point-max)))
    (dolist (window windows) (set-window-point window (point-max)))))

(defun rdev-output--note-cut ()
  "Remember to say at the top that lines are gone, once."
  (unless rdev-output--cut (setq rdev-output--cut t)))

(defun rdev-output--trim ()
  "Take away the oldest lines where there are too many."
  (goto-char (point-max))
  (forward-line (- rdev-max-lines))
  (when (> (point) rdev-output--top)
    (delete-region rdev-output--top (point))
    (rdev-output--note-cut))
  (when (eq rdev-output--cut t)
    (setq rdev-output--cut 'said)
    (goto-char rdev-output--top)
    (insert (propertize "… earlier lines are in the log: M-x rdev-log\n"
                        'font-lock-face 'shadow))
    (set-marker rdev-output--top (point))
    (setq compilation-messages-start (1- (point)))))


;;;; From a message to its file

(defun rdev-output-next-error (n &optional reset)
  "Go to the Nth message from here as `compilation-next-error-function' does.
RESET starts from the first one.  What the server calls a file is looked up
first, in the workspace."
  (when reset (setq compilation-current-error nil))
  (rdev-output-flush (current-buffer))
  (when-let* ((message (save-excursion
                         (compilation-next-error
                          (or n 1) nil (or compilation-current-error
                                           compilation-messages-start
                                           (point-min)))))
              (file (compilation--loc->file-struct
                     (compilation--message->loc message))))
    (rdev-output--localize file))
  (compilation-next-error-function (or n 1)))

(defun rdev-output--localize (file)
  "Let FILE, one of compile.el's, name the local file; look it up just once."
  (pcase-let ((`(,name ,folder) (car file)))
    (when (and (stringp name) (not (get-text-property 0 'rdev-local name)))
      (let ((local (rdev-output--local-file
                    (if (stringp folder) (concat (file-name-as-directory folder) name)
                      name))))
        (setcar file (list (propertize (or local name) 'rdev-local t)
                           (if local nil folder)))))))

(defun rdev-output--local-file (name)
  "The local file that the run's tools call NAME, or nil."
  (when-let* ((client (rdev-client-live default-directory))
              (uri (plist-get
                    (rdev-client-ask client :rdev/resolvePath
                                     (list :runId (rdev-output-run-id)
                                           :path (substring-no-properties name)))
                    :uri)))
    (rdev-client-uri-to-file uri)))


;;;; A run's life

(cl-defmethod rdev-client-handle (client (_ (eql 'rdev/runStarted)) params)
  "Follow the run of PARAMS, which CLIENT's bridge has started."
  (let* ((data (plist-get params :run))
         (trigger (plist-get (plist-get params :trigger) :kind))
         (run (rdev-run--make :data data :trigger trigger :began (current-time)))
         (buffer (rdev-output-open client run)))
    (puthash (plist-get data :runId) run (rdev-client-runs client))
    (when (or (equal trigger "attach")
              (pcase rdev-show-output
                ('all t)
                ('request (equal trigger "request"))))
      (display-buffer buffer '(nil (allow-no-window . t))))
    (run-hook-with-args 'rdev-started-functions data)))

(cl-defmethod rdev-client-handle (client (_ (eql 'rdev/output)) params)
  "Add the lines of PARAMS to the output of a run of CLIENT."
  (when-let* ((run (gethash (plist-get params :runId) (rdev-client-runs client))))
    (seq-doseq (chunk (plist-get params :chunks))
      (rdev-output-add (rdev-run-buffer run) (plist-get chunk :lines)))))

(cl-defmethod rdev-client-handle (client (_ (eql 'rdev/outputGap)) params)
  "Say in the output of CLIENT's run what is missing by PARAMS."
  (when-let* ((run (gethash (plist-get params :runId) (rdev-client-runs client))))
    (rdev-output-note (rdev-run-buffer run)
                      (format "… %s lines that the server no longer has"
                              (or (plist-get params :missing) "some"))
                      'warning)))

(cl-defmethod rdev-client-handle (client (_ (eql 'rdev/runFinished)) params)
  "Say how the run of PARAMS, one of CLIENT's, has ended."
  (when-let* ((data (plist-get params :run))
              (run (gethash (plist-get data :runId) (rdev-client-runs client))))
    (rdev-output--ended client run data)
    (message "rdev: %s %s%s" (rdev-run-label data) (rdev-run-describe data)
             (if (equal "syncConflict" (plist-get data :reason))
                 (substitute-command-keys
                  "\nHere: \\[rdev-overwrite-theirs] or \\[rdev-leave-theirs]")
               ""))))

(defun rdev-output--ended (client run data)
  "Take in that RUN of CLIENT has ended, with DATA."
  (setf (rdev-run-data run) data
        (rdev-client-last client) run)
  (remhash (plist-get data :runId) (rdev-client-runs client))
  (let ((buffer (rdev-run-buffer run))
        (face (if (rdev-run-failed-p data) 'compilation-mode-line-fail
                'compilation-mode-line-exit)))
    (rdev-output-note buffer (concat "\n" (rdev-run-label data) " "
                                     (rdev-run-describe data))
                      face)
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (setq mode-line-process
              (list :propertize (concat ":" (rdev-run-describe data)) 'face face))
        (force-mode-line-update))))
  (run-hook-with-args 'rdev-finished-functions data))

(defun rdev-output--gone (client)
  "End each run of CLIENT, whose bridge will say nothing more."
  (dolist (run (hash-table-values (rdev-client-runs client)))
    (rdev-output--ended client run
                        (append (list :state "finished" :outcome "lost"
                                      :message "the bridge has ended")
                                (rdev-run-data run)))))

(add-hook 'rdev-client-gone-functions #'rdev-output--gone)

(provide 'rdev-output)
;;; rdev-output.el ends here
