"""How soon: one line through all of it, and a saved file to the start call."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench.editor import Editor
from bench.peers.noting_server import NotingServer
from bench.report import Goal, Report, percentile, rows, shown
from bench.stage import PEERS, program
from bench.watchman import subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.stage import Bridge, Stage

_TICKS = 400
_CHANGES = 20
_CALM_S = 0.45  # longer than what counts as more of the same


def latency(stage: Stage, rounds: int) -> Report:
    """From a line's print to its arrival."""
    server = stage.workspace_server(stage.bridge)
    command = f"{sys.executable} {PEERS / 'ticker.py'} {_TICKS}"
    found: dict[str, list[float]] = {}
    for _ in range(max(1, rounds // 2)):
        for bridge in stage.bridges:
            stage.workspace_server(bridge)
            argv = bridge.argv("run", "--", *command.split())
            found.setdefault(f"{bridge.name} run", []).extend(_lags(argv, bridge.environ, bridge.workspace))
            found.setdefault(f"{bridge.name} lsp", []).extend(_lags_in_editor(bridge, command))
        aiohttp = [sys.executable, "-u", str(PEERS / "with_aiohttp.py"), *server.words, command]
        found.setdefault("aiohttp", []).extend(_lags(aiohttp, {}, stage.scratch))
        found.setdefault("ssh", []).extend(_lags([*stage.ssh, command], {}, stage.scratch))
    body = [
        [name, *(f"{percentile(lags_s, share) * 1000:.2f} ms" for share in (0.5, 0.9, 0.99))]
        for name, lags_s in found.items()
    ]
    base_s = percentile(found["aiohttp"], 0.5)
    goals = [
        Goal(f"`{way}` over the bare aiohttp client, p50", percentile(found[f"rdev-bridge {way}"], 0.5) / base_s, 2.0)
        for way in ("run", "lsp")
    ]
    note = "A line each 5 ms; from its print in the command to its arrival at who reads the client."
    return Report("One line", note, rows(["", "p50", "p90", "p99"], body), goals)


def _lags(argv: Sequence[str], environ: dict[str, str], folder: Path) -> list[float]:
    lags_s = []
    with subprocess.Popen(argv, env=os.environ | environ, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            now_ns = time.monotonic_ns()
            lags_s.append((now_ns - int(line.split()[-1])) / 1e9)
    if len(lags_s) != _TICKS:
        raise SystemExit(f"{argv[0]}: {len(lags_s)} lines arrived instead of {_TICKS}")
    return lags_s


def _lags_in_editor(bridge: Bridge, command: str) -> list[float]:
    lags_s: list[float] = []
    with Editor(bridge.argv("lsp"), bridge.environ, bridge.workspace) as one:
        one.initialize()
        one.start("rdev/run", {"command": command})
        while len(lags_s) < _TICKS:
            params = one.wait_for("rdev/output")
            now_ns = time.monotonic_ns()
            lags_s += [(now_ns - int(line)) / 1e9 for chunk in params["chunks"] for line in chunk["lines"]]
    return lags_s


def save(stage: Stage, rounds: int) -> Report:
    """From a saved file to the start call, and what tools of the trade need to notice it."""
    times = max(5, min(_CHANGES, rounds * 5))
    found: dict[str, list[float]] = {}
    for bridge in stage.bridges:
        found[f"{bridge.name}, didSave to start call"] = _start_calls(bridge, times, told=True)
        found[f"{bridge.name}, write to start call"] = _start_calls(bridge, times, told=False)
    watched = stage.scratch / "watched"
    watched.mkdir()
    file = watched / "a.txt"
    file.write_text("0")
    found["inotifywait, write to its line"] = _reports(
        [program("inotifywait"), "-m", "-q", "-e", "close_write", str(watched)], file, times
    )
    with subscription(stage.scratch / "watchman", watched) as next_change:
        found["watchman, write to its message"] = _noticed(file, times, next_change)
    found["entr, write to its command"] = _reports(
        [program("entr"), "-n", "-p", "echo", "changed"], file, times, stdin=f"{file}\n".encode()
    )
    body = [[name, *(shown(percentile(all_s, share), "ms") for share in (0.5, 0.9))] for name, all_s in found.items()]
    p50 = {name: percentile(all_s, 0.5) * 1000 for name, all_s in found.items()}
    return Report(
        "A saved file to the start call",
        "A daemon with a task that watches; each change comes after a calm. The others only notice the write.",
        rows(["", "p50", "p90"], body),
        [
            Goal("didSave to the start call, p50", p50["rdev-bridge, didSave to start call"], 10.0, "ms"),
            Goal("file write to the start call, p50", p50["rdev-bridge, write to start call"], 30.0, "ms"),
        ],
    )


def _start_calls(bridge: Bridge, times: int, *, told: bool) -> list[float]:
    folder = bridge.workspace.parent / ("told" if told else "seen")
    folder.mkdir()
    file = folder / "a.txt"
    file.write_text("0")
    (folder / "rdev.toml").write_text('[tasks.check]\ncommand = "true"\nwatch = ["*.txt"]\n')
    took_s = []
    with ExitStack() as stack:
        server = stack.enter_context(NotingServer())
        environ = bridge.environ | server.environ
        one = stack.enter_context(Editor(bridge.argv("lsp"), environ, folder))
        one.initialize()
        one.call("rdev/watch", {"task": "check", "enabled": True})
        threading.Thread(target=_read_on, args=(one,), daemon=True).start()
        for number in range(times + 2):
            time.sleep(_CALM_S)
            if told:
                file.write_text(str(number))
                began_ns = time.monotonic_ns()
                one.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
            else:
                began_ns = time.monotonic_ns()
                file.write_text(str(number))
            took_s.append((server.next_start_ns() - began_ns) / 1e9)
    return took_s[2:]  # the first runs import what a run needs


def _read_on(one: Editor) -> None:
    try:
        while True:
            one.read()
    except (SystemExit, ValueError, OSError):
        return


def _reports(argv: list[str], file: Path, times: int, stdin: bytes = b"") -> list[float]:
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(stdin)
        process.stdin.close()
        time.sleep(1.0)  # neither says when it is ready
        try:
            return _noticed(file, times, process.stdout.readline)
        finally:
            process.terminate()


def _noticed(file: Path, times: int, notice: Callable[[], bytes]) -> list[float]:
    took_s = []
    for number in range(times):
        time.sleep(_CALM_S)
        began_s = time.perf_counter()
        file.write_text(str(number))
        if not notice():
            raise SystemExit("a watcher ended early")
        took_s.append(time.perf_counter() - began_s)
    return took_s
