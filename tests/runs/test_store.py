"""The history: ids, snapshots, owners, bounds."""

from __future__ import annotations

import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rdev_bridge.errors import UsageError
from rdev_bridge.model import DiagnosticCounts, OnClientExit, Outcome, RunState
from rdev_bridge.runs import store as store_module
from rdev_bridge.runs.store import RunFolder, RunStore, find_run
from rdev_bridge.runs.stored import StoredRun, StoredTarget
from tests.runs.samples import a_run

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def keep(
    store: RunStore,
    state: RunState = RunState.FINISHED,
    *,
    owned: bool = False,
    age_days: float = 0,
    parent: str | None = None,
) -> RunFolder:
    folder = store.create()
    run = a_run(folder.path, folder.run_id, state)
    run = replace(run, started_at=NOW - timedelta(days=age_days), parent_run_id=parent)
    folder.save(
        StoredRun.of(
            run,
            StoredTarget("embedded", "p"),
            on_client_exit=OnClientExit.CANCEL,
            timeout_s=None,
            command_started_at=None,
            binding=None,
        )
    )
    if not owned:
        folder.release()
    return folder


def test_ids_are_short_sorted_and_never_the_same(tmp_path: Path) -> None:
    one, other = RunStore(tmp_path), RunStore(tmp_path)
    ids = [(one if n % 2 else other).create().run_id for n in range(60)]
    assert len(set(ids)) == 60
    assert all(len(run_id) == 9 and run_id.isalnum() for run_id in ids)
    own = ids[1::2]
    assert own == sorted(own)


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    folder = store.create()
    run = replace(
        a_run(folder.path, folder.run_id, RunState.FINISHED),
        folder=tmp_path,
        outcome=Outcome.FAILED,
        exit_code=3,
        duration_ms=5,
        lines=7,
        diagnostics=DiagnosticCounts(1, 2, 3),
        message="why",
        task="test",
        parent_run_id="x",
        stale=True,
        log_path=folder.log_path,
    )
    stored = StoredRun.of(
        run,
        StoredTarget("s", "p"),
        on_client_exit=OnClientExit.DETACH,
        timeout_s=1.5,
        command_started_at=None,
        binding={"token": "t"},
    )
    folder.save(stored)
    assert folder.load() == stored
    assert stored.to_run(folder.log_path) == run


def test_everything_is_private(tmp_path: Path) -> None:
    folder = keep(RunStore(tmp_path))
    folder.mark().close()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {0o600}


def test_a_run_has_one_owner(tmp_path: Path) -> None:
    mine = keep(RunStore(tmp_path), RunState.RUNNING, owned=True)
    theirs = RunFolder(mine.path)
    assert theirs.is_owned()
    assert not theirs.claim()
    mine.release()
    assert not theirs.is_owned()
    assert theirs.claim()


def test_the_history_is_bounded_and_never_loses_a_live_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RUNS_KEPT", 3)
    store = RunStore(tmp_path)
    live = keep(store, RunState.RUNNING, owned=True)
    left_behind = keep(store, RunState.RUNNING)
    finished = [keep(store) for _ in range(5)]
    unborn, about_to_begin = store.create(), store.create()
    for folder in (unborn, about_to_begin):
        folder.release()
    os.utime(unborn.path, (0, 0))
    os.utime(about_to_begin.path, (NOW.timestamp(), NOW.timestamp()))
    store.prune(NOW)
    left = [folder.run_id for folder, _ in store.all()]
    assert left == [folder.run_id for folder in [*reversed(finished[-3:]), left_behind, live]]
    assert not unborn.path.exists()
    assert about_to_begin.path.exists(), "another bridge may be making it at this moment"


def test_bridges_that_make_and_forget_runs_at_once_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RUNS_KEPT", 3)

    def work(_: int) -> None:
        store = RunStore(tmp_path)
        for _ in range(40):
            keep(store)
            store.prune(NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(RunStore(tmp_path).all()) <= 3 + 4


def test_one_store_is_asked_by_several_threads_while_runs_come(tmp_path: Path) -> None:
    """As by a bridge, which prunes beside its loop."""
    store = RunStore(tmp_path)

    def work(_: int) -> None:
        for _ in range(40):
            keep(store)
            assert store.all()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(store.all()) == 160


def test_old_runs_go_but_the_newest_stays(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    older, newest = keep(store, age_days=90), keep(store, age_days=40)
    store.prune(NOW)
    assert [folder.run_id for folder, _ in store.all()] == [newest.run_id]
    assert not older.path.exists()


def test_large_logs_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOG_BYTES_KEPT", 100)
    store = RunStore(tmp_path)
    folders = [keep(store) for _ in range(4)]
    for folder in folders:
        folder.log_path.write_bytes(b"x" * 60)
    store.prune(NOW)
    assert [folder.run_id for folder, _ in store.all()] == [folders[-1].run_id]


def grow(folder: RunFolder, size: int) -> None:
    folder.log_path.touch()
    os.truncate(folder.log_path, size)


def test_when_it_is_time_to_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RUNS_KEPT", 3)
    store = RunStore(tmp_path)
    now = datetime.now(UTC)
    folders = [keep(store) for _ in range(13)]
    assert not store.is_overfull(now)
    assert store.is_overfull(now + timedelta(days=31)), "an old one is there"
    for folder in folders[:12]:  # each of them small
        grow(folder, store_module.LOG_BYTES_KEPT // 12)
    assert not store.is_overfull(now)
    grow(folders[12], 100)
    assert store.is_overfull(now), "too much in all"
    grow(folders[12], 0)
    assert not store.is_overfull(now)
    keep(store)
    assert store.is_overfull(now), "too many"


@pytest.mark.parametrize("junk", [b"", b"{", b'{"run_id": 3}', b"\xff"])
def test_what_is_no_record_of_ours_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    store = RunStore(tmp_path)
    good, bad = keep(store), keep(store)
    (bad.path / "run.json").write_bytes(junk)
    assert [folder.run_id for folder, _ in store.all()] == [good.run_id]


def test_a_person_names_a_run_by_its_beginning_or_as_the_latest(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(UsageError, match="there is no run 'latest'"):
        find_run("latest", [store])
    folders = [keep(store) for _ in range(2)]
    ids = [folder.run_id for folder in folders]
    shared = next(n for n in range(9) if ids[0][n] != ids[1][n])
    assert find_run("latest", [store])[0].run_id == ids[1]
    dependency = keep(store, parent=ids[1])
    assert find_run("latest", [store])[0].run_id == ids[1]
    store.remove(dependency)
    assert find_run(ids[0].upper()[: shared + 1], [store])[0].run_id == ids[0]
    with pytest.raises(UsageError, match="beginning of 2 run ids"):
        find_run(ids[0][:shared], [store])
    for wrong in ("zzz", "", "../x"):
        with pytest.raises(UsageError, match="there is no run"):
            find_run(wrong, [store])
