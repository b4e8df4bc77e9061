;;; rdev-tests.el --- Tests of rdev.el in a real Emacs  -*- lexical-binding: t; -*-

;; tests/editors/test_emacs.py prepares a project for each test here, and runs it
;; in an Emacs of its own in that project's folder.

;;; Code:

(require 'ert)
(require 'rdev)
(require 'rdev-mode)

(defvar rdev-tests-patience 60
  "Seconds to wait for anything.")

(defmacro rdev-tests-until (what &rest body)
  "Wait until BODY is true and return it; fail where WHAT does not come."
  (declare (indent 1))
  `(with-timeout (rdev-tests-patience
                  (ert-fail (list ,what (rdev-tests-text) (rdev-tests-messages))))
     (let (value)
       (while (not (setq value (progn ,@body)))
         (accept-process-output nil 0.02))
       value)))

(defun rdev-tests-buffer ()
  "The newest buffer with a run's output."
  (seq-find (lambda (buffer)
              (with-current-buffer buffer (derived-mode-p 'rdev-output-mode)))
            (buffer-list)))

(defun rdev-tests-text ()
  "What stands in the newest output buffer."
  (if-let* ((buffer (rdev-tests-buffer)))
      (with-current-buffer buffer
        (rdev-output-flush buffer)
        (buffer-substring-no-properties (point-min) (point-max)))
    ""))

(defun rdev-tests-messages ()
  "All messages so far."
  (with-current-buffer (messages-buffer) (buffer-string)))

(defun rdev-tests-run (id)
  "The run ID as the bridge tells it."
  (seq-find (lambda (run) (equal (plist-get run :runId) id))
            (rdev-runs-of (rdev-client-here))))

(defun rdev-tests-ended (id)
  "Wait until the run ID has ended, for this Emacs too; return it."
  (rdev-tests-until (format "the end of %s" id)
    (let ((run (rdev-tests-run id)))
      (and run (rdev-run-finished-p run)
           (not (gethash id (rdev-client-runs (rdev-client-here))))
           (rdev-tests-text)            ; all of it is drawn
           run))))

(defun rdev-tests-here (text)
  "Say in the test's own file that TEXT is so, and wait for the word to go on."
  (write-region text nil "said")
  (rdev-tests-until "the word to go on" (file-exists-p "go-on")))


;;;; Running

(ert-deftest rdev-tests-run-shows-output-and-result ()
  (let* ((began (current-time))
         (id (rdev-run "fail")))
    (should (< (float-time (time-since began)) 5))
    (should (equal (plist-get (rdev-tests-ended id) :exitCode) 3))
    (should (string-match-p
             "\\`\\$ echo one.*\none\ntwo\n\nfail failed with exit code 3 after [0-9.]+ s\n\\'"
             (rdev-tests-text)))
    (should (string-match-p "fail failed with exit code 3" (rdev-tests-messages)))
    (with-current-buffer (rdev-tests-buffer)
      (should (derived-mode-p 'compilation-mode))
      (should (string-match-p "failed with exit code 3"
                              (format "%S" mode-line-process))))))

(ert-deftest rdev-tests-a-task-is-picked-from-a-list ()
  (let (offered)
    (cl-letf (((symbol-function 'completing-read)
               (lambda (_prompt ids &rest _)
                 (setq offered (all-completions "" ids))
                 "colour")))
      (call-interactively #'rdev-run))
    (should (equal (seq-take offered 3) '("fail" "colour" "check")))
    (rdev-tests-until "the output" (string-match-p "red" (rdev-tests-text)))))

(ert-deftest rdev-tests-colours ()
  (rdev-tests-ended (rdev-run "colour"))
  (with-current-buffer (rdev-tests-buffer)
    (goto-char (point-min))
    (search-forward "\nred")
    (should (equal (ansi-color-get-face-1 31)
                   (get-text-property (1- (point)) 'font-lock-face)))
    (should (looking-at "\nplain"))
    (should-not (get-text-property (1+ (point)) 'font-lock-face))
    (should-not (string-match-p "\e" (buffer-string)))))

(ert-deftest rdev-tests-a-line-is-as-a-terminal-leaves-it ()
  (rdev-tests-ended (rdev-run-command
                     "printf '10%%\\r100%%\\n'; head -c 9000 /dev/zero | tr '\\0' x; echo"))
  (should (string-match-p "^100%$" (rdev-tests-text)))
  (should (string-match-p "^x\\{4000\\} … 5000 more characters$" (rdev-tests-text))))

(ert-deftest rdev-tests-arguments-and-the-file-go-with-a-task ()
  (with-current-buffer (find-file-noselect "app.py")
    (rdev-tests-ended (rdev-run "say" '("it's" "$HOME"))))
  (should (string-match-p "^app.py it's \\$HOME$" (rdev-tests-text))))

(ert-deftest rdev-tests-cancel ()
  (let* ((id (rdev-run "slow"))
         (pid (rdev-tests-until "its pid"
                (and (string-match "^pid \\([0-9]+\\)$" (rdev-tests-text))
                     (string-to-number (match-string 1 (rdev-tests-text)))))))
    (should (process-attributes pid))
    (with-current-buffer (rdev-tests-buffer)
      (call-interactively #'rdev-cancel))
    (should (equal (plist-get (rdev-tests-ended id) :outcome) "cancelled"))
    (should-not (process-attributes pid))
    (should (string-match-p "^slow cancelled" (rdev-tests-text)))))

(ert-deftest rdev-tests-run-again ()
  (rdev-tests-ended (rdev-run "colour"))
  (rdev-tests-ended (rdev-run "fail"))
  (with-current-buffer (rdev-tests-buffer)
    (rdev-tests-ended (rdev-rerun)))
  (should (= 3 (length (rdev-runs-of (rdev-client-here)))))
  (should (= 2 (seq-count (lambda (buffer)
                            (with-current-buffer buffer
                              (derived-mode-p 'rdev-output-mode)))
                          (buffer-list)))))

(ert-deftest rdev-tests-a-sync-conflict-is-solved-by-a-command ()
  (should-error (rdev-overwrite-theirs) :type 'user-error)
  (let ((run (rdev-tests-ended (rdev-run "pushed"))))
    (should (equal "syncConflict" (plist-get run :reason)))
    (should (string-search "M-x rdev-overwrite-theirs" (rdev-tests-messages))))
  (rdev-tests-ended (rdev-leave-theirs))
  (should (string-search "theirs\n" (rdev-tests-text)))
  (write-region "ours again\n" nil "util.py")
  (should (equal "syncConflict" (plist-get (rdev-tests-ended (rdev-run "pushed")) :reason)))
  (rdev-tests-ended (rdev-overwrite-theirs))
  (should (string-search "ours again\n" (rdev-tests-text))))

(ert-deftest rdev-tests-a-flood-is-bounded-and-freezes-nothing ()
  (let* ((rdev-tests-patience 90)
         (ticks (list (get-internal-run-time)))
         (ticking (run-with-timer 0 0.05 (lambda () (push (get-internal-run-time) ticks))))
         (id (rdev-run-command "seq 1 1000000")))
    (switch-to-buffer (rdev-tests-until "its buffer" (rdev-tests-buffer)))
    (rdev-tests-until "the end"
      (should (< (count-lines (point-min) (point-max)) (+ rdev-max-lines 5)))
      (not (gethash id (rdev-client-runs (rdev-client-here)))))
    (cancel-timer ticking)
    (let ((longest (cl-loop for (later sooner) on ticks while sooner
                            maximize (float-time (time-subtract later sooner)))))
      (message "longest work without a pause: %.2f s" longest)
      (should (< longest 1)))
    (should (= 1000000 (plist-get (rdev-tests-run id) :lines)))
    (should (string-match-p "\n999999\n1000000\n" (rdev-tests-text)))
    (should (string-match-p "^… earlier lines are in the log" (rdev-tests-text)))
    (should (string-prefix-p "$ seq" (rdev-tests-text)))
    (rdev-log id)
    (should (= 1000000 (count-lines (point-min) (point-max))))))


;;;; From messages to files

(ert-deftest rdev-tests-next-error-finds-the-local-file ()
  (rdev-tests-ended (rdev-run "check"))
  (should (string-match-p "/elsewhere/app.py:2:7: error" (rdev-tests-text)))
  (next-error)
  (set-buffer (window-buffer))
  (should (equal buffer-file-name (expand-file-name "app.py")))
  (should (= 2 (line-number-at-pos)))
  (should (looking-at "nmae"))
  (next-error)                          ; a relative name, which counts from the task's cwd
  (set-buffer (window-buffer))
  (should (equal (file-name-nondirectory buffer-file-name) "util.py"))
  (should (= 1 (line-number-at-pos)))
  (should-error (next-error)))

(ert-deftest rdev-tests-problems-stand-on-their-lines ()
  (find-file "app.py")
  (rdev-mode 1)
  (rdev-tests-ended (rdev-run "check"))
  (let ((problem (rdev-tests-until "the problem" (car (flymake-diagnostics)))))
    (should (equal (flymake-diagnostic-text problem) "undefined name nmae [rdev:check]"))
    (should (eq (flymake-diagnostic-type problem) :error))
    (goto-char (flymake-diagnostic-beg problem))
    (should (looking-at "nmae")))
  (flymake-goto-next-error)
  (should (looking-at "nmae"))
  ;; a file that nobody visits is in the project's list
  (should (rdev-tests-until "the other file's problem"
            (seq-find (lambda (entry) (string-suffix-p "util.py" (car entry)))
                      flymake-list-only-diagnostics)))
  (rdev-mode -1)
  (should-not (flymake-diagnostics)))


;;;; Runs of others

(ert-deftest rdev-tests-runs-of-others-are-listed-followed-and-ended ()
  (rdev-runs)
  (should (derived-mode-p 'rdev-runs-mode))
  (goto-char (point-min))
  (should (search-forward "terminal-made" nil t))
  (should (string-match-p "running" (buffer-string)))
  (call-interactively #'rdev-attach)
  (rdev-tests-until "its first line" (string-match-p "^first$" (rdev-tests-text)))
  (write-region "" nil "more")
  (rdev-tests-until "its next line" (string-match-p "^second$" (rdev-tests-text)))
  (should (get-buffer-window (rdev-tests-buffer)))
  (let ((id (tabulated-list-get-id)))
    (call-interactively #'rdev-cancel)
    (should (equal "cancelled" (plist-get (rdev-tests-ended id) :outcome))))
  (rdev-tests-until "the list to follow"
    (with-current-buffer (car (rdev-tests-list-buffers))
      (string-match-p "cancelled" (buffer-string)))))

(defun rdev-tests-list-buffers ()
  "All lists of runs."
  (seq-filter (lambda (buffer)
                (with-current-buffer buffer (derived-mode-p 'rdev-runs-mode)))
              (buffer-list)))

(ert-deftest rdev-tests-the-log-opens ()
  (let ((id (rdev-run "fail")))
    (rdev-tests-ended id)
    (set-buffer (rdev-tests-buffer))
    (call-interactively #'rdev-log)
    (should (equal "one\ntwo\n" (buffer-string)))
    (should buffer-read-only)))


;;;; On save

(ert-deftest rdev-tests-a-save-runs-what-watches-once-trusted ()
  (find-file "app.py")
  (global-rdev-mode 1)
  (should rdev-mode)
  (let ((said (rdev-tests-messages)))
    (rdev-tests-save "1")
    (rdev-tests-until "the question of trust"
      (string-match-p "rdev.trust" (substring (rdev-tests-messages) (length said)))))
  (should-not (rdev-runs-of (rdev-client-here)))
  (rdev-trust)
  (rdev-tests-save "2")
  (rdev-tests-until "a run" (string-match-p "^checked 2$" (rdev-tests-text)))
  (rdev-tests-until "its end" (null (hash-table-keys (rdev-client-runs (rdev-client-here)))))
  (rdev-watch "on-save")
  (should (string-match-p "does not run on save any more" (rdev-tests-messages)))
  (rdev-watch "on-save")
  (should (string-match-p "runs on save now" (rdev-tests-messages)))
  (rdev-tests-save "3")
  (rdev-tests-until "a run" (string-match-p "^checked 3$" (rdev-tests-text)))
  (should-not (get-buffer-window (rdev-tests-buffer))))

(defun rdev-tests-save (text)
  "Save this buffer with TEXT as its content."
  (erase-buffer)
  (insert text "\n")
  (save-buffer))


;;;; Around

(ert-deftest rdev-tests-the-mode-line-says-what-runs ()
  (find-file "app.py")
  (rdev-mode 1)
  (should (equal "" (or (rdev-mode-line) "")))
  (let ((id (rdev-run "slow")))
    (rdev-tests-until "the run" (rdev-mode-line))
    (should (string-match-p "rdev\\[slow 0:[0-9][0-9]\\]" (rdev-mode-line)))
    (should (assq 'rdev-mode mode-line-misc-info))
    (should (process-query-on-exit-flag (jsonrpc--process (rdev-client-here))))
    (rdev-cancel id)
    (rdev-tests-ended id)
    (should (string-match-p "rdev\\[slow cancelled\\]" (rdev-mode-line)))
    (should-not (process-query-on-exit-flag (jsonrpc--process (rdev-client-here)))))
  (rdev-tests-ended (rdev-run "fail"))
  (should (equal 'compilation-mode-line-fail
                 (get-text-property 6 'face (rdev-mode-line)))))

(ert-deftest rdev-tests-a-folder-with-an-rdev-toml-is-a-project ()
  (make-directory "deep/er" t)
  (let ((default-directory (expand-file-name "deep/er/")))
    (should-not (project-current))
    (global-rdev-mode 1)
    (should (file-equal-p (project-root (project-current)) "../.."))
    (should (file-equal-p (rdev-client-root (rdev-client-here)) "../..")))
  (rdev-tests-ended (rdev-run "fail"))
  (should (project--buffers-to-kill (project-current)))
  (should (memq (rdev-tests-buffer) (project--buffers-to-kill (project-current))))
  (global-rdev-mode -1)
  (should-not (project-current)))

(ert-deftest rdev-tests-errors-are-the-bridge-s-own-words ()
  (should (string-match-p "did you mean 'fail'"
                          (cadr (should-error (rdev-run "fial") :type 'user-error))))
  (should (string-match-p "no run" (cadr (should-error (rdev-cancel "r-none")
                                                       :type 'user-error))))
  (let ((default-directory "/ssh:nowhere:/"))
    (should (string-match-p "another machine" (cadr (should-error (rdev-runs))))))
  (rdev-shutdown)
  (let ((rdev-command '("no-such-program")))
    (should (string-match-p "not installed"
                            (cadr (should-error (rdev-run "fail") :type 'user-error))))))

(ert-deftest rdev-tests-the-doctor-says-what-is-well ()
  (rdev-doctor)
  (with-current-buffer "*rdev doctor*"
    (with-timeout (rdev-tests-patience (ert-fail (buffer-string)))
      (while (process-live-p (get-buffer-process (current-buffer)))
        (accept-process-output nil 0.05)))
    (should (string-match-p "rdev.toml" (buffer-string)))
    (should-not (string-match-p "\e" (buffer-string)))))

(ert-deftest rdev-tests-a-bridge-that-dies-is-told-and-started-again ()
  (let ((id (rdev-run "slow")))
    (rdev-tests-until "the run" (string-match-p "^pid" (rdev-tests-text)))
    (signal-process (jsonrpc--process (rdev-client-here)) 'KILL)
    (rdev-tests-until "word of it" (string-match-p "the bridge has ended" (rdev-tests-text)))
    (should (rdev-tests-run id))
    (rdev-cancel id)
    (rdev-tests-until "its end" (rdev-run-finished-p (rdev-tests-run id)))))

(ert-deftest rdev-tests-the-end-of-emacs-is-the-end-of-all ()
  (rdev-run "slow")
  (rdev-tests-until "the run" (string-match-p "^pid" (rdev-tests-text)))
  (rdev-tests-here (format "%s %s"
                           (process-id (jsonrpc--process (rdev-client-here)))
                           (progn (string-match "^pid \\([0-9]+\\)$" (rdev-tests-text))
                                  (match-string 1 (rdev-tests-text))))))

(ert-deftest rdev-tests-beside-eglot ()
  (require 'eglot)
  (add-to-list 'eglot-server-programs
               (list 'python-mode (expand-file-name "language-server")))
  (find-file "app.py")
  (rdev-mode 1)
  (let ((eglot-sync-connect t)) (apply #'eglot--connect (eglot--guess-contact)))
  (rdev-tests-until "Eglot" (eglot-managed-p))
  (rdev-tests-ended (rdev-run "check"))
  (rdev-tests-until "problems of both"
    (flymake-start)
    (equal (sort (mapcar (lambda (problem) (symbol-name (flymake-diagnostic-backend problem)))
                         (flymake-diagnostics))
                 #'string<)
           '("eglot-flymake-backend" "rdev-flymake-backend"))))

;;; rdev-tests.el ends here
