"""Bad requests against the real daemon: what JSON-RPC and LSP say, and it goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rdev_bridge.editor.surrogates import made_whole
from tests.editor.editor import Editor, Refused, framed

INIT = {"processId": None, "capabilities": {}}


def refusal(editor: Editor, number: Any = None) -> dict[str, Any]:
    message = editor.take(lambda message: "error" in message and message["id"] == number)
    assert set(message) == {"jsonrpc", "id", "error"}
    assert "Traceback" not in str(message)
    error: dict[str, Any] = message["error"]
    return error


def still_answers(editor: Editor) -> None:
    assert editor.call("rdev/tasks") is not None


BAD_MESSAGES = [
    (framed(b"{"), None, -32700),
    (framed(b""), None, -32700),
    (framed(b"\xff\xfe{}"), None, -32700),
    (framed(b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"t":"\xff"}}'), None, -32700),
    (framed(b'{"jsonrpc":"2.0","id":7,"method":"rdev/run","params":{"task":"\\ud800"}}'), 7, -32602),
    (framed(b"[" * 100_000), None, -32600),
    (framed(b'{"a":' * 50_000), None, -32700),
    (framed(b"[]"), None, -32600),
    (framed(b'[{"jsonrpc":"2.0","id":1,"method":"rdev/tasks"}]'), None, -32600),
    (framed(b"17"), None, -32600),
    (framed(b"null"), None, -32600),
    (framed(b'"text"'), None, -32600),
    (framed(b"{}"), None, -32600),
    (framed(b'{"jsonrpc":"1.0","id":7,"method":"rdev/tasks"}'), 7, -32600),
    (framed(b'{"id":7,"method":"rdev/tasks"}'), 7, -32600),
    (framed(b'{"jsonrpc":"2.0","id":7}'), 7, -32600),
    (framed(b'{"jsonrpc":"2.0","id":7,"method":17}'), 7, -32600),
    (framed(b'{"jsonrpc":"2.0","id":null,"method":"rdev/tasks"}'), None, -32600),
    (framed(b'{"jsonrpc":"2.0","id":{},"method":"rdev/tasks"}'), None, -32600),
    (framed(b'{"jsonrpc":"2.0","id":true,"method":"rdev/tasks"}'), None, -32600),
    (framed(b'{"jsonrpc":"2.0","id":7,"method":"no/such"}'), 7, -32601),
    (framed(b'{"jsonrpc":"2.0","id":7,"method":"$/no/such"}'), 7, -32601),
    (framed(b'{"jsonrpc":"2.0","id":"seven","method":"no/such"}'), "seven", -32601),
    (
        framed(b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"no/such"}'),
        123456789012345678901234567890,
        -32601,
    ),
    (framed(b'{"jsonrpc":"2.0","id":7,"method":"initialize","params":{}}'), 7, -32600),
    (b"Content-Length: -1\r\n\r\n", None, -32700),
    (b"Content-Length: 99999999999999\r\n\r\n", None, -32700),
    (b"Content-Type: text/plain\r\n\r\n", None, -32700),
    (b"Content-Length: 4000\r\n\r\n{}", None, -32700),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("daemon")
    environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    with Editor(home, environ=environ) as editor:
        editor.initialize()
        yield editor


@pytest.mark.parametrize(("sent", "number", "code"), BAD_MESSAGES, ids=range(len(BAD_MESSAGES)))
def test_a_bad_message_is_answered_and_the_daemon_goes_on(running: Editor, sent: bytes, number: Any, code: int) -> None:
    running.send_bytes(sent + framed({"jsonrpc": "2.0", "id": 999_999_999, "method": "rdev/tasks"}))
    assert refusal(running, number)["code"] == code
    assert "result" in running.take(lambda message: message.get("id") == 999_999_999)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uD83D\uDE00 \udc00"', rb'"\uD83D\uDE00 \ufffd"'),
        (rb'"\ud83d\ud83d\ude00\n"', rb'"\ufffd\ud83d\ude00\n"'),
        (rb'"\\ud83d \\\ud83d"', rb'"\\ud83d \\\ufffd"'),
        (rb'"\ud7ff\ue000"', rb'"\ud7ff\ue000"'),
    ],
)
def test_half_characters_become_the_replacement_character(sent: bytes, wanted: bytes) -> None:
    assert made_whole(sent) == wanted
    assert json.loads(wanted).encode()


def test_a_document_with_half_an_emoji_is_as_good_as_any(running: Editor) -> None:
    """As VS Code sends it: JSON.stringify writes the half as an escape."""
    document = b'{"uri":"file:///x.py","languageId":"python","version":1,"text":"\\ud83d"}'
    running.send_bytes(
        framed(b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":%b}}' % document)
    )
    running.send_bytes(framed(b'{"jsonrpc":"2.0","id":31,"method":"rdev/run","params":{"task":"half \\ud83d"}}'))
    assert "half \ufffd" in refusal(running, 31)["message"]
    still_answers(running)


@pytest.mark.parametrize(
    ("method", "params", "word"),
    [
        ("rdev/run", {}, "task"),
        ("rdev/run", {"task": 17}, "task"),
        ("rdev/run", {"task": "x", "command": "true"}, "either"),
        ("rdev/run", {"command": ""}, "either"),
        ("rdev/run", {"command": ["true"]}, "command"),
        ("rdev/run", {"command": "true", "arguments": "x"}, "arguments"),
        ("rdev/run", {"command": "true", "arguments": [1]}, "arguments"),
        ("rdev/run", {"command": "true", "env": {"A": 1}}, "env"),
        ("rdev/run", {"command": "true", "onBusy": "sometimes"}, "onBusy"),
        ("rdev/run", {"command": "true", "folder": "file:///elsewhere"}, "open"),
        ("rdev/run", {"task": "nothing"}, "nothing"),
        ("rdev/run", [], "array"),
        ("rdev/run", 5, "int"),
        ("rdev/cancel", {}, "runId"),
        ("rdev/cancel", {"runId": 5}, "runId"),
        ("rdev/cancel", {"runId": "no-such"}, "no-such"),
        ("rdev/readOutput", {"runId": "no-such", "seq": 0, "limit": 5}, "no-such"),
        ("rdev/readOutput", {"runId": "x", "seq": "0", "limit": 5}, "seq"),
        ("rdev/readOutput", {"runId": "x", "seq": -1, "limit": 5}, "seq"),
        ("rdev/readOutput", {"runId": "x", "seq": 0, "limit": 0}, "limit"),
        ("rdev/attach", {"runId": "no-such"}, "no-such"),
        ("rdev/watch", {"task": "no-such", "enabled": True}, "no-such"),
        ("rdev/watch", {"task": "x", "enabled": "yes"}, "enabled"),
        ("rdev/trust", {"folder": "file:///elsewhere"}, "open"),
        ("workspace/executeCommand", {"command": "rdev.nothing"}, "rdev.nothing"),
        ("workspace/executeCommand", {"command": "rdev.run", "arguments": []}, "rdev.run"),
        ("workspace/executeCommand", {"command": "rdev.run", "arguments": [17]}, "rdev.run"),
        ("workspace/executeCommand", {"command": "rdev.run", "arguments": ["no-such"]}, "no-such"),
        ("workspace/executeCommand", {"command": "rdev.cancel", "arguments": ["no-such"]}, "no-such"),
        ("textDocument/codeLens", {"textDocument": {}}, "uri"),
    ],
)
def test_bad_params_say_what_is_wrong(running: Editor, method: str, params: Any, word: str) -> None:
    with pytest.raises(Refused, match=word) as refused:
        running.call(method, params)
    assert refused.value.code == -32602


def test_before_initialize_nothing_is_served() -> None:
    with Editor() as editor:
        editor.notify("textDocument/didSave", {"textDocument": {"uri": "file:///x"}})
        for method in ("rdev/tasks", "no/such", "shutdown"):
            with pytest.raises(Refused) as refused:
                editor.call(method)
            assert refused.value.code == -32002
        editor.initialize()
        still_answers(editor)


def test_after_shutdown_only_exit_is_served() -> None:
    editor = Editor()
    with editor:
        editor.initialize()
        assert editor.call("shutdown") is None
        for method in ("rdev/tasks", "shutdown", "initialize"):
            with pytest.raises(Refused) as refused:
                editor.call(method, {})
            assert refused.value.code == -32600
        editor.notify("exit", None)
        assert editor.ended() == 0


def test_unknown_and_malformed_notifications_are_let_pass(running: Editor) -> None:
    running.notify("$/setTrace", {"value": "off"})
    running.notify("no/such", {})
    running.notify("textDocument/didSave", {"textDocument": 5})
    running.notify("workspace/didChangeWorkspaceFolders", {})
    running.notify("$/cancelRequest", {"id": 4711})
    running.notify("$/cancelRequest", {})
    running.send({"jsonrpc": "2.0", "id": "nobody-asked", "result": None})
    running.send({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "x"}})
    still_answers(running)
