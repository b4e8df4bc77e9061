"""Every request and notification that the daemon serves: one short handler each, over the features' pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rdev_bridge.editor.client import path_from_uri
from rdev_bridge.editor.features import code_action, code_lens, execute_command, resolve_path, show_output
from rdev_bridge.editor.features.output import clean_chunks
from rdev_bridge.editor.features.run import RunParams, folder_from, request_again, request_from
from rdev_bridge.editor.features.runs import (
    READ_LIMIT,
    AttachParams,
    ReadOutputParams,
    RunIdParams,
    find_run,
    newest_asked_for,
    run_for_editor,
)
from rdev_bridge.editor.features.tasks import TaskIndex
from rdev_bridge.editor.peer import Method, NoParams
from rdev_bridge.errors import UsageError
from rdev_bridge.model import RunRequest, RunState
from rdev_bridge.wire import task_to_wire

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.editor.session import Session


class WatchParams(msgspec.Struct):
    """`{task, enabled}`; the command `rdev.watch` may leave `enabled` out to switch."""

    task: str
    enabled: bool | None = None


class TrustParams(msgspec.Struct):
    """`{folder}`; the command `rdev.trust` may leave it out where one folder is open.

    `{editor: true}`: the editor vouches for the workspace from now on, as with `initializationOptions.rdev.trusted`.
    """

    folder: str | None = None
    editor: bool = False


class OptionalRun(msgspec.Struct, rename="camel"):
    """The argument of `rdev.cancel`."""

    run_id: str | None = None


class RerunParams(msgspec.Struct, rename="camel"):
    """The argument of `rdev.rerun`; `task` is what runs where the run is no longer known."""

    run_id: str | None = None
    task: str | None = None


class Document(msgspec.Struct):
    """`TextDocumentIdentifier`."""

    uri: str


class DocumentParams(msgspec.Struct, rename="camel"):
    """What `textDocument/codeLens` and the document notifications have in common."""

    text_document: Document


class FolderChange(msgspec.Struct):
    """`WorkspaceFoldersChangeEvent`."""

    added: list[Document] = []
    removed: list[Document] = []


class FoldersParams(msgspec.Struct):
    """`DidChangeWorkspaceFoldersParams`."""

    event: FolderChange


class FileEvent(msgspec.Struct):
    """`FileEvent`."""

    uri: str
    type: int


class FilesParams(msgspec.Struct):
    """`DidChangeWatchedFilesParams`."""

    changes: list[FileEvent]


class TokenParams(msgspec.Struct):
    """`WorkDoneProgressCancelParams`."""

    token: str | int


class Surface:
    """The handlers of one session. Sync ones answer before anything that they set off is sent."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def requests(self) -> dict[str, Method]:
        """By method name (contract, section 4)."""
        return {
            "rdev/tasks": Method(NoParams, self._tasks),
            "rdev/run": Method(RunParams, self._run),
            "rdev/cancel": Method(RunIdParams, self._cancel),
            "rdev/runs": Method(NoParams, self._runs),
            "rdev/readOutput": Method(ReadOutputParams, self._read_output),
            "rdev/attach": Method(AttachParams, self._attach),
            "rdev/resolvePath": Method(resolve_path.ResolvePathParams, self._resolve_path),
            "rdev/watch": Method(WatchParams, self._watch),
            "rdev/trust": Method(TrustParams, self._trust),
            "workspace/executeCommand": Method(execute_command.ExecuteCommandParams, self._execute),
            "textDocument/codeLens": Method(DocumentParams, self._code_lens),
            "textDocument/codeAction": Method(code_action.CodeActionParams, self._code_action),
        }

    def notifications(self) -> dict[str, Method]:
        """By method name."""
        return {
            "initialized": Method(NoParams, self._session.initialized),
            "textDocument/didOpen": Method(DocumentParams, lambda params: self._document(params, is_open=True)),
            "textDocument/didClose": Method(DocumentParams, lambda params: self._document(params, is_open=False)),
            "textDocument/didSave": Method(DocumentParams, self._saved),
            "workspace/didChangeWorkspaceFolders": Method(FoldersParams, self._folders_changed),
            "workspace/didChangeWatchedFiles": Method(FilesParams, self._files_changed),
            "window/workDoneProgress/cancel": Method(TokenParams, self._progress_cancelled),
        }

    # ── tasks and runs ──

    def _tasks(self, _: None) -> dict[str, Any]:
        session = self._session
        return {
            "tasks": [
                task_to_wire(
                    task,
                    task_id=task_id,
                    watching=session.watching.is_on(task),
                    trusted=session.is_trusted(task.folder),
                )
                for task_id, task in self._index().tasks.items()
            ]
        }

    def _index(self) -> TaskIndex:
        self._session.look()
        return TaskIndex(self._session.app.tasks())

    def _run(self, params: RunParams) -> dict[str, Any]:
        return self._submit(request_from(params, self._index(), self._session.app.folders))

    def _submit(self, request: RunRequest) -> dict[str, Any]:
        submission = self._session.submit(request)
        return {"runId": submission.run_id, "disposition": submission.disposition.value}

    def _rerun(self, params: RerunParams) -> dict[str, Any]:
        runs = self._session.runs()
        if params.run_id is None:
            run = newest_asked_for(runs)
        else:
            run = next((run for run in runs if run.run_id == params.run_id), None)
        if run is not None:
            return self._submit(request_again(run, self._session.request_of(run), self._index()))
        if params.task is not None:
            return self._run(RunParams(task=params.task))
        raise UsageError("nothing has run yet" if params.run_id is None else f"there is no run {params.run_id!r}")

    def _cancel(self, params: RunIdParams) -> dict[str, Any]:
        accepted = self._session.cancel(params.run_id)
        if not accepted:
            find_run(params.run_id, self._session.runs())
        return {"accepted": accepted}

    def _cancel_some(self, params: OptionalRun) -> dict[str, Any]:
        if params.run_id is not None:
            return self._cancel(RunIdParams(params.run_id))
        accepted = [self._session.cancel(run_id) for run_id in self._session.face.own_runs()]
        return {"accepted": any(accepted)}

    def _runs(self, _: None) -> dict[str, Any]:
        return {"runs": [run_for_editor(run) for run in self._session.runs()]}

    async def _read_output(self, params: ReadOutputParams) -> dict[str, Any]:
        run = find_run(params.run_id, self._session.runs())
        read = await self._session.app.read_output(run.run_id, params.seq, min(params.limit, READ_LIMIT))
        chunks = list(clean_chunks(read.chunks))
        next_seq = read.seq + sum(len(chunk.lines) for chunk in chunks)
        return {"seq": read.seq, "chunks": chunks, "nextSeq": next_seq, "finished": run.state is RunState.FINISHED}

    async def _attach(self, params: AttachParams) -> dict[str, Any]:
        find_run(params.run_id, self._session.runs())
        attached = await self._session.app.runner.attach(params.run_id, params.seq)
        return {"run": run_for_editor(attached.run), "seq": attached.seq}

    async def _resolve_path(self, params: resolve_path.ResolvePathParams) -> dict[str, str | None]:
        run = find_run(params.run_id, self._session.runs())
        return await resolve_path.resolve(params.path, *self._session.places_of(run))

    # ── watch and trust ──

    async def _watch(self, params: WatchParams) -> dict[str, Any]:
        task = self._index().find(params.task)
        enabled = not self._session.watching.is_on(task) if params.enabled is None else params.enabled
        return {"watching": await self._session.watch(task, enabled)}

    async def _trust(self, params: TrustParams) -> dict[str, Any]:
        if params.editor:
            return {"trusted": await self._session.vouch()}
        folders = self._session.app.folders
        if params.folder is None and len(folders) > 1:
            raise UsageError(f"which folder? Open are {', '.join(map(str, folders))}")
        folder = folders[0] if params.folder is None else folder_from(params.folder, folders)
        return {"trusted": await self._session.grant_trust(folder)}

    # ── LSP ──

    def _execute(self, params: execute_command.ExecuteCommandParams) -> Any:
        method, given = execute_command.request_of(params)
        commands = self.requests() | {
            "rdev/cancel": Method(OptionalRun, self._cancel_some),
            "rdev/rerun": Method(RerunParams, self._rerun),
            "rdev/showOutput": Method(show_output.ShowOutputParams, self._show_output),
        }
        known = commands[method]
        try:
            typed = None if known.params is NoParams else msgspec.convert(given, known.params)
        except msgspec.ValidationError as error:
            raise UsageError(f"bad arguments of {params.command}: {str(error).replace('`$.', '`')}") from None
        return known.handle(typed)

    def _show_output(self, params: show_output.ShowOutputParams) -> None:
        session = self._session
        run = show_output.choose(params, session.runs(), self._index().tasks)
        show_output.show(run, session.peer, session.client)

    def _code_lens(self, params: DocumentParams) -> list[dict[str, Any]]:
        path = path_from_uri(params.text_document.uri)
        if path is None:
            return []
        tasks = self._index().tasks
        watched = {task_id for task_id, task in tasks.items() if self._session.watching.is_on(task)}
        return code_lens.lenses(path, tasks, watched, self._session.runs())

    def _code_action(self, params: code_action.CodeActionParams) -> list[dict[str, Any]]:
        session = self._session
        return code_action.actions(params, self._index().tasks, session.runs(), session.client.code_action_literals)

    def _document(self, params: DocumentParams, is_open: bool) -> None:
        path = path_from_uri(params.text_document.uri)
        if path is not None:
            self._session.document(path, is_open)

    def _saved(self, params: DocumentParams) -> None:
        path = path_from_uri(params.text_document.uri)
        if path is not None:
            self._session.saved(path)

    def _folders_changed(self, params: FoldersParams) -> Any:
        def paths(documents: list[Document]) -> list[Path]:
            return [path for document in documents if (path := path_from_uri(document.uri)) is not None]

        return self._session.change_folders(paths(params.event.added), paths(params.event.removed))

    def _files_changed(self, params: FilesParams) -> None:
        for change in params.changes:
            path = path_from_uri(change.uri)
            if path is not None:
                self._session.file_changed(path)

    def _progress_cancelled(self, params: TokenParams) -> None:
        run_id = self._session.face.progress.run_of(params.token)
        if run_id is not None:
            self._session.cancel(run_id)
