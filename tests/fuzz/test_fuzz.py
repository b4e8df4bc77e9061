"""Each target under hypothesis: bytes made of what breaks such readers, and of anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "found"
QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=400, phases=[Phase.reuse, Phase.generate, Phase.shrink])


def fuzz(name: str, profile: settings) -> None:
    target = TARGETS[name]
    pieces = st.sampled_from(target.words) | st.binary(max_size=4) | st.text(max_size=4).map(str.encode)

    @settings(profile)
    @given(st.lists(pieces, max_size=20).map(b"".join))
    def run(data: bytes) -> None:
        target.check(data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample(name: str) -> None:
    fuzz(name, QUICK)


@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_for_longer(name: str) -> None:
    fuzz(name, LONG)


@pytest.mark.parametrize("found", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_not_found_again(found: Path) -> None:
    TARGETS[found.parent.name].check(found.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_says_what_it_promises(name: str) -> None:
    assert TARGETS[name].promise.startswith("Any ")
    TARGETS[name].check(b"")
    TARGETS[name].check(b"".join(TARGETS[name].words))
