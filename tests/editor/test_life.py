"""The ends of the daemon's life: within 2 s, with LSP's exit code, whichever way the editor goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.editor.editor import Editor, framed
from tests.support.wait import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _close_stdin(editor: Editor) -> None:
    assert editor.process.stdin is not None
    editor.process.stdin.close()


def _exit(editor: Editor) -> None:
    editor.notify("exit", None)


def _signal(number: int) -> Callable[[Editor], None]:
    return lambda editor: editor.process.send_signal(number)


WAYS: dict[str, tuple[Callable[[Editor], None], int]] = {
    "exit without shutdown": (_exit, 1),
    "end of stdin": (_close_stdin, 1),
    "SIGTERM": (_signal(signal.SIGTERM), 143),
    "SIGINT": (_signal(signal.SIGINT), 130),
    "SIGHUP": (_signal(signal.SIGHUP), 129),
}


@pytest.mark.parametrize("way", WAYS)
def test_exit_code(way: str, tmp_path: Path) -> None:
    leave, code = WAYS[way]
    with Editor(tmp_path) as editor:
        editor.initialize()
        leave(editor)
        assert editor.ended() == code


def test_exit_before_initialize() -> None:
    with Editor() as editor:
        editor.notify("exit", None)
        assert editor.ended() == 1


def test_end_of_stdin_after_shutdown() -> None:
    with Editor() as editor:
        editor.initialize()
        editor.call("shutdown")
        _close_stdin(editor)
        assert editor.ended() == 0


def test_end_of_stdin_in_the_middle_of_a_frame() -> None:
    with Editor() as editor:
        editor.initialize()
        editor.send_bytes(b"Content-Length: 100\r\n\r\n{")
        _close_stdin(editor)
        assert editor.ended() == 1


def test_closed_stdout_ends_it_though_nothing_is_being_written(tmp_path: Path) -> None:
    inbound, outbound = os.pipe(), os.pipe()
    daemon = subprocess.Popen([sys.executable, "-m", "rdev_bridge", "lsp"], stdin=inbound[0], stdout=outbound[1])
    os.close(inbound[0])
    os.close(outbound[1])
    os.write(inbound[1], framed({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}))
    assert os.read(outbound[0], 10)
    os.close(outbound[0])
    assert daemon.wait(PATIENCE_S) == 1
    os.close(inbound[1])


@pytest.mark.parametrize("is_reaped", [True, False], ids=["reaped", "zombie"])
def test_a_dead_editor_ends_it(tmp_path: Path, is_reaped: bool) -> None:
    stand_in = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with Editor(tmp_path) as editor:
        editor.initialize(processId=stand_in.pid)
        stand_in.kill()
        if is_reaped:
            stand_in.wait()
        assert editor.ended() == 1
    stand_in.communicate()


def test_an_editor_that_was_dead_already(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with Editor(tmp_path) as editor:
        editor.send(
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": gone.pid, "capabilities": {}}}
        )
        assert editor.take(lambda message: message.get("id") == 1)
        assert editor.ended() == 1


def test_a_recorded_session_is_read_from_a_plain_file(tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.write_bytes(
        framed({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}})
        + framed({"jsonrpc": "2.0", "id": 2, "method": "shutdown"})
        + framed({"jsonrpc": "2.0", "method": "exit"})
    )
    with session.open("rb") as recorded:
        done = subprocess.run(
            [sys.executable, "-m", "rdev_bridge", "lsp", "--stdio"],
            stdin=recorded,
            capture_output=True,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"Content-Length") == 2
