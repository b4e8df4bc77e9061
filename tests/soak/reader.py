"""An editor that follows many runs at once and judges each by what its command is known to have said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.editor.editor import Refused
from tests.soak.figures import Figures, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.editor.editor import Editor

PATIENCE_S = 120.0
Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Expected:
    """What a command says, as (stream, line), and how it ends. `in_order`: over both streams, not only within each.

    `excuses` are the other outcomes that what is done to the run allows; what arrived is a beginning of it then.
    """

    lines: Sequence[tuple[str, str]]
    exit_code: int = 0
    in_order: bool = False
    excuses: frozenset[str] = frozenset()

    def of(self, stream: str) -> list[str]:
        """The lines of one stream."""
        return [line for name, line in self.lines if name == stream]


@dataclass
class Following:
    """A run under way, and what of it has arrived."""

    expected: Expected
    arrived: Lines = field(default_factory=list)
    seq: int = 0
    started: int = 0


class Reader:
    """Starts runs over one editor and takes its messages. `figures` holds what was found."""

    def __init__(self, editor: Editor, ended: Callable[[str, dict[str, Any]], None] = lambda run_id, run: None) -> None:
        self.editor = editor
        self.figures = Figures()
        self.following: dict[str, Following] = {}
        self._ended = ended

    def start(self, params: dict[str, Any], expected: Expected) -> str:
        """Ask for a run; its id."""
        run_id: str = self.editor.call("rdev/run", params)["runId"]
        self.following[run_id] = Following(expected)
        return run_id

    def take(self) -> None:
        """Take the next message. A bridge that waits for its server says nothing for half a minute at most."""
        self.took(self.editor.take(lambda _: True, PATIENCE_S))

    def took(self, message: dict[str, Any]) -> None:
        """Note what `message` says."""
        params = message.get("params") or {}
        match message.get("method"):
            case "rdev/runStarted":
                self.following[params["run"]["runId"]].started += 1
            case "rdev/output":
                self._output(params)
            case "rdev/outputGap":
                self.figures.told.append(f"a gap: {params}")
            case "rdev/runFinished":
                self._finished(params["run"])

    def left_by_its_daemon(self, editor: Editor) -> None:
        """The daemon was killed: read what is left in its pipe, and go on over `editor` with every run."""
        for message in self.editor.rest():
            self.took(message)
        self.editor = editor
        for run_id, following in list(self.following.items()):
            following.started = 0
            try:
                attached = editor.call("rdev/attach", {"runId": run_id, "seq": following.seq})
            except Refused as refused:
                del self.following[run_id]
                if following.seq:
                    self.figures.wrong_end(f"{run_id} cannot be attached to: {refused}")
                continue
            if attached["seq"] != following.seq:
                self.figures.told.append(f"{run_id}: attached at {attached['seq']} instead of {following.seq}")

    def _output(self, params: dict[str, Any]) -> None:
        following = self.following[params["runId"]]
        if params["seq"] != following.seq:
            self.figures.told.append(f"{params['runId']}: at {params['seq']} instead of {following.seq}")
        for chunk in params["chunks"]:
            following.arrived += [(chunk["stream"], line) for line in chunk["lines"]]
            following.seq += len(chunk["lines"])

    def _finished(self, run: dict[str, Any]) -> None:
        run_id: str = run["runId"]
        following = self.following.pop(run_id, None)
        figures = self.figures
        if following is None:
            figures.wrong_end(f"{run_id} ended twice")
            return
        expected, arrived = following.expected, following.arrived
        figures.runs += 1
        figures.lines += len(arrived)
        figures.ends[run["outcome"]] += 1
        outcome, exit_code = run["outcome"], run.get("exitCode")
        if outcome in expected.excuses and exit_code is None:
            expected = _beginning(expected, arrived)
        elif (outcome, exit_code) != ("failed" if expected.exit_code else "succeeded", expected.exit_code):
            figures.wrong_end(f"{run_id} ended as {outcome}, {exit_code}: {run.get('message')}")
        if following.started != 1 or run["lines"] != len(arrived):
            figures.wrong_end(f"{run_id}: {following.started} starts; {run['lines']} lines told, {len(arrived)} came")
        if expected.in_order:
            figures.judged(judge(_flat(expected.lines), _flat(arrived)), run_id)
        else:
            for stream in ("stdout", "stderr"):
                came = [line for name, line in arrived if name == stream]
                figures.judged(judge(expected.of(stream), came), f"{run_id} {stream}")
        self._ended(run_id, run)


def _flat(lines: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{stream}:{line}" for stream, line in lines]


def _beginning(expected: Expected, arrived: Lines) -> Expected:
    """As much of `expected` as came, in each stream; the last line may have been broken off."""
    kept: list[tuple[str, str]] = []
    for stream in ("stdout", "stderr"):
        came = [line for name, line in arrived if name == stream]
        said = expected.of(stream)[: len(came)]
        if said and said[-1].startswith(came[-1]):
            said[-1] = came[-1]
        kept += [(stream, line) for line in said]
    return Expected(kept, expected.exit_code)
