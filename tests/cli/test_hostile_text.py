"""Words of a stranger (a cloned file, a file's name, a server) on a person's terminal: shown, never obeyed."""

from __future__ import annotations

import json
import threading
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.bridge import Bridge

TITLE = "\x1b]0;owned\x07\x9b2J\u202e"
ESCAPED = json.dumps(TITLE)[1:-1]  # as TOML and JSON write it
RDEV_TOML = f"""
[tasks.test]
command = "exit 3 # {ESCAPED}"
description = "unit tests{ESCAPED}"
watch = ["*.txt"]
"""
KINDS = ["error event", "refusal", "content type", "encoding", "status line"]


def check_harmless(output: bytes) -> str:
    """What was printed, if nothing in it steers a terminal or hides text."""
    text = output.decode()
    bad = [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} and c not in "\n\t"]
    assert not bad, repr(text)
    return text


@pytest.fixture
def strange(bridge: Bridge) -> Bridge:
    """A stranger's workspace."""
    (bridge.folder / "rdev.toml").write_text(RDEV_TOML)
    return bridge


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The url of a server that puts control characters wherever it can."""

    class Strange(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = {"error": {"message": f"no{TITLE}\nroom"}}
            answer = message if request.param == "refusal" else {"data": {"id": f"x{TITLE}"}}
            self._answer(400 if request.param == "refusal" else 200, "application/json", json.dumps(answer))

        def do_GET(self) -> None:
            if request.param == "status line":
                self.wfile.write(b"HTTP/1.1 2\x1b[2J00 OK\r\n\r\n")
                self.close_connection = True
                return
            data = json.dumps({"message": f"no{TITLE} more"})
            kind = "text/\x9b2Jhtml" if request.param == "content type" else "text/event-stream"
            self._answer(200, kind, f"event: error\ndata: {data}\n\n")

        def _answer(self, status: int, kind: str, body: str) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if request.param == "encoding" and self.command == "GET":
                self.send_header("Content-Encoding", "\x9b2Jgzip")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Strange) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_lists_show_what_a_file_says_and_do_not_obey_it(strange: Bridge) -> None:
    assert "\\x1b]0;owned\\x07\\x9b2J\\u202e" in check_harmless(strange.call("tasks").stdout)
    assert strange.call("run", "test").returncode == 3
    strange.run(f"exit 3 # {TITLE}")
    assert "\\x1b]0;owned\\x07" in check_harmless(strange.call("runs").stdout)
    for words in (["trust", "--yes"], ["trust", "--list"], ["doctor"], ["run", TITLE], ["attach", TITLE]):
        done = strange.call(*words)
        check_harmless(done.stdout + done.stderr)


def test_a_wrong_file_is_quoted_harmlessly(strange: Bridge) -> None:
    (strange.folder / "rdev.toml").write_text(f'[tasks.a]\ncommand = "x"\n"{ESCAPED}" = 1\n')
    done = strange.call("tasks")
    assert done.returncode == 2
    assert "owned" in check_harmless(done.stderr)


def test_names_of_changed_files(strange: Bridge) -> None:
    """Without a terminal; on one the status line has the same words, cut by the same function."""
    process = strange.start("watch", "test")
    with process:
        assert process.stderr is not None
        try:
            said = b""
            while b"waits for changes" not in said:
                said += process.stderr.readline()
            (strange.folder / f"new{TITLE.replace('/', '')}\n.txt").write_text("x")
            while b"changed" not in said:
                said += process.stderr.readline()
        finally:
            process.terminate()
            said += process.communicate(timeout=60)[1]
    assert "new\\x1b]0;owned" in check_harmless(said)


@pytest.mark.parametrize("server", KINDS, indirect=True)
def test_what_a_server_says_reaches_the_user_and_no_more(bridge: Bridge, server: str) -> None:
    process = bridge.start("run", "--url", server, "--project", "p", "--", "true")
    with process:
        try:
            if b"; reconnecting" in (first := process.stderr.readline() if process.stderr else b""):
                process.kill()  # no answer of this kind is final; it would try for minutes
            _, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    said = check_harmless(first + rest)
    assert said.startswith("rdev-bridge: ")
    check_harmless(bridge.call("runs").stdout)
    if "; reconnecting" not in said:
        assert process.returncode == 125
        eventually(lambda: [run["outcome"] for run in bridge.runs()] in (["error"], ["lost"]))


def test_what_a_matcher_found(strange: Bridge) -> None:
    saved = strange.folder / "saved.log"
    saved.write_text("a.c:1:2: error: bad \u202ething [-Wx\u2066]\n", encoding="utf-8")
    done = strange.call("match", "gcc", str(saved))
    assert "bad \\u202ething" in check_harmless(done.stdout + done.stderr)
