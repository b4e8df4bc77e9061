"""The command line itself: help, unknown words, errors in a stranger's file, a reader that goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.cli.main import SUBCOMMANDS, main
from tests.cli.bridge import PATIENCE_S, ROOT

if TYPE_CHECKING:
    from tests.cli.bridge import Bridge


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([name, "--help"])
    assert leaving.value.code == 0
    assert SUBCOMMANDS[name].summary[1:] in " ".join(capsys.readouterr().out.split())


def test_a_full_disk_under_stdout_is_one_line(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text('[tasks.a]\ncommand = "true"\n')
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = bridge.call("tasks", stdout=full)
    assert (done.returncode, done.stderr) == (125, b"rdev-bridge: No space left on device\n")


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ([], 2, "", "usage: rdev-bridge"),
        (["taks"], 2, "", "there is no command 'taks'; did you mean \"tasks\"?"),
        (["qqq"], 2, "", "--help"),
        (["ta\x1bks"], 2, "", "\\x1bks"),
    ],
)
def test_bad_usage(words: list[str], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    shown = capsys.readouterr()
    assert shown.out == out
    assert err in shown.err
    assert "\x1b" not in shown.err


@pytest.mark.parametrize("words", [["--help"], ["help"], ["--version"], ["help", "run"]])
def test_what_is_asked_for_is_told_on_stdout(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(words)
    assert leaving.value.code == 0
    assert "rdev-bridge" in capsys.readouterr().out


def test_tasks_as_a_table_and_as_json(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text(
        "[tasks.b]\ncommand='make'\n[tasks.test]\ncommand='x'\ndescription='all \\u001b[31m tests'\n"
        "group='test'\ndepends_on='b'\n".replace("'all \\u001b[31m tests'", '"all \\u001b[31m tests"')
    )
    lines = bridge.call("tasks").stdout.decode().splitlines()
    assert [line.split() for line in lines[:2]] == [["TASK", "GROUP", "WHAT"], ["b", "make"]]
    assert lines[2] == "test  test   all \\x1b[31m tests  (after b)"
    wire = [json.loads(line) for line in bridge.call("tasks", "--output", "jsonl").stdout.splitlines()]
    assert [task["id"] for task in wire] == ["b", "test"]
    assert wire[1]["location"]["range"]["start"] == {"line": 2, "character": 0}
    assert wire[0]["trusted"] is False


def test_no_tasks_is_told_kindly(bridge: Bridge) -> None:
    done = bridge.call("tasks")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"rdev-bridge init" in done.stderr
    (bridge.folder / "rdev.toml").write_text("# none yet\n")
    assert b"its rdev.toml is the place for them" in bridge.call("tasks").stderr


def test_a_wrong_file_is_one_line_with_its_place(bridge: Bridge) -> None:
    (bridge.folder / "rdev.toml").write_text('[tasks.a]\ncommand = "x"\ndepends_on = ["\\u001b]0;pwned\\u0007"]\n')
    for words in (["tasks"], ["run", "a"]):
        done = bridge.call(*words)
        assert (done.returncode, done.stdout) == (2, b"")
        assert f"{bridge.folder}/rdev.toml:3: tasks.a.depends_on[0]: ".encode() in done.stderr
        assert b"\x1b" not in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_a_reader_that_goes_is_no_traceback(bridge: Bridge) -> None:
    tasks = "".join(f"[tasks.t{n}]\ncommand='{'x' * 90}'\n" for n in range(3000))
    (bridge.folder / "rdev.toml").write_text(tasks)
    process = bridge.start("tasks")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with process:
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_importing_the_command_line_is_quick_since_it_imports_little() -> None:
    import sys

    code = "import sys, rdev_bridge.cli.main as m; m._parser_for(['tasks']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "keyring", "watchfiles", "asyncio", "starlette"} & set(loaded)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_descriptor_that_is_closed_is_nothing_and_no_other_file(bridge: Bridge, closed: str) -> None:
    script = f"exec {sys.executable} -P -m rdev_bridge run -- 'echo out; echo err >&2; exit 3' {closed}"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", script], cwd=bridge.folder, env=environ, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 3
    assert done.stdout == (b"" if " >&-" in f" {closed}" else b"out\n")
    assert done.stderr == (b"" if "2>&-" in closed else b"err\n")


def test_a_folder_that_is_gone_is_told(bridge: Bridge) -> None:
    script = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -P -m rdev_bridge run -- true"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", script], cwd=bridge.folder, env=environ, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"rdev-bridge: the folder you stand in is gone; go to another one, or name it with -C\n"
