"""The log on disk: read again as it was written, cut anywhere, gone on with; and read from any line or byte on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdev_bridge.model import Chunk, Stream
from rdev_bridge.runs.assemble import Assembler
from rdev_bridge.runs.log import INDEX_NAME, LOG_NAME, LogReader, LogWriter, lines_so_far
from rdev_bridge.runs.records import cut, pack, unpack
from rdev_bridge.runs.relay import Audience, Relay
from rdev_bridge.runs.replay import Replay
from tests.runs.samples import a_run

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.model import Run
    from rdev_bridge.runs.observer import OutputBatch

OUT, ERR = Stream.STDOUT, Stream.STDERR
LINES = st.text(alphabet=st.sampled_from("ab\n\ré€😀\ud800"), max_size=4)
CHUNKS = st.lists(
    st.builds(Chunk, st.sampled_from(list(Stream)), st.lists(LINES, min_size=1, max_size=4), st.booleans()), max_size=6
)
BATCHES = st.lists(CHUNKS, max_size=5)


def plain(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def write(folder: Path, batches: list[list[Chunk]], after: LogReader | None = None) -> list[tuple[Stream, str]]:
    """All of `batches`; the lines that a face would have got."""
    writer, assembler, lines = LogWriter(folder, after), Assembler(), []
    for number, batch in enumerate(batches):
        lines += told(assembler.feed(batch))
        writer.append(*pack(batch), assembler.seq, clean=assembler.is_clean, position=str(number))
    writer.close()
    return lines


def told(chunks: object) -> list[tuple[Stream, str]]:
    return [(chunk.stream, plain(line)) for chunk in chunks for line in chunk.lines]  # type: ignore[attr-defined]


def read(folder: Path) -> LogReader:
    reader = LogReader(folder)
    reader.refresh()
    return reader


@dataclass
class Listener:
    """A face that only listens."""

    lines: list[tuple[int, Stream, str]] = field(default_factory=list)
    raw: bytes = b""
    ends: list[int] = field(default_factory=list)
    gaps: list[tuple[int, int | None]] = field(default_factory=list)

    async def output(self, run: Run, batch: OutputBatch) -> None:
        at = batch.seq
        for chunk in batch.lines:
            for line in chunk.lines:
                self.lines.append((at, chunk.stream, plain(line)))
                at += 1
        self.raw += b"".join(batch.raw)
        self.ends.append(batch.end_offset)

    async def output_gap(self, run: Run, seq: int, missing: int | None) -> None:
        self.gaps.append((seq, missing))


async def listen(folder: Path, **start: int) -> tuple[int, Listener]:
    listener = Listener()
    replay = Replay(read(folder), **start)
    relay = Relay(Audience([listener]), lambda _: a_run(folder), replay.assembler, replay.offset)  # type: ignore[list-item]
    seq = replay.seq
    await replay.into(relay)
    await relay.ended()
    return seq, listener


@given(CHUNKS)
def test_what_is_packed_is_unpacked(chunks: list[Chunk]) -> None:
    raw, parts = pack(chunks)
    found = unpack(b"".join(raw), parts)
    assert [(c.stream, c.lines, c.ended) for c in found] == [
        (c.stream, [plain(line) for line in c.lines], c.ended) for c in chunks
    ]


@given(st.lists(st.text(alphabet="aé😀\n", max_size=3), min_size=1, max_size=3), st.booleans(), st.integers(0, 30))
def test_a_cut_says_the_same(lines: list[str], ended: bool, offset: int) -> None:
    chunk = Chunk(OUT, lines, ended)
    data = chunk.text().encode()
    offset = min(offset, len(data))
    head, tail = cut(chunk, data, offset)
    assert head.text() + tail.text() == chunk.text()
    assert offset - 4 < len(head.text().encode()) <= offset
    whole, parts = Assembler(), Assembler()
    one = told(whole.feed([chunk])) + told(whole.flush())
    assert told(parts.feed([head])) + told(parts.feed([tail])) + told(parts.flush()) == one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(BATCHES, st.data())
async def test_reading_from_any_byte_gives_just_the_rest(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Chunk]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write(folder, batches)
    reader = LogReader(folder)
    reader.refresh()
    assert lines_so_far(folder) == reader.last.seq_end
    log = (folder / LOG_NAME).read_bytes()
    offset = data.draw(st.integers(0, len(log) + 1))  # beyond it: the reader has a last line without an end, too
    seq, listener = await listen(folder, offset=offset)
    assert log.endswith(listener.raw)
    assert 0 <= len(listener.raw) - (len(log) - offset) < 4  # whole characters; the face drops the bytes it has
    _, everything = await listen(folder)
    assert listener.lines == everything.lines[seq:]
    assert offset <= len(log) or not listener.lines
    assert not listener.ends or listener.ends[-1] in {len(log), len(log) + 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(BATCHES, st.integers(0, 20))
async def test_reading_from_any_line_gives_just_the_rest(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Chunk]], wanted: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write(folder, batches)
    _, everything = await listen(folder)
    assert [number for number, _, _ in everything.lines] == list(range(len(everything.lines)))
    assert everything.raw == (folder / LOG_NAME).read_bytes()
    _, listener = await listen(folder, seq=wanted)
    assert listener.lines == everything.lines[wanted:]
    page = Replay(read(folder), seq=wanted).page(3, finished=True)
    assert told(page.chunks) == [line[1:] for line in everything.lines[wanted : wanted + 3]]


@pytest.mark.parametrize("lost_bytes", range(1, 40))
async def test_whatever_a_crash_leaves_is_a_valid_prefix(tmp_path: Path, lost_bytes: int) -> None:
    batches = [[Chunk(OUT, [f"line {n}"]), Chunk(ERR, ["x"], ended=False)] for n in range(4)]
    write(tmp_path, batches)
    whole = (tmp_path / LOG_NAME).read_bytes()
    index = (tmp_path / INDEX_NAME).read_bytes()
    (tmp_path / INDEX_NAME).write_bytes(index[:-lost_bytes])
    reader = read(tmp_path)
    left = int(reader.position or -1) + 1
    assert left < 4
    write(tmp_path, batches[left:], reader)
    assert (tmp_path / LOG_NAME).read_bytes() == whole
    assert (tmp_path / INDEX_NAME).read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("damage", [b"\n", b"[1,2\n", b"{}\n", b"\xff\x00\r\n", b'[1,2,true,"\xff"]\n'])
async def test_what_follows_a_damaged_record_counts_as_never_written(tmp_path: Path, damage: bytes) -> None:
    batches = [[Chunk(OUT, [f"line {n}"])] for n in range(4)]
    write(tmp_path, batches)
    whole, index = (tmp_path / LOG_NAME).read_bytes(), (tmp_path / INDEX_NAME).read_bytes()
    lines = index.splitlines(keepends=True)
    (tmp_path / INDEX_NAME).write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
    reader = read(tmp_path)
    assert (reader.position, reader.last.seq_end) == ("1", 2)
    _, listener = await listen(tmp_path)
    assert listener.lines == [(0, OUT, "line 0"), (1, OUT, "line 1")]
    write(tmp_path, batches[2:], reader)
    assert (tmp_path / LOG_NAME).read_bytes() == whole
    assert read(tmp_path).index_end == (tmp_path / INDEX_NAME).stat().st_size


def test_a_reader_keeps_up_with_a_log_that_grows(tmp_path: Path) -> None:
    writer, reader = LogWriter(tmp_path), LogReader(tmp_path)
    for number in range(5):
        writer.append(*pack([Chunk(OUT, [str(number)])]), number + 1, clean=True, position=None)
        reader.refresh()
        assert reader.last.seq_end == number + 1
    writer.close()


async def test_a_gap_moves_the_count_and_is_told_again(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    listener = Listener()
    relay = Relay(Audience([listener]), lambda _: a_run(tmp_path), Assembler())  # type: ignore[list-item]
    relay.writer = writer
    await relay.arrived([Chunk(OUT, ["a", "half"], ended=False)], "1")
    await relay.missing(5, "1")
    await relay.arrived([Chunk(OUT, ["b"])], "9")
    await relay.ended()
    relay.close()
    assert listener.lines == [(0, OUT, "a"), (1, OUT, "half"), (7, OUT, "b")]
    assert listener.gaps == [(2, 5)]
    _, again = await listen(tmp_path)
    assert (again.lines, again.gaps) == (listener.lines, listener.gaps)
    page = Replay(read(tmp_path), seq=0).page(10, finished=True)
    assert (page.seq, told(page.chunks)) == (0, [(OUT, "a"), (OUT, "half")])
    page = Replay(read(tmp_path), seq=7).page(10, finished=True)
    assert (page.seq, told(page.chunks)) == (7, [(OUT, "b")])
