"""The package in a real Emacs (28, in batch): each test here prepares a project and runs the ERT test of its name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.other_folder import other_folder
from tests.support.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.editor

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "editors" / "emacs"
ERT = Path(__file__).with_name("emacs")
TASKS = """\
[tasks.fail]
command = "echo one; echo two; exit 3"

[tasks.colour]
command = "printf '\\\\033[31mred\\\\033[0m\\\\nplain\\\\n'"
description = "prints in red"

[tasks.check]
command = "printf '%s\\\\n' $PWD/app.py:2:7:' error: undefined name nmae' 'util.py:1:1: warning: no docstring'; exit 1"
problem_matcher = "generic"

[tasks.say]
command = "echo ${relativeFile}"

[tasks.slow]
command = "echo pid $$; exec sleep 600"

[tasks.on-save]
command = "echo checked $(cat app.py)"
watch = ["*.py"]
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def emacs(*words: str | Path, cwd: Path, timeout_s: float = 100) -> str:
    """What a batch Emacs said, which must end well."""
    argv = ["emacs", "--batch", *map(str, words)]
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ert_words(name: str) -> list[str | Path]:
    file = f"{name.partition('-')[0]}-tests.el"
    return ["-q", "-L", PACKAGE, "-l", ERT / file, "--eval", f'(ert-run-tests-batch-and-exit "^{name}$")']


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shöp"
    folder.mkdir()
    (folder / "rdev.toml").write_text(TASKS)
    (folder / "app.py").write_text("name = 'shop'\nprint(nmae)\n")
    (folder / "util.py").write_text("x = 1\n")
    return folder


@pytest.fixture
def ert(project: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Run the ERT test that is called as the Python test; `test_eglot_…` are those of Eglot alone."""
    name = request.node.name.removeprefix("test_").replace("_", "-")
    name = name.replace("eglot-", "eglot-tests-", 1) if name.startswith("eglot-") else f"rdev-tests-{name}"

    def run() -> str:
        said = emacs(*ert_words(name), cwd=project)
        assert "Ran 1 tests, 1 results as expected" in said, said
        return said

    return run


# ── what a person does ──


@pytest.mark.shows("emacs", "run", "result", "output")
def test_run_shows_output_and_result(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "pick")
def test_a_task_is_picked_from_a_list(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "colours")
def test_colours(ert: Callable[[], str]) -> None:
    ert()


def test_a_line_is_as_a_terminal_leaves_it(ert: Callable[[], str]) -> None:
    ert()


def test_arguments_and_the_file_go_with_a_task(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "cancel")
def test_cancel(ert: Callable[[], str]) -> None:
    ert()


def test_run_again(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "flood")
def test_a_sync_conflict_is_solved_by_a_command(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ert: Callable[[], str]
) -> None:
    with other_folder(tmp_path / "there") as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        (server.root / "util.py").write_text("theirs\n")
        pushed = '\n[tasks.pushed]\ncommand = "cat util.py"\nsync = "push"\n'
        (project / "rdev.toml").write_text(f'remote_root = "{server.root}"\n{TASKS}{pushed}')
        ert()


def test_a_flood_is_bounded_and_freezes_nothing(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "next-error")
def test_next_error_finds_the_local_file(project: Path, ert: Callable[[], str]) -> None:
    elsewhere = shutil.copytree(project, project.parent / "elsewhere")
    tasks = TASKS.replace("[tasks.check]", f"[tasks.check]\ncwd = '{elsewhere}'")
    (project / "rdev.toml").write_text(f"remote_root = '{elsewhere}'\n{tasks}")
    ert()


@pytest.mark.shows("emacs", "diagnostics")
def test_problems_stand_on_their_lines(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "runs", "attach")
def test_runs_of_others_are_listed_followed_and_ended(project: Path, ert: Callable[[], str]) -> None:
    command = ": terminal-made; echo first; while [ ! -e more ]; do sleep 0.05; done; echo second; sleep 600"
    subprocess.run(
        ["rdev-bridge", "run", "--detach", "--", command], cwd=project, env=environment(), check=True, timeout=60
    )
    try:
        ert()
    finally:
        (project / "more").touch()  # so that it ends also where the test failed


@pytest.mark.shows("emacs", "log")
def test_the_log_opens(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "save", "watch")
def test_a_save_runs_what_watches_once_trusted(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "status")
def test_the_mode_line_says_what_runs(ert: Callable[[], str]) -> None:
    ert()


def test_a_folder_with_an_rdev_toml_is_a_project(ert: Callable[[], str]) -> None:
    ert()


def test_errors_are_the_bridge_s_own_words(ert: Callable[[], str]) -> None:
    ert()


@pytest.mark.shows("emacs", "health")
def test_the_doctor_says_what_is_well(ert: Callable[[], str]) -> None:
    ert()


def test_a_bridge_that_dies_is_told_and_started_again(ert: Callable[[], str]) -> None:
    ert()


def test_the_end_of_emacs_is_the_end_of_all(project: Path) -> None:
    words = ert_words("rdev-tests-the-end-of-emacs-is-the-end-of-all")
    argv = ["emacs", "--batch", *map(str, words)]
    with subprocess.Popen(argv, cwd=project, env=environment(), stdin=subprocess.DEVNULL) as process:
        try:
            eventually((project / "said").exists, 60, "the run in Emacs")
            eventually(lambda: len((project / "said").read_text().split()) == 2, what="two pids")
            pids = (project / "said").read_text().split()
            assert all(Path("/proc", pid).exists() for pid in pids)
        finally:
            process.kill()
    eventually(lambda: not any(Path("/proc", pid).exists() for pid in pids), what="the end of bridge and command")


def test_beside_eglot(project: Path, ert: Callable[[], str]) -> None:
    server = project / "language-server"
    shutil.copy(ERT / "language_server.py", server)
    server.write_text(f"#!{sys.executable}\n{server.read_text()}")
    server.chmod(0o755)
    ert()


# ── Eglot alone, with one line of configuration ──


@pytest.mark.shows("emacs", "actions")
def test_eglot_a_task_by_a_code_action(ert: Callable[[], str]) -> None:
    ert()


def test_eglot_problems_on_their_lines(ert: Callable[[], str]) -> None:
    ert()


def test_eglot_commands_return_at_once_and_cancel_ends(ert: Callable[[], str]) -> None:
    ert()


# ── the package ──


def sources() -> list[str]:
    return sorted(path.name for path in PACKAGE.glob("*.el"))


@pytest.mark.parametrize("name", sources())
def test_compiles_without_a_warning(name: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "emacs")
    strictly = ["--eval", "(setq byte-compile-error-on-warn t)"]
    emacs("-Q", "-L", ".", *strictly, "-f", "batch-byte-compile", name, cwd=tmp_path / "emacs")


@pytest.mark.parametrize("name", sources())
def test_checkdoc_has_nothing_to_say(name: str) -> None:
    assert emacs("-Q", "--eval", f'(checkdoc-file "{name}")', cwd=PACKAGE) == ""


def test_installs_as_a_package_and_loads_nothing_before_it_is_used(tmp_path: Path, project: Path) -> None:
    elpa = f'(progn (require \'package) (setq package-user-dir "{tmp_path}/elpa"))'
    said = emacs("-Q", "--eval", elpa, "--eval", f'(package-install-file "{PACKAGE}")', cwd=tmp_path)
    assert "Warning" not in said, said
    commands = "rdev-run rdev-cancel rdev-runs rdev-attach rdev-watch rdev-log rdev-mode global-rdev-mode"
    emacs(
        "-Q",
        "--eval",
        elpa,
        "--eval",
        f"""(progn
          (package-initialize)
          (dolist (command '({commands}))
            (unless (and (commandp command) (autoloadp (symbol-function command)))
              (error "%s is no autoloaded command" command)))
          (when (featurep 'rdev-client) (error "loaded before it is used"))
          (global-rdev-mode 1)
          (find-file "app.py")
          (unless rdev-mode (error "rdev-mode is off"))
          (unless (rdev-run "fail") (error "no run")))""",
        cwd=project,
    )
