"""A short soak, a longer one with `--full`, and proof that it would notice."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.proxy import PASS, Fault, FaultProxy
from tests.soak.work import Lane, Server, soak, workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.soak.figures import Figures


async def test_a_few_seconds_of_everything(tmp_path: Path, tally: Callable[[Figures], None]) -> None:
    figures = await soak(tmp_path, 6, seed=5, at_once=6)
    tally(figures)
    assert figures.runs > 10
    assert figures.faults["daemon killed"]
    assert figures.faults["server killed"]


@pytest.mark.full
@pytest.mark.timeout(900)
async def test_minutes_of_everything(tmp_path: Path, tally: Callable[[Figures], None]) -> None:
    seed = secrets.randbelow(10**6)
    print(f"python -m tests.soak --minutes 2 --seed {seed}")
    tally(await soak(tmp_path, 120, seed, at_once=12))


async def test_it_notices_a_line_that_never_arrives(tmp_path: Path) -> None:
    server = Server(workspace(tmp_path / "work"))
    try:
        async with FaultProxy(
            server.port, lambda request: Fault(lose=b"data: x") if request.is_stream else PASS
        ) as proxy:
            lane = Lane(server, proxy, random.Random(5), time.monotonic() + 1, at_once=4, cancel_chance=0)
            figures = await asyncio.to_thread(lane.work)
    finally:
        server.close()
    assert figures.lost > 0
    assert (figures.doubled, figures.invented, figures.misplaced) == (0, 0, 0)
    assert not figures.good
