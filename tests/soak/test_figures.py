"""The judge finds each kind of wrong, so that zeros in the table mean something."""

from __future__ import annotations

import pytest

from tests.soak.figures import Figures, Verdict, judge

SAID = ["a", "", "b", "b", "c"]


@pytest.mark.parametrize(
    ("arrived", "verdict"),
    [
        (SAID, Verdict()),
        (["a", "", "b", "c"], Verdict(lost=1)),
        (["a", "", "b", "b", "b", "c"], Verdict(doubled=1)),
        (["a", "", "", "b", "b", "c", "c"], Verdict(doubled=2)),
        (["a", "", "b", "b", "c", "x"], Verdict(invented=1)),
        (["a", "b", "", "b", "c"], Verdict(misplaced=1)),
        (["c", "x"], Verdict(lost=4, invented=1)),
        ([], Verdict(lost=5)),
    ],
)
def test_verdicts(arrived: list[str], verdict: Verdict) -> None:
    assert judge(SAID, arrived) == verdict


def test_figures_add_up_and_show_what_was_wrong() -> None:
    one, other = Figures(runs=1, lines=5), Figures(runs=2, lines=7)
    one.faults["reset"] += 3
    other.faults["reset"] += 1
    other.judged(judge(SAID, ["a"]), "run 7")
    other.wrong_end("run 8 ended as lost")
    one.add(Figures.from_wire(other.to_wire()))
    assert (one.runs, one.lines, one.faults["reset"], one.lost, one.wrong_ends, one.good) == (3, 12, 4, 4, 1, False)
    assert "| **lines lost** | 4 |" in one.table()
    assert "run 7" in one.table()
    assert "run 8 ended as lost" in one.table()
