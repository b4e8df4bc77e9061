;;; rdev-client.el --- The connection to the bridge  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The rdev-bridge authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; One `rdev-bridge lsp' for each project, over jsonrpc.el.  It stands beside
;; the server that Eglot or lsp-mode has for the language, so that both work in
;; the same buffer.
;;
;; What the bridge says arrives in methods of `rdev-client-handle', which the
;; other files define for the messages that they care about.

;;; Code:

(require 'cl-lib)
(require 'eieio)
(require 'jsonrpc)
(require 'project)
(require 'seq)
(require 'url-util)

(defgroup rdev nil
  "Run tasks on a remote development server."
  :group 'tools
  :prefix "rdev-")

(defcustom rdev-command '("rdev-bridge" "lsp")
  "The program that is the bridge, and its arguments."
  :type '(repeat string)
  :risky t)

(defconst rdev-client--patience 15
  "Seconds to wait for an answer of the bridge, which gives it at once.")

(defclass rdev-client (jsonrpc-process-connection)
  ((root :initarg :root :reader rdev-client-root
         :documentation "The project's folder, with a slash at its end.")
   (ready :initform nil :accessor rdev-client-ready
          :documentation "Whether the bridge has said hello.")
   (waiting :initform nil :accessor rdev-client--waiting
            :documentation "What to do once it has, newest first.")
   (runs :initform (make-hash-table :test #'equal) :reader rdev-client-runs
         :documentation "Ids of the runs that have not ended, to `rdev-run'.")
   (last :initform nil :accessor rdev-client-last
         :documentation "The `rdev-run' that ended last.")
   (problems :initform (make-hash-table :test #'equal)
             :reader rdev-client-problems
             :documentation "File names to vectors of LSP diagnostics."))
  "A bridge that serves one project.")

(cl-defgeneric rdev-client-handle (client method params)
  "Take in the notification METHOD with PARAMS from CLIENT's bridge.
A run's life is told by `rdev/runStarted', `rdev/output', `rdev/outputGap' and
`rdev/runFinished'; docs/protocol.md has them all."
  (ignore client method params))

(defvar rdev-client-gone-functions nil
  "Hook for when a bridge has ended, with its client as argument.")

(defvar rdev-client--all (make-hash-table :test #'equal)
  "Project folders to their clients.")


;;;; Which project

(defun rdev-client-root-here ()
  "The folder whose tasks are meant in this buffer, or nil on another machine.
The nearest folder upward with an rdev.toml, else the project's."
  (unless (file-remote-p default-directory)
    (file-name-as-directory
     (expand-file-name
      (or (locate-dominating-file default-directory "rdev.toml")
          (when-let* ((project (project-current))) (project-root project))
          default-directory)))))

(defun rdev-client-live (root)
  "The client of the folder ROOT, or nil where its bridge does not run."
  (when-let* ((client (gethash root rdev-client--all)))
    (and (jsonrpc-running-p client) client)))

(defun rdev-client-here ()
  "Return the client of this buffer's project; start its bridge if need be."
  (let ((root (or (rdev-client-root-here)
                  (user-error "This buffer is on another machine; rdev-bridge \
runs where the files are: start it in an Emacs there"))))
    (or (rdev-client-live root) (rdev-client-start root))))

(defun rdev-client-each (function)
  "Call FUNCTION on each live client."
  (maphash (lambda (_root client)
             (when (jsonrpc-running-p client) (funcall function client)))
           rdev-client--all))

(defun rdev-client-short-name (client)
  "Return the name of CLIENT's project for a person."
  (file-name-nondirectory (directory-file-name (rdev-client-root client))))


;;;; Its life

(defun rdev-client-start (root)
  "Start a bridge for the folder ROOT and say hello; return without waiting."
  (unless (executable-find (car rdev-command))
    (user-error "%s is not installed; install rdev-bridge, or set `rdev-command'"
                (car rdev-command)))
  (let* ((name (format "rdev %s" (abbreviate-file-name root)))
         (client
          (apply #'make-instance 'rdev-client
                 :name name
                 :root root
                 :process (lambda () (rdev-client--spawn name root))
                 :notification-dispatcher #'rdev-client--notified
                 :request-dispatcher #'rdev-client--requested
                 :on-shutdown #'rdev-client--gone
                 ;; a log of all traffic would hold every flood once more
                 (if (slot-exists-p 'jsonrpc-connection '-events-buffer-config)
                     '(:events-buffer-config (:size 0 :format full))
                   '(:events-buffer-scrollback-size 0)))))
    (puthash root client rdev-client--all)
    (jsonrpc-async-request
     client :initialize (rdev-client--hello root)
     :timeout rdev-client--patience
     :success-fn (lambda (_) (rdev-client--welcomed client))
     :error-fn (lambda (err)
                 (message "rdev: %s" (plist-get err :message))
                 (delete-process (jsonrpc--process client)))
     :timeout-fn (lambda ()
                   (message "rdev: the bridge does not answer")
                   (delete-process (jsonrpc--process client))))
    client))

(defun rdev-client--spawn (name root)
  "The process of a bridge called NAME for the folder ROOT."
  (let ((default-directory root))
    (make-process :name name :command rdev-command :connection-type 'pipe
                  :coding 'utf-8-emacs-unix :noquery t
                  ;; jsonrpc.el looks for this very name
                  :stderr (get-buffer-create (format "*%s stderr*" name)))))

(defun rdev-client--hello (root)
  "The params of `initialize' for the folder ROOT."
  (let ((uri (rdev-client-file-to-uri root)))
    (list :processId (emacs-pid)
          :clientInfo (list :name "rdev.el" :version emacs-version)
          :rootUri uri
          :workspaceFolders
          (vector (list :uri uri
                        :name (file-name-nondirectory
                               (directory-file-name root))))
          :capabilities
          (list :general '(:positionEncodings ["utf-32" "utf-16"])
                :workspace '(:workspaceFolders t)
                :textDocument (list :synchronization '(:didSave t)
                                    :publishDiagnostics (make-hash-table))
                :experimental '(:rdev (:version 1))))))

(defun rdev-client--welcomed (client)
  "The bridge of CLIENT has said hello; tell it what waited for that."
  (jsonrpc-notify client :initialized (make-hash-table))
  (setf (rdev-client-ready client) t)
  (mapc #'funcall (reverse (rdev-client--waiting client)))
  (setf (rdev-client--waiting client) nil))

(defun rdev-client--gone (client)
  "Forget CLIENT, whose bridge has ended."
  (when (eq (gethash (rdev-client-root client) rdev-client--all) client)
    (remhash (rdev-client-root client) rdev-client--all))
  (run-hook-with-args 'rdev-client-gone-functions client))

(defun rdev-client-stop (client)
  "End CLIENT's bridge as LSP asks, and each run that is not detached."
  (rdev-client-ask client :shutdown nil)
  (jsonrpc-notify client :exit nil)
  (with-timeout (5 (jsonrpc-shutdown client))
    (while (jsonrpc-running-p client)
      (accept-process-output (jsonrpc--process client) 0.1))))


;;;; Its words

(defun rdev-client-ask (client method &optional params)
  "Return CLIENT's answer to METHOD with PARAMS.
A refusal is a `user-error' with the bridge's own words."
  ;; Not `jsonrpc-request': up to Emacs 29 it leaves the process filter by a
  ;; throw, and what came with the answer lies there until more comes.
  (let ((deadline (time-add nil rdev-client--patience))
        answer failure done)
    (rdev-client--when-ready
     client
     (lambda ()
       (jsonrpc-async-request
        client method (or params (make-hash-table))
        :timeout rdev-client--patience
        :success-fn (lambda (result) (setq answer result done t))
        :error-fn (lambda (err)
                    (setq failure (plist-get err :message) done t)))))
    (while (not (or done
                    (not (jsonrpc-running-p client))
                    (time-less-p deadline nil)))
      (accept-process-output (jsonrpc--process client) 0.1))
    (cond ((and done (not failure)) answer)
          (failure (user-error "%s" failure))
          ((jsonrpc-running-p client)
           (user-error "The bridge does not answer"))
          (t (user-error "The bridge has ended; %s has why"
                         (jsonrpc-stderr-buffer client))))))

(defun rdev-client-tell (client method params)
  "Send CLIENT's bridge the notification METHOD with PARAMS."
  (rdev-client--when-ready
   client (lambda () (jsonrpc-notify client method params))))

(defun rdev-client--when-ready (client function)
  "Call FUNCTION once CLIENT's bridge has said hello."
  (if (rdev-client-ready client)
      (funcall function)
    (push function (rdev-client--waiting client))))

(defun rdev-client--notified (client method params)
  "Hand METHOD with PARAMS from CLIENT on, and let no fault stop what follows."
  (with-demoted-errors "rdev: %S"
    (rdev-client-handle client method params)))

(defun rdev-client--requested (_client method _params)
  "Refuse METHOD: hello declared nothing that the bridge would ask for."
  (jsonrpc-error :code -32601 :message (format "Emacs does not know %s" method)))

(cl-defmethod rdev-client-handle (_client (_ (eql 'window/showMessage)) params)
  "Show the message of PARAMS."
  (message "rdev: %s" (plist-get params :message)))

(cl-defmethod rdev-client-handle (_client (_ (eql 'rdev/connection)) params)
  "Say how the connection of PARAMS stands where that is news."
  (when (member (plist-get params :state) '("reconnecting" "resumed" "offline"))
    (message "rdev: %s: %s" (plist-get params :server)
             (or (plist-get params :message) (plist-get params :state)))))

(defun rdev-client-file-to-uri (file)
  "FILE as a file URI."
  (concat "file://"
          (url-hexify-string
           (encode-coding-string (directory-file-name (expand-file-name file))
                                 'utf-8-emacs)
           url-path-allowed-chars)))

(defun rdev-client-uri-to-file (uri)
  "The file name in URI."
  (decode-coding-string (url-unhex-string (string-remove-prefix "file://" uri))
                        'utf-8-emacs))

(provide 'rdev-client)
;;; rdev-client.el ends here
