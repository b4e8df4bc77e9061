from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.core.graph import Plan, find_cycle, show_path

DIAMOND = {"app": ["lint", "lib"], "lint": ["gen"], "lib": ["gen"], "gen": [], "other": []}


@pytest.mark.parametrize(
    ("depends_on", "path"),
    [
        ({}, None),
        (DIAMOND, None),
        ({"a": ["a"]}, "a → a"),
        ({"build": ["lint"], "lint": ["build"]}, "build → lint → build"),
        ({"x": ["build"], "build": ["lint"], "lint": ["fmt", "build"], "fmt": []}, "build → lint → build"),
        ({"a": ["missing"]}, None),
        ({"a": ["b", "c"], "b": ["c"], "c": []}, None),
    ],
)
def test_a_cycle_is_told_with_its_path(depends_on: dict[str, list[str]], path: str | None) -> None:
    cycle = find_cycle(depends_on)
    assert (show_path(cycle) if cycle else None) == path


def test_a_diamond_runs_each_node_once_and_in_parallel() -> None:
    plan = Plan("app", DIAMOND)
    assert plan.ready() == ("gen",)
    assert plan.ready() == ()
    plan.finished("gen", ok=True)
    assert sorted(plan.ready()) == ["lib", "lint"]
    plan.finished("lib", ok=True)
    assert plan.ready() == ()
    plan.finished("lint", ok=True)
    assert plan.ready() == ("app",)
    assert not plan.over
    plan.finished("app", ok=True)
    assert plan.over
    assert plan.failed is None


def test_a_failure_stops_what_has_not_started_and_names_the_first() -> None:
    plan = Plan("app", DIAMOND)
    plan.ready()
    plan.finished("gen", ok=True)
    plan.ready()
    plan.finished("lint", ok=False)
    assert plan.running == ("lib",)
    assert not plan.over
    plan.finished("lib", ok=False)
    assert (plan.ready(), plan.over, plan.failed) == ((), True, "lint")


def test_a_plan_refuses_cycles_and_unknown_names() -> None:
    with pytest.raises(ValueError, match="a → b → a"):
        Plan("a", {"a": ["b"], "b": ["a"]})
    with pytest.raises(KeyError, match="ghost"):
        Plan("a", {"a": ["ghost"]})


def test_a_very_deep_chain_needs_no_recursion() -> None:
    chain = {str(n): [str(n + 1)] for n in range(5000)} | {"5000": []}
    assert find_cycle(chain) is None
    assert Plan("0", chain).ready() == ("5000",)


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9)), min_size=1), st.randoms())
def test_any_graph_ends_with_each_node_once_after_its_dependencies(graph: dict[int, set[int]], random) -> None:
    depends_on = {str(n): [str(m) for m in graph.get(n, ())] for n in range(10)}
    if find_cycle(depends_on):
        return
    plan, done, running = Plan("0", depends_on), [], []
    while not plan.over:
        running += plan.ready()
        assert sorted(running) == sorted(plan.running)
        name = running.pop(random.randrange(len(running)))
        assert set(depends_on[name]) <= set(done)
        done.append(name)
        plan.finished(name, ok=True)
    assert len(done) == len(set(done))
    assert done[-1] == "0"
