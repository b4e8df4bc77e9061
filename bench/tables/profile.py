"""Where the time goes: samples of py-spy, each given to the innermost stage that it is in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from bench.report import Report, rows
from bench.stage import HOUSE, program

if TYPE_CHECKING:
    from pathlib import Path

    from bench.stage import Stage

LINES = 2_000_000
_SHOWN = 0.01
_WAITING = ("selectors.py", "concurrent/futures/thread.py", "threading.py", "subprocess.py", "editor/life.py")

# Innermost first; the first fragment that a frame's file holds decides.
_STAGES = {
    "server/encode": "make the stored event (server/encode)",
    "server/journal": "write and read the journal (server/journal)",
    "server/": "the rest of the server",
    "remote/bulk": "read the events (remote/bulk, sse)",
    "remote/sse": "read the events (remote/bulk, sse)",
    "remote/rechunk": "join small chunks (remote/rechunk)",
    "runs/log": "keep the run's log (runs/log, records)",
    "runs/records": "keep the run's log (runs/log, records)",
    "model.py": "keep the run's log (runs/log, records)",
    "runs/": "the rest of the run's life (runs/)",
    "cli/outlet": "write to stdout (cli/outlet)",
    "editor/sanitize": "look for control sequences (editor/sanitize)",
    "editor/features/output": "encode JSON-RPC (editor/features/output)",
    "editor/channel": "write to the editor (editor/channel)",
    "problems/": "look for problems (problems/)",
    "remote/": "resume and transport (the rest of remote/)",
    "core/": "resume and transport (the rest of remote/)",
    "h11/": "HTTP: httpx, httpcore, anyio, h11, uvicorn",
    "httpcore/": "HTTP: httpx, httpcore, anyio, h11, uvicorn",
    "httpx/": "HTTP: httpx, httpcore, anyio, h11, uvicorn",
    "anyio/": "HTTP: httpx, httpcore, anyio, h11, uvicorn",
    "uvicorn/": "HTTP: httpx, httpcore, anyio, h11, uvicorn",
    "asyncio/": "the event loop and its sockets",
    "argparse.py": "read the command line",
}


def profile(stage: Stage, rounds: int) -> Report:
    """Shares of the time in which a process works; waiting is not counted."""
    del rounds
    bridge, server = stage.bridge, stage.workspace_server(stage.bridge)
    flushing = stage.flushing_server(LINES // 2)
    command = f"seq 1 {LINES}"
    environ = {**os.environ, **bridge.environ}
    run = bridge.argv("run", "--", "seq", "1", str(LINES))
    reader = [sys.executable, "-m", "bench.peers.lsp_reader", str(LINES), command, *bridge.argv("lsp")]
    flushed = bridge.argv("run", "--", "anything")
    path = {"PYTHONPATH": f"{bridge.source}:{HOUSE}"}
    scratch = stage.scratch
    shares = {
        "`run`": _record(scratch, run, environ, bridge.workspace),
        "`run -- true`": _record(scratch, bridge.argv("run", "--", "true"), environ, bridge.workspace),
        "`run`, one chunk an event": _record(scratch, flushed, environ | flushing.environ, bridge.workspace),
        "the daemon": _record(scratch, reader, environ | path, bridge.workspace, of_child=True),
        "the server, to a bridge": _watch(scratch, server.pid, run, environ, bridge.workspace),
        "the server, line by line": _watch(
            scratch,
            server.pid,
            ["sh", str(HOUSE / "bench/peers/with_curl.sh"), *server.words, command],
            environ,
            bridge.workspace,
        ),
    }
    body = []
    for what, counted in shares.items():
        total = sum(counted.values())
        parts = [f"{name} {count / total:.0%}" for name, count in counted.most_common() if count / total >= _SHOWN]
        body.append([what, ", ".join(parts)])
    return Report(
        "Where the time goes",
        f"`{command}` (half of it where each event is a chunk), samples of py-spy; waiting is not counted.",
        rows(["", "shares"], body),
        [],
    )


def _record(
    scratch: Path, argv: list[str], environ: dict[str, str], folder: Path, *, of_child: bool = False
) -> Counter[str]:
    """Profile a command from its start, or with `of_child` the process that it starts."""
    file = scratch / "samples"
    words = [program("py-spy"), "record", "-r", "500", "-f", "raw", "-o", str(file), "--subprocesses"]
    subprocess.run(
        [*words, "--", *argv], env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    return _stages(file, of_child=of_child)


def _watch(scratch: Path, pid: int, argv: list[str], environ: dict[str, str], folder: Path) -> Counter[str]:
    """Profile a process that runs already, while `argv` does."""
    file = scratch / "samples"
    words = [program("py-spy"), "record", "-r", "500", "-f", "raw", "-o", str(file), "--pid", str(pid)]
    with subprocess.Popen(
        [*words, "-d", "60"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as spy:
        subprocess.run(argv, env=environ, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        spy.send_signal(signal.SIGINT)
    return _stages(file)


def _stages(file: Path, *, of_child: bool = False) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        processes, frames = _parted(stack.split(";"))
        waits = bool(frames) and any(file in frames[-1] for file in _WAITING)
        if not waits and (len(processes) > 1) == of_child:
            counted[_stage_of(frames)] += int(count)
    return counted


def _parted(stack: list[str]) -> tuple[list[str], list[str]]:
    """The processes, each started by the one before it, and the frames of the last of them."""
    frames = [one for one in stack if not one.startswith("process ")]
    return stack[: len(stack) - len(frames)], frames


def _stage_of(frames: list[str]) -> str:
    if not frames:
        return "start and end of Python"
    if any("<frozen importlib" in frame for frame in frames):
        return "imports"
    for frame in reversed(frames):
        for fragment, name in _STAGES.items():
            if fragment in frame:
                return name
    return "the rest"
