"""A short soak, a longer one with `--full`, and proof that it would notice."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.faults.proxy import PASS, Fault, FaultProxy
from tests.soak.work import Amount, Lane, Server, soak, workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.soak.figures import Figures


@pytest.mark.timeout(400)
async def test_a_few_seconds_of_everything(tmp_path: Path, tally: Callable[[Figures], None]) -> None:
    figures = await soak(tmp_path, Amount(6, at_once=6, least_runs=12, kill_every_s=(1.0, 2.0)), seed=5)
    tally(figures)
    assert figures.runs >= 20
    assert figures.faults["daemon killed"]
    assert figures.faults["server killed"]


@pytest.mark.full
@pytest.mark.timeout(900)
async def test_minutes_of_everything(tmp_path: Path, tally: Callable[[Figures], None]) -> None:
    seed = secrets.randbelow(10**6)
    print(f"python -m tests.soak --minutes 2 --seed {seed}")
    tally(await soak(tmp_path, Amount(120), seed))


async def test_it_notices_a_line_that_never_arrives(tmp_path: Path) -> None:
    server = Server(workspace(tmp_path / "work"))
    try:
        async with FaultProxy(
            server.port, lambda request: Fault(lose=b"data: x") if request.is_stream else PASS
        ) as proxy:
            lane = Lane(server, proxy, random.Random(5), Amount(0, at_once=4, least_runs=8), cancel_chance=0)
            figures = await asyncio.to_thread(lane.work)
    finally:
        server.close()
    assert figures.lost > 0
    assert (figures.doubled, figures.invented, figures.misplaced) == (0, 0, 0)
    assert not figures.good
