"""DELETE, and commands that leave something behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.server.process import mark_of
from rdev_bridge.server.tree import Tree, from_proc, from_ps
from tests.server.served import Served, next_event, parse, serving, text_of
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pids_said(stream: Iterator[bytes], count: int) -> list[int]:
    assert next_event(stream).name == "connected"
    return [int(next_event(stream).data["line"]) for _ in range(count)]


TREES = {
    "a plain command": ("echo $$; exec sleep 600", 1, 143),
    "a tree": ("sleep 600 & echo $!; (sleep 600 & echo $!; wait) & echo $!; echo $$; wait", 4, 143),
    "one that ignores TERM": ("trap '' TERM; echo $$; sleep 600 & echo $!; wait; wait; sleep 600", 2, 137),
    "one in a session of its own": ("setsid sh -c 'echo $$; exec sleep 600' & wait", 1, 143),
    "an escapee that ignores TERM": (
        "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & exec sleep 600",
        1,
        143,
    ),
    "a stopped one": ("sleep 600 & echo $!; kill -STOP $!; echo $$; wait", 2, 143),
    "one that forgot its mark": ("env -i sleep 600 & echo $!; echo $$; wait", 2, 143),
    "one that ends well": ("trap 'echo bye; exit 7' TERM; echo $$; while :; do sleep 0.05; done", 1, 7),
}


@pytest.mark.parametrize("name", TREES)
def test_delete_ends_all_before_it_says_complete(shared: Served, name: str) -> None:
    command, count, exit_code = TREES[name]
    stream_id = shared.start(command)
    with shared.open(stream_id) as answer:
        stream = answer.iter_content(1)
        pids = pids_said(stream, count)
        assert all(map(alive, pids))
        deleted = shared.cancel(stream_id)
        assert deleted.status_code == 202
        assert deleted.json() == {"data": {"id": stream_id}}
        while (event := next_event(stream)).name != "complete":
            assert event.name in {"heartbeat", "output"}
        assert not any(map(alive, pids)), "complete comes once all are dead"
    assert event.data["exit_code"] == exit_code


def test_a_second_delete_can_be_less_patient(shared: Served) -> None:
    stream_id = shared.start("trap '' TERM; echo $$; while :; do sleep 0.1; done")
    with shared.open(stream_id) as answer:
        stream = answer.iter_content(1)
        [pid] = pids_said(stream, 1)
        began_s = time.monotonic()
        shared.cancel(stream_id, grace_ms="60000")
        shared.cancel(stream_id, grace_ms="0")
        while next_event(stream).name != "complete":
            pass
        assert not alive(pid)
        assert time.monotonic() - began_s < 30


def test_a_delete_that_waits_says_that_all_are_dead_however_much_is_left_to_read(shared: Served) -> None:
    stream_id = shared.start("trap '' TERM; echo $$; yes & while :; do sleep 0.1; done")
    with shared.open(stream_id) as answer:
        [pid] = pids_said(answer.iter_content(1), 1)
        early = shared.cancel(stream_id, grace_ms="60000", wait_ms="1")
        assert (early.status_code, early.json()) == (202, {"data": {"id": stream_id}})
        assert alive(pid)
        for _ in "running", "ended":
            deleted = shared.cancel(stream_id, grace_ms="0", wait_ms="60000")
            assert (deleted.status_code, deleted.json()) == (200, {"data": {"id": stream_id, "ended": True}})
            assert not alive(pid)


def test_a_background_child_that_holds_the_pipe_does_not_hold_back_the_end(shared: Served) -> None:
    began_s = time.monotonic()
    stream_id = shared.start("(sleep 600; echo late) & echo $!; (sleep 0.1; echo soon) & exit 5")
    events = parse(shared.read(stream_id))
    assert time.monotonic() - began_s < 60
    child, soon = text_of(events, "stdout").split()
    assert soon == "soon", "what is written right after the end still counts"
    assert events[-1].data["exit_code"] == 5
    assert alive(int(child)), "it was left alone"
    assert shared.cancel(stream_id).status_code == 202
    eventually(lambda: not alive(int(child)))
    assert parse(shared.read(stream_id)) == events


def test_a_background_child_that_never_stops_writing(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "linger_s=0.5") as server:
        stream_id = server.start("(while :; do echo x; sleep 0.01; done) & echo $! >&2")
        events = parse(server.read(stream_id))
        child = int(text_of(events, "stderr"))
        assert events[-1].name == "complete"
        # Its pipe is still read, so that it does not die of it.
        server.run("sleep 0.3")
        assert alive(child)
        server.cancel(stream_id)
        eventually(lambda: not alive(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_server_told_to_end_ends_its_commands(root: Path, state: Path, number: signal.Signals) -> None:
    with serving(root, state, "--limit", "cancel_grace_s=1") as server:
        stream_id = server.start("echo $$; setsid sleep 600 & echo $!; wait")
        with server.open(stream_id) as answer:
            stream = answer.iter_content(1)
            pids = pids_said(stream, 2)
            assert server.close(number) == 0
            assert not any(map(alive, pids))
            assert next_event(stream).data["exit_code"] == 143, "its readers still learn how it ended"
    with serving(root, state) as server:
        assert parse(server.read(stream_id))[-1].data["exit_code"] == 143


def test_under_nohup_a_hang_up_ends_only_who_does_not_ignore_it(root: Path, state: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        server = Served(root, state)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    server.process.send_signal(signal.SIGHUP)
    assert server.run("kill -HUP $$; sleep 600")[-1].data["exit_code"] == 129
    assert server.close() == 0


def test_both_ways_to_find_processes_agree(shared: Served) -> None:
    stream_id = shared.start("setsid sleep 600 & echo $!; sleep 600 & echo $!; echo $$; wait")
    with shared.open(stream_id) as answer:
        pids = pids_said(answer.iter_content(1), 3)
        for leader in (None, pids[2]):
            tree = Tree(mark_of(stream_id), leader)
            assert set(pids) <= from_proc(tree)
            assert set(pids) <= from_ps(tree)
    shared.cancel(stream_id, grace_ms="0")
    eventually(lambda: not from_ps(tree) and not from_proc(tree))
