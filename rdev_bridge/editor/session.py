"""What the features share: one editor, one app, and the state between them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rdev_bridge.core.shown import one_line
from rdev_bridge.editor.face import EditorFace
from rdev_bridge.editor.features.conflict import ConflictQuestion
from rdev_bridge.editor.features.diagnostics import DiagnosticsPublisher, problem_to_lsp, settings_diagnostic
from rdev_bridge.editor.features.runs import run_for_editor
from rdev_bridge.editor.features.settings_file import SettingsWatch
from rdev_bridge.editor.features.trust import TrustQuestion
from rdev_bridge.editor.peer import Unanswered
from rdev_bridge.editor.watching import Watching
from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import Disposition, RunRequest
from rdev_bridge.problems.board import MatchedRun, ProblemBoard
from rdev_bridge.runs.spec import cwd_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from rdev_bridge.app import App
    from rdev_bridge.core.paths import PathMap
    from rdev_bridge.editor.channel import Writer
    from rdev_bridge.editor.client import Client
    from rdev_bridge.editor.peer import Peer
    from rdev_bridge.errors import SettingsError
    from rdev_bridge.model import ConflictPolicy, DiagnosticCounts, Run, Task
    from rdev_bridge.problems.standing import PlacedProblem
    from rdev_bridge.runs.observer import RunObserver
    from rdev_bridge.runs.runner import Submission
    from rdev_bridge.watch.notice import WatchNotice

_SETTINGS = "settings"
_REQUESTS_KEPT = 200
_WARNING = 2  # MessageType


class Session:
    """One conversation, from `initialize` to its end."""

    app: App

    def __init__(self, peer: Peer, writer: Writer, client: Client, folders: Sequence[Path]) -> None:
        self.peer, self.client = peer, client
        self._settings = SettingsWatch(folders, self.reload)  # before they are read: no change falls between
        self.face = EditorFace(peer, writer, client, self.refresh_lenses)
        self.trust = TrustQuestion(
            peer,
            client,
            review=lambda folder: self.app.trust_review(folder),
            grant=self.grant_trust,
            granted=lambda folder, paths: self.watching.made_up_for(folder, paths),
        )
        self.face.ended = ConflictQuestion(peer, client, self._run_after_conflict).finished
        self.watching = Watching(
            submit=self.submit,
            is_trusted=self.is_trusted,
            notice=self._notice,
            stale=self._overtaken,
            untrusted=self.trust.ask_once,
            changed=lambda folder, paths: self.app.changed(folder, paths),
            look=self.look,
        )
        self.diagnostics = DiagnosticsPublisher(peer)
        self.open_files: set[Path] = set()
        self.board = ProblemBoard(self._publish, self._reading_of, self._note, self.open_files.__contains__)
        self._requests: dict[str, RunRequest] = {}
        self._refreshing = self._refresh_again = False

    async def opened(self, app: App) -> None:
        """The app stands; requests may come."""
        self.app = app
        app.vouched_for = self.client.trusted
        self.face.mark_of = app.runner.mark_of
        await self._watching_may_fail(self.watching.set_tasks(self.app.tasks()))

    @property
    def observers(self) -> list[RunObserver]:
        """Who hears of runs, in this order: the faces are told of a run with what the board found in it."""
        return [self.board, self.watching, self.face]

    async def close(self) -> None:
        """Watch and publish nothing more."""
        await self.watching.close()
        await self.board.aclose()

    # ── settings ──

    def initialized(self, _: None) -> None:
        """From here on the client takes requests."""
        self._show_settings_errors()
        self.peer.spawn(self._settings.poll())
        if self.client.watches_files:
            self.peer.spawn(self._register_file_watch())

    async def _register_file_watch(self) -> None:
        options = {"watchers": [{"globPattern": "**/rdev.toml"}]}
        wanted = {"id": "rdev-settings", "method": "workspace/didChangeWatchedFiles", "registerOptions": options}
        with suppress(Unanswered):  # then looking is enough
            await self.peer.ask("client/registerCapability", {"registrations": [wanted]})

    def reload(self) -> None:
        """Read every file again; where one is wrong its last good tasks stay, and it says what is wrong."""
        self.app.reload()
        self._show_settings_errors()
        self.board.retain({(task.folder, task.name) for task in self.app.tasks() if task.problem_matcher})
        self.watching.take_tasks(self.app.tasks())
        self.peer.spawn(self._watching_may_fail(self.watching.apply()))
        self.tasks_changed()

    def look(self) -> None:
        """Read the settings again if they changed: nobody need have told of it yet."""
        self._settings.check()

    def tasks_changed(self) -> None:
        """Tell the editor that what it knows of the tasks is old."""
        if self.client.rdev:
            self.peer.notify("rdev/tasksChanged", {})
        self.refresh_lenses()

    def _show_settings_errors(self) -> None:
        wrong: dict[Path, list[SettingsError]] = {path: [] for path in self.diagnostics.files_of(_SETTINGS)}
        for path, error in self.app.settings_errors().items():
            wrong.setdefault(path, []).append(error)
        for error in self.app.reference_errors():
            if error.path is not None and error.path not in self.app.settings_errors():
                wrong.setdefault(error.path, []).append(error)
        for path, errors in wrong.items():
            self.diagnostics.set(_SETTINGS, path, [settings_diagnostic(error) for error in errors])

    async def change_folders(self, added: Sequence[Path], removed: Sequence[Path]) -> None:
        """`workspace/didChangeWorkspaceFolders`."""
        kept = [folder for folder in self.app.folders if folder not in removed]
        await self.app.set_folders([*kept, *(folder for folder in added if folder not in kept)])
        self._settings.set_folders(self.app.folders)
        self.reload()

    def file_changed(self, path: Path) -> None:
        """A file that the client watches for us."""
        if path.name == "rdev.toml":
            self._settings.check()

    # ── problems ──

    def _publish(self, path: Path, problems: Sequence[PlacedProblem]) -> None:
        self.diagnostics.set("problems", path, [problem_to_lsp(placed, self.client) for placed in problems])

    def _reading_of(self, run: Run) -> MatchedRun | None:
        task = self._wish_behind(run).task
        return MatchedRun(task.problem_matcher, *self.places_of(run)) if task and task.problem_matcher else None

    def places_of(self, run: Run) -> tuple[PathMap, str | None]:
        """How paths in the run's output are read: the path map, and what relative ones count from."""
        request = self._wish_behind(run)
        target = self.app.target_of(request)
        paths = self.app.paths_of(request, target)
        return paths, cwd_of(request, target, paths)

    def _wish_behind(self, run: Run) -> RunRequest:
        """What was asked for; for a run of another bridge, its task as it is now, or its command."""
        task = self._task_of(run)
        guessed = RunRequest(folder=run.folder, task=task, command=None if task else run.command)
        return self._requests.get(run.run_id, guessed)

    def _task_of(self, run: Run) -> Task | None:
        return next((task for task in self.app.tasks() if (task.folder, task.name) == (run.folder, run.task)), None)

    def _note(self, run_id: str, counts: DiagnosticCounts) -> None:
        self.app.runner.note_diagnostics(run_id, counts)

    def document(self, path: Path, is_open: bool) -> None:
        """A document was opened or closed: some problems stand on one or the other kind alone."""
        if is_open:
            self.open_files.add(path)
        else:
            self.open_files.discard(path)
        self.board.refresh(path)
        self.diagnostics.again(path)

    # ── watch and trust ──

    def saved(self, path: Path) -> None:
        """`textDocument/didSave`: the quickest word of a change there is."""
        self.file_changed(path)
        self.watching.saved(path)

    async def _watching_may_fail(self, change: Awaitable[None]) -> None:
        """Where nobody asked for it by a task's name, word of it is enough."""
        try:
            await change
        except (RdevError, UsageError) as error:
            self._warn(f"Watching failed: {error}")

    async def watch(self, task: Task, enabled: bool) -> bool:
        """`rdev/watch`. Raises UsageError for patterns, RdevError for a folder that cannot be watched."""
        watching = await self.watching.switch(task, enabled)
        self.tasks_changed()
        return watching

    def is_trusted(self, folder: Path) -> bool:
        """Whether the editor vouches for the workspace, or its user trusted it as it is now."""
        return self.app.is_trusted(folder)

    async def grant_trust(self, folder: Path) -> bool:
        """`rdev/trust`."""
        self.app.trust(folder)
        self.look()  # the editor is told as when a terminal grants it, and once
        await self._watching_may_fail(self.watching.apply())
        return self.is_trusted(folder)

    async def vouch(self) -> bool:
        """The editor's own trust was granted while the session runs."""
        self.app.vouched_for = True
        await self._watching_may_fail(self.watching.apply())
        self.tasks_changed()
        return True

    def _overtaken(self, run_id: str) -> None:
        """A file of the run's task changed after it began: what it says is about yesterday's files."""
        run = self.app.runner.mark_stale(run_id)
        if run is not None and self.client.rdev:
            self.peer.notify("rdev/runStale", {"run": run_for_editor(run)})

    def _notice(self, notice: WatchNotice) -> None:
        self._warn(notice.message)
        if notice.advice:  # a message is one short line, since some editors stop for more than one
            self.peer.notify("window/logMessage", {"type": _WARNING, "message": one_line(notice.in_full)})

    def _warn(self, text: str) -> None:
        self.peer.notify("window/showMessage", {"type": _WARNING, "message": one_line(text)})

    # ── runs ──

    def runs(self) -> list[Run]:
        """All that are known, newest first."""
        return self.app.runner.runs()

    def submit(self, request: RunRequest) -> Submission:
        """Hand a wish to the runner, and keep it for `rdev.rerun`."""
        submission = self.app.runner.submit(request)
        if submission.disposition is Disposition.IGNORED:  # what is named then is another wish's run
            return submission
        self._requests[submission.run_id] = request
        if len(self._requests) > _REQUESTS_KEPT:
            del self._requests[next(iter(self._requests))]
        return submission

    def _run_after_conflict(self, run: Run, policy: ConflictPolicy) -> None:
        request = self._requests.get(run.run_id)
        if request is not None:
            self.submit(replace(request, sync_conflict=policy))

    def request_of(self, run: Run) -> RunRequest | None:
        """What this editor asked for, if the run was its wish."""
        return self._requests.get(run.run_id)

    def cancel(self, run_id: str) -> bool:
        """Ask for the run's end; the editor sees at once that it was asked for. False where it is over or unknown."""
        accepted = self.app.runner.cancel(run_id)
        if accepted:
            self.face.progress.cancelling(run_id)
        return accepted

    # ── lenses ──

    def refresh_lenses(self) -> None:
        """Ask the client to ask again; one request at a time, however often things change."""
        if not self.client.lens_refresh:
            return
        if self._refreshing:
            self._refresh_again = True
            return
        self._refreshing = True
        self.peer.spawn(self._refresh())

    async def _refresh(self) -> None:
        try:
            await self.peer.ask("workspace/codeLens/refresh", None)
        except Unanswered:
            self._refresh_again = False
        self._refreshing = False
        if self._refresh_again:
            self._refresh_again = False
            self.refresh_lenses()
