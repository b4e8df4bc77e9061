"""What every test gets: a home of its own, and the `--full` switch."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.soak.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIGURES = "reliability"


# A busy machine is slow now and then; a time limit for an example would measure only that. Hangs meet pytest-timeout.
settings.register_profile("rdev-bridge", deadline=None)
settings.load_profile("rdev-bridge")


# `nohup` has SIGHUP ignored, for all that the tests start too.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    selected = [item for item in items if "full" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if "full" in item.keywords])
    items[:] = selected


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests of reliability relayed and broke, added up (docs/reliability.md shows the last full run's)."""
    total, found = Figures(), False
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == FIGURES:
                total.add(Figures.from_wire(value))
                found = True
    if found:
        terminalreporter.section("reliability")
        terminalreporter.write_line(total.table())


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[[Figures], None]:
    """Adds the figures of a test to the table at the end, and fails it where anything was wrong."""

    def note(figures: Figures) -> None:
        record_property(FIGURES, figures.to_wire())
        assert figures.good, figures.table()

    return note


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME and the XDG folders of this test alone; no `RDEV_*` of the person who runs the tests gets in."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name, folder in {
        "XDG_CONFIG_HOME": ".config",
        "XDG_STATE_HOME": ".local/state",
        "XDG_DATA_HOME": ".local/share",
        "XDG_CACHE_HOME": ".cache",
        "XDG_RUNTIME_DIR": "run",
    }.items():
        (home / folder).mkdir(parents=True, mode=0o700)
        monkeypatch.setenv(name, str(home / folder))
    for name in ("RDEV_URL", "RDEV_PROJECT", "RDEV_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return home
