"""What a neighbour, a page and a stranger try."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from rdev_bridge.server.limits import Limits
from rdev_bridge.server.security import Gate, Tickets, is_project_id, project_id_for
from rdev_bridge.settings.values import project_of
from tests.server.served import Served, next_event, parse, serving
from tests.support.wait import eventually

KEY = "rdev_key"


def answer_to(server: Served, request: bytes) -> bytes:
    """What comes back for raw bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize(
    ("host", "beyond", "served"),
    [
        ("127.0.0.1:8080", False, True),
        ("localhost:9", False, True),
        ("LOCALHOST", False, True),
        ("[::1]:80", False, True),
        ("127.8.9.1", False, True),
        ("box.example:80", False, True),
        ("evil.example:8080", False, False),
        ("localhost.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("192.168.1.5:8080", False, False),
        ("192.168.1.5:8080", True, True),
        ("evil.example", True, False),
        ("", False, False),
        (None, False, False),
        ("localhost:80:80", False, False),
        ("user@localhost", False, False),
        ("localhost/", False, False),
    ],
)
def test_hosts(host: str | None, beyond: bool, served: bool) -> None:
    gate = Gate(KEY, names=frozenset({"box.example"}), beyond_loopback=beyond)
    assert gate.serves_host(host) is served


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"host": "localhost:1"}, True),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, True),
        ({"host": "localhost:1", "origin": "https://localhost:1"}, True),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, False),
        ({"host": "localhost:1", "origin": "http://evil.example"}, False),
        ({"host": "localhost:1", "origin": "null"}, False),
        ({"host": "localhost:1", "origin": ""}, False),
        ({"host": "localhost:1", "origin": "file://localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://dev.example:3000"}, True),
        ({"host": "localhost:1", "origin": "http://dev.example:3000", "sec-fetch-site": "cross-site"}, True),
        ({"host": "localhost:1", "origin": "http://localhost:3000", "sec-fetch-site": "same-origin"}, True),
        ({"host": "localhost:1", "sec-fetch-site": "cross-site"}, False),
        ({"host": "localhost:1", "sec-fetch-site": "same-site"}, False),
        ({"host": "localhost:1", "sec-fetch-site": "none"}, True),
    ],
)
def test_pages(headers: dict[str, str], allowed: bool) -> None:
    assert Gate(KEY, origins=frozenset({"http://dev.example:3000"})).allows_page(headers) is allowed


@pytest.mark.parametrize("project", ["a", "A.b_c-9", "...", "x" * 64])
def test_good_project_ids(project: str) -> None:
    assert is_project_id(project)


@pytest.mark.parametrize("project", ["", ".", "..", "a/b", "ä", "a b", "a\n", "x" * 65, "a\0", "%2e"])
def test_bad_project_ids(project: str) -> None:
    assert not is_project_id(project)
    assert is_project_id(project_id_for(project))
    assert project_id_for(project) == project_of(project), "a bridge in that folder asks for the same one"


def test_a_ticket_is_for_one_stream_and_a_short_time() -> None:
    tickets = Tickets(lifetime_s=60)
    token = tickets.issue("one", now_s=0)
    other = tickets.issue("two", now_s=0)
    cookies = {tickets.cookie_name("one"): token, tickets.cookie_name("two"): token}
    ticket = tickets.holder("one", cookies, 59)
    assert ticket is not None
    assert tickets.holder("two", cookies, 1) is None
    assert tickets.holder("three", cookies, 1) is None
    assert tickets.holder("one", {}, 1) is None
    assert tickets.holder("one", {tickets.cookie_name("one"): other}, 1) is None
    tickets.opened(ticket)
    assert tickets.holder("one", cookies, 10_000), "a stream that is open keeps it alive, so that it can be resumed"
    tickets.closed(ticket, 10_000)
    assert tickets.holder("one", cookies, 10_059)
    assert tickets.holder("one", cookies, 10_060) is None
    assert sorted(tickets.dead_cookies(cookies | {"other": "x", "rdev-0-one": "y"}, 10_060)) == sorted(cookies)
    tickets.issue("four", now_s=10_060)
    assert tickets.dead_cookies({tickets.cookie_name("four"): "x"}, 10_060) == []


def test_the_browser_s_ticket_over_http(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "ticket_s=0.5") as server:
        answer = server.post('{"command": "echo mine; sleep 2"}')
        stream_id = answer.json()["data"]["id"]
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "Path=/projects/p/events", "SameSite=strict"} <= {
            part.strip() for part in cookie.split(";")
        }
        browser = requests.Session()
        browser.trust_env = False
        browser.headers["Cookie"] = cookie.partition(";")[0]
        events = f"{server.project_url}/events?stream_id="
        other = server.start("echo other")
        assert browser.get(events + other, timeout=30).status_code == 401
        assert browser.delete(f"{server.project_url}/shell/{stream_id}", timeout=30).status_code == 401
        whole = parse(browser.get(events + stream_id, timeout=30).content)
        assert whole[-1].name == "complete", "it outlives its time while the stream is open"
        assert browser.get(events + stream_id, headers={"Last-Event-ID": whole[1].id}, timeout=30).status_code == 200

        # Each look keeps a ticket alive, so there is one look, well after its time.
        server.run("sleep 0.7")
        assert browser.get(events + stream_id, timeout=30).status_code == 401
        browser.close()


@pytest.mark.parametrize("key", [None, "", "wrong", KEY, "test-kez", "ключ".encode()])
def test_without_the_key_nothing(shared: Served, key: str | bytes | None) -> None:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"X-API-Key": key})
    for method, path in (
        ("POST", "/shell"),
        ("GET", "/events?stream_id=" + "0" * 32),
        ("DELETE", "/shell/" + "0" * 32),
    ):
        answer = requests.request(
            method, shared.project_url + path, headers=headers, data='{"command": "touch attacked"}', timeout=30
        )
        assert answer.status_code == 401
        assert shared.key not in answer.text
    assert not (shared.root / "attacked").exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain; application/json"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
    ],
)
def test_with_the_key_but_from_elsewhere(shared: Served, headers: dict[str, str], status: int) -> None:
    answer = shared.post('{"command": "true"}', **headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    if status >= 400:
        assert answer.json()["error"]["message"]


def test_a_preflight_is_refused(shared: Served) -> None:
    answer = shared.session.options(
        f"{shared.project_url}/shell",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
        timeout=30,
    )
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_two_hosts_or_none_are_refused(shared: Served) -> None:
    for hosts in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        answer = answer_to(shared, b"GET /health HTTP/1.1\r\nConnection: close\r\n" + hosts + b"\r\n")
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 403")), answer


def test_sizes_are_bounded(shared: Served) -> None:
    big = shared.post(json.dumps({"command": "x" * 1_100_000}))
    assert big.status_code == 413
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n"
    assert answer_to(shared, head).startswith(b"HTTP/1.1 431")
    assert answer_to(shared, head[:-4]).startswith(b"HTTP/1.1 400"), "nor one without end"
    endless = b"POST /projects/p/shell HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    endless += b"X-API-Key: " + shared.key.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answer_to(shared, endless + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 40).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100]
)
def test_what_is_no_http(shared: Served, junk: bytes) -> None:
    answer = answer_to(shared, junk + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 40")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


def test_slow_heads_and_bodies_are_cut_off(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "head_s=0.3", "--limit", "body_s=0.3") as server:
        assert answer_to(server, b"") == b""
        assert answer_to(server, b"GET /health HTTP/1.1\r\nHost: local") == b""
        keyed = b"Host: localhost\r\nX-API-Key: test-key\r\n"
        post = (
            b"POST /projects/p/shell HTTP/1.1\r\n"
            + keyed
            + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert answer_to(server, post).startswith(b"HTTP/1.1 408")
        # The second request of a connection has no more time than the first.
        twice = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(twice)
            answer = b""
            while b'"status":"ok"' not in answer:
                answer += connection.recv(65536)
            connection.sendall(twice[:20])
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
        # A stream is no head, however long it takes.
        assert parse(server.read(server.start("sleep 1; echo ok")))[-2].data["line"] == "ok"


def test_too_many_connections_are_turned_away(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "connections=3") as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        eventually(lambda: answer_to(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") == b"")
        for connection in held:
            connection.close()
        close = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        eventually(lambda: answer_to(server, close).startswith(b"HTTP/1.1 200"))


def test_files_are_the_owner_s_alone_and_argv_holds_no_key(root: Path, state: Path) -> None:
    previous = os.umask(0)
    try:
        with serving(root, state, key=None) as server:
            server.read(server.start("echo secret output", Idempotency_Key="k"))
            for path in [state, *state.rglob("*")]:
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
            assert len(server.key) >= len("rdev_") + 32, "192 bits"
            assert server.key not in Path(f"/proc/{server.process.pid}/cmdline").read_text()
            # Commands are as open to others as the user's umask has it, not as the server's files.
            server.run("touch made")
            environment = parse(server.read(server.start("cat /proc/self/environ | tr '\\0' '\\n'; env")))
            assert server.key not in repr(environment)
    finally:
        os.umask(previous)


def test_the_key_is_in_no_output_of_the_server(root: Path, state: Path) -> None:
    server = Served(root, state, key="very-secret-key")
    server.post("not json")
    server.session.headers["X-API-Key"] = "another-secret"
    server.post("{}")
    answer_to(server, b"junk very-secret-key\r\n\r\n")
    server.process.send_signal(signal.SIGTERM)
    out, err = server.process.communicate(timeout=30)
    server.session.close()
    assert "secret" not in out + err


def test_a_generated_key_stays_the_same(root: Path, state: Path) -> None:
    with serving(root, state, key=None) as server:
        first = server.key
    with serving(root, state, key=None) as server:
        assert server.key == first


def serve_fails(*args: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rdev_bridge", "serve", *args],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("port", ["65536", "-1", "http", "8080 "])
def test_a_port_that_is_none(root: Path, state: Path, port: str) -> None:
    refused = serve_fails(root, f"--port={port}", "--state-dir", state)
    assert refused.returncode == 2
    assert f"{port!r} is no port" in refused.stderr


def test_beyond_loopback_only_with_a_key_of_one_s_own(root: Path, state: Path) -> None:
    refused = serve_fails(root, "--host", "0.0.0.0", "--port", "0", "--state-dir", state)
    assert refused.returncode == 2
    assert "--api-key-file" in refused.stderr
    server = Served(root, state, "--host", "0.0.0.0", key="own")
    try:
        assert requests.get(f"{server.url}/health", headers={"Host": "192.0.2.7"}, timeout=30).status_code == 200
        assert requests.get(f"{server.url}/health", headers={"Host": "evil.example"}, timeout=30).status_code == 403
        assert server.process.stderr is not None
        assert "TLS" in server.process.stderr.readline()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("mode", "content", "word"),
    [(0o644, "key", "chmod 600"), (0o600, "", "no key"), (0o600, "two words", "no key"), (0o600, "ключ", "no key")],
)
def test_a_bad_key_file(root: Path, tmp_path: Path, mode: int, content: str, word: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    file.chmod(mode)
    refused = serve_fails(root, "--port", "0", "--api-key-file", file)
    assert refused.returncode == 125
    assert word in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_key_file_of_one_s_own(root: Path, state: Path, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    file.chmod(0o600)
    with serving(root, state, "--api-key-file", str(file), key="from-the-environment") as server:
        assert server.post('{"command": "true"}').status_code == 401
        server.session.headers["X-API-Key"] = "from-a-file"
        assert server.post('{"command": "true"}').status_code == 201


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--project", ".."], "A-Z"),
        (["--project", "a/b"], "A-Z"),
        (["--limit", "no_such=1"], "heartbeat_s"),
        (["--limit", "streams=many"], "number"),
        (["--limit", "streams=0"], "above 0"),
        (["--shell", ""], "program"),
        (["--shell", "'open"], "quot"),
    ],
)
def test_wrong_flags_exit_2(root: Path, args: list[str], word: str) -> None:
    refused = serve_fails(root, "--port", "0", *args)
    assert refused.returncode == 2
    assert word in refused.stderr


def test_a_port_in_use(root: Path, shared: Served) -> None:
    refused = serve_fails(root, "--port", str(shared.port))
    assert refused.returncode == 125
    assert re.search(rf"{shared.port}.*--port", refused.stderr)
    assert refused.stdout == ""


def test_limits_fit_the_system() -> None:
    assert Limits().within(256).running == 16
    assert Limits().within(8192) == Limits()
    assert Limits().within(1 << 20) == Limits()


@pytest.mark.parametrize(("soft", "hard", "expected"), [(256, 3000, 3000), (256, 9000, 8192), (8500, 9000, 8500)])
def test_the_bound_on_open_files_is_raised_where_it_may(soft: int, hard: int, expected: int) -> None:
    code = (
        "import resource as r; from rdev_bridge.server.main import open_files\n"
        f"r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard})); print(open_files(), *r.getrlimit(r.RLIMIT_NOFILE))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(expected), str(expected), str(hard)]


def test_an_allowed_origin(root: Path, state: Path) -> None:
    with serving(root, state, "--allow-origin", "https://dev.example", "--allow-host", "dev.example") as server:
        assert server.post('{"command": "true"}', Origin="https://dev.example", Host="dev.example").status_code == 201
        assert server.post('{"command": "true"}', Origin="https://dev.example.evil").status_code == 403


def test_a_reader_that_leaves_frees_its_place(root: Path, state: Path) -> None:
    with serving(root, state, "--limit", "streams=1") as server:
        stream_id = server.start("sleep 600")
        for _ in range(3):

            def opened() -> bool:
                with server.open(stream_id) as answer:
                    if answer.status_code != 200:
                        return False
                    return next_event(answer.iter_content(1)).name == "connected"

            eventually(opened)
