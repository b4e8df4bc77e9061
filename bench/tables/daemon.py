"""The daemon and an editor that reads, does not read, or asks in the middle of a flood."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from bench.contest import Contestant, compete
from bench.editor import Editor
from bench.memory import forget_peak, peak_kb, resident_kb
from bench.report import Goal, Report, median_of, percentile, race, rows, shown
from bench.stage import PEERS, wait_until

if TYPE_CHECKING:
    from bench.stage import Bridge, Server, Stage

LINES = 100_000
_MB = 1024.0
_FLOODS = 10


def editor(stage: Stage, rounds: int) -> Report:
    """The daemon to a client that parses every frame."""
    flushing = stage.flushing_server(LINES)
    contestants = []
    for kind, server in (("own stream", stage.workspace_server(stage.bridge)), ("one chunk an event", flushing)):
        for bridge in stage.bridges:
            own = server if server is flushing else stage.workspace_server(bridge)
            environ = bridge.environ | (flushing.environ if server is flushing else {})
            argv = bridge.argv("lsp")
            contestants.append(_reading(f"{bridge.name}, {kind}", argv, environ, own, bridge))
        argv = [sys.executable, str(PEERS / "obvious_daemon.py")]
        contestants.append(_reading(f"obvious design, {kind}", argv, server.environ, server, stage.bridge, every=3))
    compete(contestants, rounds)
    ratios = {
        kind: median_of(contestants, f"obvious design, {kind}") / median_of(contestants, f"rdev-bridge, {kind}")
        for kind in ("own stream", "one chunk an event")
    }
    return Report(
        "Lines to an editor",
        f"{LINES:,} lines from `rdev/run` to `rdev/runFinished`, at a client that parses every frame.",
        race(contestants, "rdev-bridge, own stream"),
        [Goal(f"against the obvious design, {kind}", ratio, 15.0, at_least=True) for kind, ratio in ratios.items()],
    )


def _reading(
    name: str, argv: list[str], environ: dict[str, str], server: Server, bridge: Bridge, every: int = 1
) -> Contestant:
    words = [sys.executable, "-m", "bench.peers.lsp_reader", str(LINES), f"seq 1 {LINES}", *argv]
    from bench.stage import HOUSE

    path = {"PYTHONPATH": ":".join([str(bridge.source), str(HOUSE)])}
    return Contestant(name, words, environ | path, bridge.workspace, figure=True, servers=[server.pid], every=every)


def initialize(stage: Stage, rounds: int) -> Report:
    """From the start of the process to the answer."""
    bare = [sys.executable, str(PEERS / "bare_pygls.py")]
    contenders = {bridge.name: (bridge.argv("lsp"), bridge) for bridge in stage.bridges}
    contenders["bare pygls"] = (bare, stage.bridge)
    contestants = []
    for name, (argv, bridge) in contenders.items():
        words = [sys.executable, "-m", "bench.peers.greeter", *argv]
        contestants.append(Contestant(name, words, bridge.environ, bridge.workspace, figure=True))
    compete(contestants, rounds * 4)
    ratio = median_of(contestants, "rdev-bridge") / median_of(contestants, "bare pygls")
    return Report(
        "The daemon's start",
        "From the start of the process to the answer to `initialize`.",
        race(contestants, "bare pygls", "ms"),
        [Goal("against a bare pygls server", ratio, 1.1)],
    )


def stopped(stage: Stage, rounds: int) -> Report:
    """An editor that does not read, while a million lines come."""
    del rounds
    lines = 1_000_000
    body, goals = [], []
    for bridge in stage.bridges:
        server = stage.workspace_server(bridge)
        with Editor(bridge.argv("lsp"), bridge.environ, bridge.workspace) as one:
            one.initialize()
            one.call("rdev/run", {"command": "seq 1 100000"})  # what is there after a run of some size is no growth
            one.read_run()
            one.call("rdev/run", {"command": "true"})
            one.wait_for("rdev/runFinished")
            both = {"daemon": one.process.pid, "server": server.pid}
            before = {name: resident_kb(pid) for name, pid in both.items()}
            for pid in both.values():
                forget_peak(pid)
            one.start("rdev/run", {"command": f"seq 1 {lines}; touch over"})
            over = bridge.workspace / "over"
            wait_until(over.exists, "the command's end")
            wait_until(_is_calm(list(both.values())), "the end of all work")
            growth = {name: (peak_kb(pid) - before[name]) / _MB for name, pid in both.items()}
            over.unlink()
            if one.read_run() != lines:
                raise SystemExit("lines were lost")
        body += [[f"{bridge.name}, {name}", f"{before[name] / _MB:.1f} MB", f"{growth[name]:.1f} MB"] for name in both]
        if bridge is stage.bridge:
            goals = [Goal(f"growth of the {name}", mb, 10.0, "MB") for name, mb in growth.items()]
    return Report(
        "An editor that does not read",
        f"{lines:,} lines while the editor reads nothing; growth is the peak. Then it reads, and all of them come.",
        rows(["", "before", "growth"], body),
        goals,
    )


def _is_calm(pids: list[int]) -> object:
    from bench.contest import cpu_s

    seen = dict.fromkeys(pids, (-1.0, 0.0))

    def is_calm() -> bool:
        """Whether none has worked for a second."""
        now_s = time.monotonic()
        for pid in pids:
            burnt_s = cpu_s(pid)
            if burnt_s - seen[pid][0] > 0.02:
                seen[pid] = (burnt_s, now_s)
        return all(now_s - since_s > 1.0 for _, since_s in seen.values())

    return is_calm


def cancel(stage: Stage, rounds: int) -> Report:
    """A request in the middle of a flood."""
    body, goals = [], []
    for bridge in stage.bridges:
        stage.workspace_server(bridge)
        answered_s, dead_s = [], []
        with Editor(bridge.argv("lsp"), bridge.environ, bridge.workspace) as one:
            one.initialize()
            earlier = one.call("rdev/run", {"command": "true"})["runId"]
            one.wait_for("rdev/runFinished")
            for _ in range(_FLOODS if rounds > 1 else 2):
                flood = one.call("rdev/run", {"command": "yes"})["runId"]
                for run_id in [*[earlier] * 9, flood]:
                    one.wait_for("rdev/output")
                    began_s = time.perf_counter()
                    one.call("rdev/cancel", {"runId": run_id})
                    answered_s.append(time.perf_counter() - began_s)
                one.wait_for("rdev/runFinished")
                dead_s.append(time.perf_counter() - began_s)
        for what, values in (("answered", answered_s), ("run finished", dead_s)):
            cells = [shown(percentile(values, share), "ms") for share in (0.5, 0.9, 0.99)]
            body.append([f"{bridge.name}, {what}", *cells])
        if bridge is stage.bridge:
            goals = [Goal("answered, p99", percentile(answered_s, 0.99) * 1000, 100.0, "ms")]
    return Report(
        "Cancel in a flood",
        "`yes` runs, the editor reads as fast as it can parse, and asks ten times for a cancel, at last for `yes`. "
        "The run is finished once all that it printed has been read.",
        rows(["", "p50", "p90", "p99"], body),
        goals,
    )


def many(stage: Stage, rounds: int) -> Report:
    """1, 10, 100 runs at once."""
    lines, counts = 10_000, (1, 10, 100)
    body, goals = [], []
    for bridge in stage.bridges:
        server = stage.workspace_server(bridge)
        per_line_us: dict[int, float] = {}
        per_run_mb: dict[int, float] = {}
        for count in counts:
            took_s = []
            for _ in range(max(1, rounds * 4 // count)):  # one run is over in no time
                with Editor(bridge.argv("lsp"), bridge.environ, bridge.workspace) as one:
                    one.initialize()
                    one.call("rdev/run", {"command": "true"})  # loads what a run needs
                    one.wait_for("rdev/runFinished")
                    pids = [one.process.pid, server.pid]
                    before_kb = sum(map(resident_kb, pids))
                    for pid in pids:
                        forget_peak(pid)
                    took_s.append(_at_once(one, count, lines))
                    grown_mb = (sum(map(peak_kb, pids)) - before_kb) / _MB / count
                    per_run_mb[count] = min(per_run_mb.get(count, grown_mb), grown_mb)
            per_line_us[count] = percentile(took_s, 0.5) / (count * lines) * 1e6
            name = f"{bridge.name}, {count} {'run' if count == 1 else 'runs'}"
            body.append([name, f"{per_line_us[count]:.2f} µs", f"{per_run_mb[count]:.2f} MB"])
        if bridge is stage.bridge:
            goals = [
                Goal("most time per line over that of one run", max(per_line_us.values()) / per_line_us[1], 1.5),
                Goal("most memory per run over that of one run", max(per_run_mb.values()) / per_run_mb[1], 1.5),
            ]
    return Report(
        "Many runs at once",
        f"{lines:,} lines each, all in one daemon; memory is the growth of daemon and server together at its peak.",
        rows(["", "time per line", "memory per run"], body),
        goals,
    )


def _at_once(one: Editor, count: int, lines: int) -> float:
    began_s = time.perf_counter()
    for _ in range(count):
        one.start("rdev/run", {"command": f"seq 1 {lines}"})
    ended = seen = 0
    while ended < count:
        message = one.read()
        if message.get("method") == "rdev/output":
            seen += sum(len(chunk["lines"]) for chunk in message["params"]["chunks"])
        elif message.get("method") == "rdev/runFinished":
            ended += 1
            if message["params"]["run"].get("exitCode") != 0:
                raise SystemExit(f"a run failed: {message['params']['run']}")
    if seen != count * lines:
        raise SystemExit(f"{seen} lines arrived instead of {count * lines}")
    return time.perf_counter() - began_s
