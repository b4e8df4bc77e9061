"""An editor that follows many runs at once and judges each by what its command is known to have said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.soak.figures import Figures, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.editor.editor import Editor

Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Expected:
    """What a command says, as (stream, line), and how it ends. `in_order`: over both streams, not only within each.

    `may_be_lost`: its server is killed meanwhile, and then what arrived is a beginning of it.
    """

    lines: Sequence[tuple[str, str]]
    exit_code: int = 0
    in_order: bool = False
    may_be_lost: bool = False

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

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.figures = Figures()
        self.following: dict[str, Following] = {}

    def start(self, params: dict[str, Any], expected: Expected) -> str:
        """Ask for a run; its id."""
        run_id: str = self.editor.call("rdev/run", params)["runId"]
        self.following[run_id] = Following(expected)
        return run_id

    def attach(self, run_id: str, following: Following) -> None:
        """Go on with a run that another reader left."""
        self.following[run_id] = following
        attached = self.editor.call("rdev/attach", {"runId": run_id, "seq": following.seq})
        if attached["seq"] != following.seq:
            self.figures.told.append(f"{run_id}: attached at {attached['seq']} instead of {following.seq}")

    def take(self) -> str | None:
        """Take the next message; the id of the run that it ended, if it did."""
        message = self.editor.take(lambda _: True)
        params = message.get("params") or {}
        match message.get("method"):
            case "rdev/runStarted":
                self.following[params["run"]["runId"]].started += 1
            case "rdev/output":
                self._output(params)
            case "rdev/outputGap":
                self.figures.told.append(f"a gap: {params}")
            case "rdev/connection":
                self.figures.ends[f"connection {params['state']}"] += 1
            case "rdev/runFinished":
                return self._finished(params["run"])
        return None

    def _output(self, params: dict[str, Any]) -> None:
        following = self.following[params["runId"]]
        if params["seq"] != following.seq:
            self.figures.told.append(f"{params['runId']}: at {params['seq']} instead of {following.seq}")
        for chunk in params["chunks"]:
            following.arrived += [(chunk["stream"], line) for line in chunk["lines"]]
            following.seq += len(chunk["lines"])

    def _finished(self, run: dict[str, Any]) -> str:
        run_id: str = run["runId"]
        following = self.following.pop(run_id, None)
        figures = self.figures
        if following is None:
            figures.wrong_end(f"{run_id} ended twice")
            return run_id
        expected, arrived = following.expected, following.arrived
        figures.runs += 1
        figures.lines += len(arrived)
        figures.ends[run["outcome"]] += 1
        ended = (run["outcome"], run.get("exitCode"))
        if ended == ("lost", None) and expected.may_be_lost:
            expected = _beginning(expected, arrived)
        elif ended != ("failed" if expected.exit_code else "succeeded", expected.exit_code):
            figures.wrong_end(f"{run_id} ended as {ended}: {run.get('message')}")
        if following.started != 1 or run["lines"] != len(arrived):
            figures.wrong_end(f"{run_id}: {following.started} starts, {run['lines']} of {len(arrived)} lines told")
        if expected.in_order:
            figures.judged(judge(_flat(expected.lines), _flat(arrived)), run_id)
        else:
            for stream in ("stdout", "stderr"):
                came = [line for name, line in arrived if name == stream]
                figures.judged(judge(expected.of(stream), came), f"{run_id} {stream}")
        return run_id


def _flat(lines: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{stream}:{line}" for stream, line in lines]


def _beginning(expected: Expected, arrived: Lines) -> Expected:
    """As much of `expected` as came, in each stream."""
    kept: list[tuple[str, str]] = []
    for stream in ("stdout", "stderr"):
        count = sum(name == stream for name, _ in arrived)
        kept += [(stream, line) for line in expected.of(stream)[:count]]
    return Expected(kept, expected.exit_code, may_be_lost=True)
