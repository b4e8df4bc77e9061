"""The wall clock jumps by days while a stream breaks and is resumed: nothing but dates may notice (libfaketime)."""

from __future__ import annotations

from pathlib import Path

from tests.editor.conftest import RDEV
from tests.editor.editor import Editor
from tests.editor.test_broken_streams import QUIET, ended
from tests.faults.cuts import after_events
from tests.faults.proxy import PASS, Fault, FaultProxy, Request
from tests.support.background import Background
from tests.support.foreign_server import ForeignServer
from tests.support.wait import eventually

JUMPS = ("-400d", "+0", "+4000d", "-20y", "+3y")


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    clock, waits = tmp_path / "clock", tmp_path / "waits"
    clock.write_text("+0")
    jumps = iter(JUMPS)

    def plan(request: Request) -> Fault:
        """Each connection brings one event more, and the time is another one before the next."""
        jump = next(jumps, None) if request.is_stream else None
        if jump is None:
            return PASS
        fresh = clock.with_suffix(".new")
        fresh.write_text(jump)
        fresh.replace(clock)
        return Fault(cut_when=after_events(2, 5))

    with Background() as here:
        server = here.enter(ForeignServer(cwd=str(tmp_path)))
        proxy = here.enter(FaultProxy(server.port, plan))
        environ = {"RDEV_URL": proxy.url, "RDEV_PROJECT": server.project, "RDEV_API_KEY": server.key}
        environ |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with Editor(tmp_path, environ=environ, ignored=QUIET) as editor:
            editor.initialize(capabilities=RDEV)
            command = f"seq 1 12; touch '{waits}'; until [ -e go ]; do sleep 0.02; done; seq 13 20; exit 7"
            first = editor.call("rdev/run", {"command": command})
            eventually(waits.exists)
            second = editor.call("rdev/run", {"command": "date +%Y"})
            stdout, _, run = editor.output_of(second["runId"])
            assert ended(run) == ("succeeded", 0)
            assert run["durationMs"] < 60_000
            (tmp_path / "go").touch()
            stdout, _, run = editor.output_of(first["runId"])
    assert stdout == [str(n) for n in range(1, 21)]
    assert ended(run) == ("failed", 7)
    assert 0 <= run["durationMs"] < 120_000
    assert list(jumps) == [], "all of them were made"
