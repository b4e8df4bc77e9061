"""What stands on the files after any sequence of runs: tables, and against a model that is too simple to be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdev_bridge.problems import standing
from rdev_bridge.problems.problem import Problem
from rdev_bridge.problems.standing import PlacedProblem, RelatedPlace, Slots

if TYPE_CHECKING:
    from collections.abc import Iterable

WORK = Path("/w")
A, B, C = WORK / "a.c", WORK / "b.c", WORK / "c.c"


def placed(path: Path, message: str = "m", line: int = 1, task: str = "t", related: int = 0) -> PlacedProblem:
    problem = Problem(path=path.name, line=line, message=message)
    return PlacedProblem(path, problem, WORK, task, "r1", tuple(RelatedPlace(A, 1, None, "x") for _ in range(related)))


def messages(slots: Slots, path: Path) -> list[str]:
    return [one.problem.message for one in slots.on(path)]


def test_the_first_of_a_generation_replaces_what_older_ones_said_of_a_file() -> None:
    slots = Slots()
    slot = slots.slot(WORK, "t", "gcc")
    assert slot.put(placed(A, "old"), 1) == [A]
    assert slot.put(placed(A, "older still", line=2), 1) == [A]
    assert slot.put(placed(A, "new"), 2) == [A]
    assert messages(slots, A) == ["new"]
    assert slot.put(placed(A, "late"), 1) == [], "a newer run spoke of this file already"
    assert messages(slots, A) == ["new"]


def test_said_twice_is_said_once_and_more_places_complete_it() -> None:
    slots = Slots()
    slot = slots.slot(WORK, "t", "gcc")
    slot.put(placed(A, related=1), 1)
    assert slot.put(placed(A), 1) is None
    assert slot.put(placed(A, related=2), 1) == [A]
    assert [len(one.related) for one in slots.on(A)] == [2]


def test_a_sweep_takes_what_was_not_said_again() -> None:
    slots = Slots()
    slot = slots.slot(WORK, "t", "gcc")
    for path in (A, B):
        slot.put(placed(path), 1)
    slot.put(placed(A, "again"), 2)
    assert slot.sweep(2) == [B]
    assert (messages(slots, A), messages(slots, B)) == (["again"], [])


def test_several_tasks_and_owners_are_a_union_and_go_with_their_task() -> None:
    slots = Slots()
    for task, owner in (("t", "gcc"), ("t", "ld"), ("u", "gcc")):
        slots.slot(WORK, task, owner).put(placed(A, f"{task} {owner}", task=task), 1)
    assert messages(slots, A) == ["t gcc", "t ld", "u gcc"]
    assert slots.retain({(WORK, "u")}) == [A, A]
    assert messages(slots, A) == ["u gcc"]
    assert [one.source for one in slots.on(A)] == ["rdev:u"]


@pytest.mark.parametrize(("only", "left"), [(None, []), (A, ["b"])])
def test_a_cycle_replaces_while_its_run_goes_on(only: Path | None, left: list[str]) -> None:
    slots = Slots()
    slot = slots.slot(WORK, "t", "tsc")
    slot.put(placed(A, "a"), 1)
    slot.put(placed(B, "b"), 1)
    slot.begin_cycle(1, 2, only)
    assert messages(slots, A) == ["a"], "until the cycle is over"
    slot.end_cycle(1)
    assert (messages(slots, A), messages(slots, B)) == ([], left)


def fill(slots: Slots, task: str, generation: int, files: Iterable[Path], each: int) -> set[Path]:
    slot = slots.slot(WORK, task, "gcc")
    changed: set[Path] = set()
    for path in files:
        for number in range(each):
            changed.update(slot.put(placed(path, f"{task} {number}", number + 1, task), generation) or [])
    return changed


def shown_and_hidden(slots: Slots, files: Iterable[Path]) -> tuple[int, int]:
    shown = hidden = 0
    for path in files:
        for message in messages(slots, path):
            words = message.split()
            if "not shown" in message:
                hidden += int(words[0])
            else:
                shown += 1
    return shown, hidden


@pytest.fixture
def small_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "PER_FILE", 3)
    monkeypatch.setattr(standing, "IN_ALL", 8)


FILES = [WORK / f"{number}.c" for number in range(30)]


@pytest.mark.usefixtures("small_room")
def test_a_file_has_a_last_entry_that_says_how_many_more() -> None:
    slots = Slots()
    fill(slots, "t", 1, [A], 5)
    assert messages(slots, A) == ["t 0", "t 1", "t 2", "2 more problems are not shown; the run's output has them"]
    assert [one.problem.severity.name for one in slots.on(A)][-1] == "INFO"


@pytest.mark.usefixtures("small_room")
@pytest.mark.parametrize("each", [1, 2, 5])
def test_the_room_is_bounded_and_nothing_is_forgotten(each: int) -> None:
    slots = Slots()
    fill(slots, "t", 1, FILES, each)
    shown, hidden = shown_and_hidden(slots, FILES)
    assert shown == 8
    assert shown + hidden == len(FILES) * each


@pytest.mark.usefixtures("small_room")
def test_a_flood_gives_way_to_others_and_each_has_its_share() -> None:
    slots = Slots()
    fill(slots, "flood", 1, FILES, 1)
    changed = fill(slots, "other", 2, [A, B, C], 3)
    assert {A, B}.issubset(changed)
    assert changed & set(FILES), "what gave way is told"
    held = [slots.slot(WORK, task, "gcc").held for task in ("flood", "other")]
    assert held == [4, 4]
    assert shown_and_hidden(slots, [*FILES, A, B, C]) == (8, 30 + 9 - 8)


@pytest.mark.usefixtures("small_room")
def test_a_second_flood_replaces_the_first() -> None:
    slots = Slots()
    fill(slots, "t", 1, FILES[:10], 1)
    fill(slots, "t", 2, FILES[10:20], 1)
    slots.slot(WORK, "t", "gcc").sweep(2)
    assert shown_and_hidden(slots, FILES[:10]) == (0, 0)
    assert shown_and_hidden(slots, FILES[10:20]) == (8, 2)
    slots.retain(set())
    assert shown_and_hidden(slots, FILES) == (0, 0)
    assert fill(slots, "u", 3, FILES[:8], 1) == set(FILES[:8]), "there is room again"


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("tu"), st.sampled_from([A, B, C]), st.integers(0, 3)),
        st.tuples(st.just("run"), st.sampled_from("tu"), st.booleans(), st.just(0)),
    ),
    max_size=60,
)


@given(_STEPS)
def test_any_sequence_of_runs_is_what_the_simple_model_says(steps: list[tuple[str, str, object, int]]) -> None:
    """One dictionary: (task, file) to the newest generation that spoke of it and what it said."""
    slots = Slots()
    model: dict[tuple[str, Path], tuple[int, list[str]]] = {}
    generations = {"t": 1, "u": 2}
    for kind, task, what, number in steps:
        generation = generations[task]
        if kind == "put":
            assert isinstance(what, Path)
            slots.slot(WORK, task, "x").put(placed(what, str(number), task=task), generation)
            said = model.get((task, what), (0, []))
            said = said if said[0] == generation else (generation, [])
            model[task, what] = (generation, said[1] if str(number) in said[1] else [*said[1], str(number)])
        else:
            if what:  # it ended, and was complete
                slots.slot(WORK, task, "x").sweep(generation)
                model = {key: one for key, one in model.items() if key[0] != task or one[0] == generation}
            generations[task] = max(generations.values()) + 1
        for path in (A, B, C):
            expected = [text for (_, where), (_, texts) in model.items() if where == path for text in texts]
            assert sorted(messages(slots, path)) == sorted(expected)
