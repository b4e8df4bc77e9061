"""`rdev-bridge run` against ssh and the rdev guide's clients."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.contest import Contestant, compete
from bench.report import Goal, Report, median_of, race
from bench.stage import PEERS, program

if TYPE_CHECKING:
    from bench.stage import Bridge, Server, Stage

LINES = 1_000_000
COMMAND = f"seq 1 {LINES}"


def stream(stage: Stage, rounds: int) -> Report:
    """The embedded server's own stream."""
    server = stage.workspace_server(stage.bridge)
    contestants = [_run(bridge, COMMAND, servers=(stage.workspace_server(bridge).pid,)) for bridge in stage.bridges]
    contestants.append(Contestant("ssh", [*stage.ssh, COMMAND], servers=[stage.sshd_pid]))
    # eventsource 2.0.2 looks for each line end from the start of what a read brought: 0.2 ms a line if reads are large.
    contestants += _clients(stage, server, slow_every=3, node_lines=LINES // 50)
    compete(contestants, rounds)
    ours = median_of(contestants, "rdev-bridge")
    return Report(
        "A million lines to the terminal",
        f"`{COMMAND}`, stdout to /dev/null, all clients at the workspace's own server, which is up. "
        "Node has a fiftieth of the lines, and its time is scaled up: its parser is quadratic in what one read brings.",
        race(contestants, "ssh"),
        [Goal("against ssh", ours / median_of(contestants, "ssh"), 1.0), *_goals(contestants, ours)],
    )


def flushed(stage: Stage, rounds: int) -> Report:
    """One HTTP chunk an event."""
    server = stage.flushing_server(LINES)
    contestants = [_run(bridge, COMMAND, server.environ, (server.pid,)) for bridge in stage.bridges]
    contestants += _clients(stage, server, slow_every=3)
    compete(contestants, rounds)
    ours = median_of(contestants, "rdev-bridge")
    return Report(
        "A million lines, one HTTP chunk an event",
        "The same lines from a server that flushes each event; its stream is made beforehand.",
        race(contestants, "rdev-bridge"),
        _goals(contestants, ours),
    )


def true(stage: Stage, rounds: int) -> Report:
    """What a command costs that does nothing."""
    contestants = [_run(bridge, "true", servers=(stage.workspace_server(bridge).pid,)) for bridge in stage.bridges]
    contestants.append(Contestant("ssh", [*stage.ssh, "true"], servers=[stage.sshd_pid]))
    compete(contestants, rounds * 4)
    ratio = median_of(contestants, "rdev-bridge") / median_of(contestants, "ssh")
    return Report(
        "A command that does nothing",
        "`true`, start to exit, the server up.",
        race(contestants, "ssh", "ms"),
        [Goal("against ssh", ratio, 1.0)],
    )


def _run(
    bridge: Bridge, command: str, environ: dict[str, str] | None = None, servers: tuple[int, ...] = ()
) -> Contestant:
    argv = bridge.argv("run", "--", *command.split())
    return Contestant(bridge.name, argv, bridge.environ | (environ or {}), bridge.workspace, servers=servers)


def _clients(stage: Stage, server: Server, slow_every: int, node_lines: int = LINES) -> list[Contestant]:
    python, words, servers = sys.executable, [*server.words, COMMAND], [server.pid]
    node = [program("node"), PEERS / "with_eventsource.cjs", *server.words, f"seq 1 {node_lines}"]
    return [
        Contestant("curl -N", ["sh", PEERS / "with_curl.sh", *words], servers=servers),
        Contestant("Go", [stage.go_client, *words], servers=servers),
        Contestant("Node", node, servers=servers, amount=node_lines / LINES, every=slow_every),
        Contestant("aiohttp", [python, PEERS / "with_aiohttp.py", *words], servers=servers, every=slow_every),
        Contestant("sseclient", [python, PEERS / "with_requests.py", *words], servers=servers, every=slow_every),
    ]


def _goals(contestants: list[Contestant], ours_s: float) -> list[Goal]:
    floors = {"aiohttp": 5.0, "sseclient": 5.0, "Node": 1.5, "Go": 1.5}
    return [
        Goal(f"{name} takes so many times as long", median_of(contestants, name) / ours_s, floor, at_least=True)
        for name, floor in floors.items()
    ]
