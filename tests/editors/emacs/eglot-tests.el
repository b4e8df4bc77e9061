;;; eglot-tests.el --- Eglot alone, with one line of configuration  -*- lexical-binding: t; -*-

;;; Code:

(require 'ert)
(require 'eglot)

;; The one line of editors/emacs/README.md.
(add-to-list 'eglot-server-programs '((conf-toml-mode prog-mode) . ("rdev-bridge" "lsp")))

(defun eglot-tests-said (text)
  "Wait until Emacs has said TEXT, a regular expression; return what it said."
  (with-timeout (30 (ert-fail (list text (with-current-buffer (messages-buffer) (buffer-string)))))
    (while (not (with-current-buffer (messages-buffer)
                  (goto-char (point-min))
                  (re-search-forward text nil t)))
      (accept-process-output nil 0.02)))
  (with-current-buffer (messages-buffer) (match-string 0)))

(defun eglot-tests-open (file)
  "Visit FILE with Eglot."
  (find-file file)
  (let ((eglot-sync-connect t))
    (unless (eglot-managed-p) (apply #'eglot--connect (eglot--guess-contact)))))

(defun eglot-tests-choose (title)
  "Choose the code action TITLE as a person does."
  (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) title)))
    (let ((last-nonmenu-event t))
      (call-interactively #'eglot-code-actions))))

(ert-deftest eglot-tests-a-task-by-a-code-action ()
  (eglot-tests-open "rdev.toml")
  (eglot-tests-choose "Run fail")
  (eglot-tests-said "fail failed with exit code 3")
  (eglot-tests-choose "Show output of fail (failed with exit code 3)")
  (let ((said (eglot-tests-said "The output of fail is in .*")))
    (with-temp-buffer
      (insert-file-contents (replace-regexp-in-string ".* is in " "" said))
      (should (equal "one\ntwo\n" (buffer-string))))))

(ert-deftest eglot-tests-problems-on-their-lines ()
  (eglot-tests-open "app.py")
  (eglot-tests-choose "Run check")
  (with-timeout (30 (ert-fail "no problem"))
    (while (not (flymake-diagnostics))
      (accept-process-output nil 0.02)
      (flymake-start)))
  (let ((problem (car (flymake-diagnostics))))
    (should (string-match-p "undefined name nmae" (flymake-diagnostic-text problem)))
    (goto-char (flymake-diagnostic-beg problem))
    (should (looking-at "nmae"))))

(ert-deftest eglot-tests-commands-return-at-once-and-cancel-ends ()
  ;; Eglot waits for a command for ten seconds, and for as long Emacs does nothing else
  (eglot-tests-open "rdev.toml")
  (let* ((server (eglot-current-server))
         (began (current-time))
         (run (eglot-execute-command server 'rdev.run ["slow"])))
    (should (equal "started" (plist-get run :disposition)))
    (eglot-execute-command server 'rdev.runs [])
    (should (eq t (plist-get (eglot-execute-command
                              server 'rdev.cancel (vector (plist-get run :runId)))
                             :accepted)))
    (should (< (float-time (time-since began)) 5))
    (with-timeout (30 (ert-fail "no end"))
      (while (not (equal "cancelled"
                         (plist-get (aref (plist-get (eglot-execute-command server 'rdev.runs [])
                                                     :runs)
                                          0)
                                    :outcome)))
        (accept-process-output nil 0.05)))))

;;; eglot-tests.el ends here
