"""The two calls of the seed and our additions, over HTTP, with real processes."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.server.limits import Limits
from tests.server.served import Event, Served, after, next_event, parse, rss_bytes, serving, text_of
from tests.support.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path


def test_both_streams_and_the_end(shared: Served) -> None:
    events = shared.run("echo out; echo err >&2; exit 3")
    assert events[0].name == "connected"
    assert text_of(events, "stdout") == "out\n"
    assert text_of(events, "stderr") == "err\n"
    end = events[-1]
    assert end.name == "complete"
    assert end.data["exit_code"] == 3
    assert 0 <= end.data["duration_ms"] < 30_000
    assert set(end.data) == {"exit_code", "duration_ms"}
    assert set(events[1].data) == {"line", "stream"}


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\n",
        b"no newline",
        b"\n\n\na\n\n",
        b"50%\r100%\r\nnext\r",
        b"a\x00b\x1b[31m\t\x7f\n",
        b"\xff\xc3(\xe2\x82\n\xf0\x9f\x98\x80 \xed\xa0\x80",
        "\x85\u2028\u2029\ufeff\n".encode(),
        b'"}\n\nid: 7\nevent: complete\ndata: {"exit_code":0}\n\n',
    ],
)
def test_bytes_arrive_as_text(shared: Served, written: bytes) -> None:
    events = shared.run(f"printf %s {base64.b64encode(written).decode()} | base64 -d")
    assert text_of(events, "stdout") == written.decode("utf-8", "replace")
    partial = [bool(event.data.get("partial")) for event in events if event.name == "output"]
    assert partial == [False] * written.count(b"\n") + [True] * (bool(written) and not written.endswith(b"\n"))


def test_long_lines_in_pieces_and_mixed_streams(shared: Served) -> None:
    (shared.root / "mixed.py").write_text(
        "import os, random\n"
        "random.seed(5)\n"
        "text = [('\"é😀\\x01' * 300_000)[:1 << 20] + '\\n', 'b' * 10_000 + '\\n', 'tail']\n"
        "data = [''.join(text).encode(), ('line\\n' * 50_000).encode()]\n"
        "while any(data):\n"
        "    for fd in (1, 2):\n"
        "        cut = random.randrange(1, 70_000)\n"
        "        os.write(fd, data[fd - 1][:cut])\n"
        "        data[fd - 1] = data[fd - 1][cut:]\n"
    )
    events = shared.run("python3 mixed.py")
    assert text_of(events, "stdout") == ('"é😀\x01' * 300_000)[: 1 << 20] + "\n" + "b" * 10_000 + "\ntail"
    assert text_of(events, "stderr") == "line\n" * 50_000


def test_resume_after_every_id(shared: Served) -> None:
    stream_id = shared.start("i=0; while [ $i -lt 40 ]; do echo $i; echo e$i >&2; i=$((i+1)); done; printf end")
    whole = shared.read(stream_id)
    head, _, body = whole.partition(b"\n\n")
    assert head.startswith(b"event: connected\n")
    for event in parse(whole)[1:-1]:
        got_head, _, rest = shared.read(stream_id, event.id).partition(b"\n\n")
        assert got_head == head
        assert rest == after(body, event.id)
    last = parse(whole)[-1]
    with shared.open(stream_id, last.id) as answer:
        assert answer.status_code == 204
        assert answer.content == b""


def test_a_bridge_gets_what_is_stored(shared: Served) -> None:
    stream_id = shared.start("echo a; sleep 0.05; printf 'b\\nc'; sleep 0.05; printf '%s\\n' 'd\\n'; exit 3")
    with shared.open(stream_id, **{"Rdev-Features": "lines"}) as answer:
        assert answer.headers["Rdev-Features"] == "lines"
        connected, *stored, complete = answer.content.split(b"\n\n")[:-1]
    assert connected.startswith(b"event: connected\n")
    assert complete.startswith(b"event: complete\n")
    text = ""
    for event in stored:
        kind, data, _ = event.split(b"\n")
        assert kind == b"event: lines"
        text += json.loads(data.removeprefix(b"data: "))["text"]
    assert text == "a\nb\ncd\\n\n"
    # An id of either form is good for both: what follows it is the same.
    for line in parse(shared.read(stream_id))[1:-1]:
        with shared.open(stream_id, line.id, **{"Rdev-Features": "lines"}) as answer:
            rest = answer.content
        assert rest.endswith(complete + b"\n\n")
        assert text.endswith(printed(rest))
        assert printed(rest) == text_of(parse(shared.read(stream_id, line.id)), "stdout")


def printed(stream: bytes) -> str:
    """The text of `lines` and `output` events together."""
    text = ""
    for block in stream.split(b"\n\n")[:-1]:
        kind, data, *_ = block.split(b"\n")
        found = json.loads(data.removeprefix(b"data: "))
        if kind == b"event: lines":
            text += found["text"]
        elif kind == b"event: output":
            text += found["line"] + ("" if found.get("partial") else "\n")
    return text


def test_an_id_of_nowhere_gets_all_and_is_told(shared: Served) -> None:
    stream_id = shared.start("echo a; echo b")
    whole = parse(shared.read(stream_id))
    again = parse(shared.read(stream_id, "12345"))
    assert again[0].data["missing"] is None
    assert again[1:] == whole[1:]
    assert "missing" not in whole[0].data


def test_output_comes_as_it_is_written(shared: Served) -> None:
    (shared.root / "gate").unlink(missing_ok=True)
    stream_id = shared.start("echo first; while ! [ -e gate ]; do sleep 0.02; done; echo second")
    with shared.open(stream_id) as answer:
        assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
        stream = answer.iter_content(1)
        assert next_event(stream).name == "connected"
        assert next_event(stream).data["line"] == "first"
        (shared.root / "gate").touch()
        assert next_event(stream).data["line"] == "second"
        assert next_event(stream).name == "complete"
        assert next(stream, None) is None, "the response ends after complete"


def test_many_readers_see_the_same(shared: Served) -> None:
    stream_id = shared.start("seq 1 200000; sleep 0.2; seq 1 1000")
    with ThreadPoolExecutor(8) as pool:
        streams = list(pool.map(lambda _: shared.read(stream_id), range(8)))
    assert len(set(streams)) == 1
    assert text_of(parse(streams[0]), "stdout").count("\n") == 201_000


def test_heartbeats_fill_the_silence(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "heartbeat_s=0.05") as server:
        stream_id = server.start("echo a; sleep 1; echo b")
        events = parse(server.read(stream_id))
        names = [event.name for event in events]
        assert names.count("heartbeat") >= 3
        assert [n for n in names if n != "heartbeat"] == ["connected", "output", "output", "complete"]
        assert "heartbeat" not in [event.name for event in parse(server.read(stream_id))], "they are never stored"


def test_by_default_a_heartbeat_comes_within_15_s(shared: Served) -> None:
    stream_id = shared.start("sleep 60")
    assert Limits().heartbeat_s < 15, "the rest is the machine's"
    with shared.open(stream_id) as answer:
        stream = answer.iter_content(1)
        assert next_event(stream).name == "connected"
        assert next_event(stream) == Event("heartbeat", {}, None)
    shared.cancel(stream_id, grace_ms="0")


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("no-such-program", 127)],
)
def test_exit_codes(shared: Served, command: str, code: int) -> None:
    assert shared.run(command)[-1].data["exit_code"] == code


def test_the_command_s_world(shared: Served) -> None:
    events = shared.run("pwd; env | grep -i rdev; [ -t 0 ] || cat; ps -o pgid= -p $$; echo $$")
    folder, group, pid = text_of(events, "stdout").split()
    assert folder == str(shared.root)
    assert group == pid, "a group of its own"


def test_a_shell_prefix_of_one_s_own(root: Path, state: Path) -> None:
    with serving(root, state, "--shell", "env 'GREETING=hello you' bash -c") as server:
        assert text_of(server.run('echo "$GREETING ${BASH_VERSION:+bash}"'), "stdout") == "hello you bash\n"
    with serving(root, state, "--shell", "no-such-program -c") as server:
        answer = server.post('{"command": "true"}')
        assert answer.status_code == 500
        assert "no-such-program" in answer.json()["error"]["message"]
        assert len(list(state.glob("store-1/journals/*"))) == 1, "what never started leaves nothing"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "line 1, column 1"),
        (b'{"command": "a\\x00"}', "line 1, column 15"),
        (b'{"command": "\\a"}', "line 1, column 14"),
        (b"{\n \"command\": 'x'}", "line 2, column 13"),
        (b'{"command": "\xff"}', "byte 14"),
        (b"[" * 100_000, "beyond"),
        (b"[]", 'string "command"'),
        (b"{}", 'string "command"'),
        (b'{"command": 7}', 'string "command"'),
        (b'{"command": "a\\u0000b"}', "NUL"),
        (b'{"command": "\\ud800"}', "surrogate"),
        (json.dumps({"command": "x" * 200_000}).encode(), "longer"),
    ],
)
def test_a_bad_body_gets_400_that_says_where(shared: Served, body: bytes, place: str) -> None:
    answer = shared.post(body)
    assert answer.status_code == 400, answer.text
    assert place in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/projects/p/shell", 405),
        ("POST", "/projects/p/events", 405),
        ("GET", "/projects/other/events?stream_id=x", 404),
        ("GET", "/projects/p/events", 400),
        ("GET", "/projects/p/events?stream_id=", 400),
        ("GET", "/projects/p/events?stream_id=../../key", 404),
        ("GET", "/projects/p/events?stream_id=" + "0" * 32, 404),
        ("DELETE", "/projects/p/shell/" + "0" * 32, 404),
        ("DELETE", "/projects/p/shell/..%2f..%2fkey", 404),
        ("DELETE", "/projects/p/shell/" + "0" * 32 + "?grace_ms=-1", 400),
        ("DELETE", "/projects/p/shell/" + "0" * 32 + "?wait_ms=soon", 400),
        ("GET", "/projects/p/events/?stream_id=x", 404),
        ("OPTIONS", "/projects/p/shell", 405),
    ],
)
def test_errors_are_json(shared: Served, method: str, path: str, status: int) -> None:
    answer = shared.session.request(method, shared.url + path, timeout=30, allow_redirects=False)
    assert answer.status_code == status
    assert isinstance(answer.json()["error"]["message"], str)


def test_health_and_the_word_about_additions(shared: Served) -> None:
    answer = shared.session.get(f"{shared.url}/health", headers={"X-API-Key": ""}, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "ok"
    assert answer.headers["rdev-features"] == shared.post('{"command": ":"}').headers["rdev-features"]
    assert "cancel" in answer.headers["rdev-features"]


def test_the_same_key_and_body_start_once(root: Path, state: Path) -> None:
    body = '{"command": "echo ran >> count"}'
    with serving(root, state) as server:
        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(lambda _: server.post(body, Idempotency_Key="k1").json()["data"]["id"], range(8)))
        assert len(ids) == 1
        server.read(ids.pop())
        assert (root / "count").read_text() == "ran\n"
        first = server.post(body, Idempotency_Key="k1").json()
        other = server.post('{"command": "echo other"}', Idempotency_Key="k1")
        assert other.status_code == 409
        assert server.post(body, Idempotency_Key="k2").json() != first
        assert server.post(body, Idempotency_Key="ä\n".strip()).status_code == 400
        assert server.post('{"command": "\\u0000"}', Idempotency_Key="bad").status_code == 400
        assert server.post(body, Idempotency_Key="bad").status_code == 201, "what never started can be tried again"
    with serving(root, state) as server:
        assert server.post(body, Idempotency_Key="k1").json() == first
        assert server.post('{"command": "x"}', Idempotency_Key="k1").status_code == 409


def test_after_a_crash_what_ended_is_readable_and_what_ran_is_lost(root: Path, state: Path) -> None:
    with serving(root, state) as server:
        ended = server.start("echo whole; exit 4")
        whole = server.read(ended)
        running = server.start("echo $$; echo begun; sleep 600 & wait")
        with server.open(running) as answer:
            stream = answer.iter_content(1)
            seen = [next_event(stream) for _ in range(3)]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    leader = int(seen[1].data["line"])
    with serving(root, state) as server:
        assert server.read(ended) == whole
        rest = parse(server.read(running, seen[-1].id))
        assert [event.name for event in rest] == ["connected", "error"]
        assert "cannot be known" in rest[-1].data["message"]
        assert parse(server.read(running))[1:] == [*seen[1:], rest[-1]]
        assert server.status(running, rest[-1].id) == 204
        # What the crash left running can still be ended: the mark in its environment finds it.
        os.kill(leader, 0)
        assert server.cancel(running).status_code == 202
        eventually(lambda: not _alive(leader))


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_bounds_on_commands_and_streams(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "running=2", "--limit", "streams=1") as server:
        first, second = server.start("sleep 600"), server.start("sleep 600")
        refused = server.post('{"command": "true"}')
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        with server.open(first) as reader:
            stream = reader.iter_content(1)  # held on to: where it is let go of, the connection is closed
            assert next_event(stream).name == "connected"
            with server.open(second) as busy:
                assert busy.status_code == 503
                assert int(busy.headers["retry-after"]) >= 1
            server.cancel(first, grace_ms="0")
            server.cancel(second, grace_ms="0")
        eventually(lambda: server.status(second) == 200)
        eventually(lambda: server.post('{"command": "true"}').status_code == 201)


def test_a_journal_past_its_bound_tells_what_is_missing(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "segment_bytes=100000", "--limit", "journal_bytes=400000") as server:
        stream_id = server.start("seq 1 200000")
        # While it runs, a reader that is slower than the command is overtaken, and its response ends.
        eventually(lambda: b"event: complete" in server.read(stream_id), what="the command's end")
        events = parse(server.read(stream_id))
        lines = [event for event in events if event.name == "output"]
        assert events[0].data["missing"] == 200_000 - len(lines) > 0
        assert lines[-1].data["line"] == "200000"
        assert [int(line.data["line"]) for line in lines] == list(range(200_001 - len(lines), 200_001))
        assert parse(server.read(stream_id, "61"))[0].data["missing"] is None


def test_old_journals_are_forgotten_at_start(root: Path, state: Path) -> None:
    with serving(root, state) as server:
        old = server.start("echo old", Idempotency_Key="k")
        server.read(old)
        young = server.start("echo young")
        server.read(young)
    for path in [*state.glob(f"store-1/journals/{old}/*"), *state.glob("store-1/starts/*")]:
        os.utime(path, (0, 0))
    with serving(root, state) as server:
        eventually(lambda: server.status(old) == 404)
        assert server.status(young) == 200
        eventually(lambda: not list(state.glob("store-1/starts/*")))


def test_a_stuck_reader_costs_no_memory_and_is_cut_off(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "stall_s=1") as server:
        before = rss_bytes(server.process.pid)
        stream_id = server.start("yes 'some line of the usual length' | head -c 100000000; echo done >&2")
        stuck = socket.create_connection(("127.0.0.1", server.port))
        request = (
            f"GET /projects/p/events?stream_id={stream_id} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {server.key}\r\n"
        )
        stuck.sendall(request.encode() + b"\r\n")
        whole = server.read(stream_id)
        assert len(whole) > 200_000_000
        assert b'"done"' in whole
        assert rss_bytes(server.process.pid) - before < 30_000_000
        # Cut off: what the kernel held still comes, then the end, and what it had can be resumed from.
        stuck.settimeout(30)
        got = b""
        while piece := stuck.recv(1 << 20):
            got += piece
        stuck.close()
        assert len(got) < len(whole)
        assert b"event: complete" not in got


def test_random_places_in_a_large_stream(shared: Served) -> None:
    stream_id = shared.start("seq 1 100000")
    whole = shared.read(stream_id)
    body = whole.partition(b"\n\n")[2]
    ids = [event.id for event in parse(whole)[1:-1]]
    for event_id in random.Random(3).sample(ids, 30):
        assert shared.read(stream_id, event_id).partition(b"\n\n")[2] == after(body, event_id)
