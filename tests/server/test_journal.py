from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.server.commands import Kept, forgettable
from rdev_bridge.server.encode import Text, encode_last, encode_lines, line_by_line
from rdev_bridge.server.journal import Entry, Journal
from rdev_bridge.server.limits import Limits
from tests.server.served import after, parse

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 1 << 40


def journal_in(folder: Path, *, segment_bytes: int = LARGE, journal_bytes: int = LARGE) -> Journal:
    return Journal.create(folder / "j", segment_bytes=segment_bytes, journal_bytes=journal_bytes)


def put(journal: Journal, *lines: str) -> None:
    text = Text("".join(f"{line}\\n" for line in lines).encode(), len(lines))
    journal.append(encode_lines(text, "stdout", journal.end), len(lines))


def read_all(journal: Journal, offset: int, after: int = 0) -> bytes:
    """Line by line."""
    found, at = b"", offset
    while at < journal.end:
        events = journal.read_events(at, 37)
        found += line_by_line(events, at, after)
        at += len(events)
    return found


def complete(journal: Journal) -> None:
    journal.append(encode_last("complete", {"exit_code": 0, "duration_ms": 0}, journal.end))
    journal.finish()


def test_every_id_resumes_with_exactly_what_follows(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, segment_bytes=300)
    for number in range(50):
        put(journal, f"line {number}", "twin")
    complete(journal)
    whole = read_all(journal, 0)
    loaded = Journal.load(journal.folder, lost_message="never said")
    assert loaded.ended
    for one in (journal, loaded):
        for event in parse(whole):
            entry = one.entry(event.id)
            assert entry.missing == 0
            assert read_all(one, entry.offset, entry.after) == after(whole, event.id)
    assert read_all(loaded, 0) == whole


@pytest.mark.parametrize("strange", ["1", "49", "51", "67", "69", "068", "+68", "-1", "x", "٣", "9" * 30, "1e3", " 68"])
def test_an_id_that_is_none_of_ours_starts_from_the_oldest_and_says_so(tmp_path: Path, strange: str) -> None:
    journal = journal_in(tmp_path)
    put(journal, "hi", "there")
    assert journal.entry(strange) == Entry(0, None)
    assert journal.entry("") == journal.entry(None) == Entry(0, 0)
    assert journal.entry("68") == Entry(68)
    assert journal.entry("50") == Entry(0, after=50), "in the middle of an event: the first of its lines is known"
    journal.finish()


def test_past_its_bound_the_oldest_goes_and_is_told(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, segment_bytes=1000, journal_bytes=3000)
    for number in range(200):
        put(journal, f"number {number}")
    left = parse(read_all(journal, journal.oldest))
    assert journal.entry(None) == Entry(journal.oldest, 200 - len(left))
    assert left[-1].data["line"] == "number 199"
    assert journal.entry("66") == Entry(journal.oldest, None)
    assert journal.entry(left[0].id) == Entry(int(left[0].id or ""))
    assert journal.entry(str(journal.oldest)) == Entry(journal.oldest), "the last event that went was seen"
    assert sum(file.stat().st_size for file in journal.folder.iterdir()) <= 4200
    with pytest.raises(LookupError):
        journal.read(0, 10)
    complete(journal)
    again = Journal.load(journal.folder, lost_message="never said")
    assert again.entry(None) == Entry(journal.oldest, 200 - len(left))
    assert again.entry(str(journal.oldest)) == Entry(journal.oldest)


@pytest.mark.parametrize("torn", range(0, 70, 3))
def test_a_journal_without_end_gets_one_that_says_so(tmp_path: Path, torn: int) -> None:
    journal = journal_in(tmp_path)
    put(journal, "one")
    whole = journal.end
    put(journal, "two")
    journal.finish()
    file = next(journal.folder.iterdir())
    os.truncate(file, whole + min(torn, journal.end - whole))
    for _ in range(2):  # it is said once, however often it is read
        loaded = Journal.load(journal.folder, lost_message="gone")
        events = parse(read_all(loaded, 0))
        assert [event.name for event in events] == ["output"] * (len(events) - 1) + ["error"]
        assert events[0].data["line"] == "one"
        assert events[-1].data == {"message": "gone"}
        assert loaded.ended
        assert file.stat().st_size == loaded.end


def test_a_gap_between_segments_loses_what_stands_before_it(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, segment_bytes=200)
    for number in range(10):
        put(journal, f"line {number}")
    complete(journal)
    first, *_ = sorted(journal.folder.iterdir())
    os.truncate(first, 10)
    loaded = Journal.load(journal.folder, lost_message="never said")
    assert loaded.oldest > 0
    assert loaded.entry(None) == Entry(loaded.oldest, 4)
    assert parse(read_all(loaded, loaded.oldest))[0].data["line"] == "line 4"


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        journal = journal_in(tmp_path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in journal.folder.iterdir()] == [0o600]
    journal.finish()


async def test_followers_wake_when_there_is_something_or_the_end(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    followers = [asyncio.create_task(journal.grown(0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(follower.done() for follower in followers)
    put(journal, "now")
    await asyncio.wait_for(asyncio.gather(*followers), 10)
    at_the_end = asyncio.create_task(journal.grown(journal.end))
    await asyncio.sleep(0)
    journal.finish()
    await asyncio.wait_for(at_the_end, 10)


def test_a_full_disk_leaves_the_journal_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = journal_in(tmp_path)
    put(journal, "before")
    whole = read_all(journal, 0)
    real_write = os.write

    def short_then_full(file: int, data: bytes) -> int:
        if len(data) > 10:
            return real_write(file, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", short_then_full)
        with pytest.raises(OSError, match="No space"):
            put(journal, "x" * 14)
    put(journal, "after")
    assert [event.data["line"] for event in parse(read_all(journal, 0))] == ["before", "after"]
    assert read_all(journal, 0).startswith(whole)
    complete(journal)


def test_old_and_large_journals_are_forgotten_oldest_first(tmp_path: Path) -> None:
    kept = [Kept(float(age), 100, tmp_path / str(age)) for age in (30, 10, 20)]
    names = lambda limits: [one.folder.name for one in forgettable(kept, 35.0, limits)]  # noqa: E731
    assert names(Limits(kept_s=100, kept_bytes=300)) == []
    assert names(Limits(kept_s=100, kept_bytes=299)) == ["10"]
    assert names(Limits(kept_s=16, kept_bytes=300)) == ["10"]
    assert names(Limits(kept_s=100, kept_bytes=1)) == ["10", "20", "30"]
