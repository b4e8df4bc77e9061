"""What differs, what must be done, and whose file it is: as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdev_bridge.model import ConflictPolicy
from rdev_bridge.sync.archive import quoted
from rdev_bridge.sync.manifest import Manifest, after_push, difference, name_of, reconcile, weight
from rdev_bridge.sync.memory import TargetMemory, add_step, intend, intentions, load_target, save_target
from rdev_bridge.sync.plan import plan_push

FAIL, OURS, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.OURS, ConflictPolicy.THEIRS


def tree(text: str) -> Manifest:
    """`a=f1 d/ d/b=x2 l=l3` as a manifest."""
    return {
        name: "d" if not state else f"{state[0]} {state[1:]}" if state != "o" else "o"
        for name, _, state in (word.rstrip("/").partition("=") for word in text.split())
    }


@pytest.mark.parametrize(
    ("base", "local", "expected"),
    [
        ("", "", {}),
        ("a=f1", "a=f1", {}),
        ("", "a=f1 b=l2", {"bring": ["a", "b"]}),
        ("a=f1", "a=x1", {"modes": ["a"]}),
        ("a=f1", "a=x2", {"bring": ["a"]}),
        ("a=f1", "a=l1", {"bring": ["a"]}),
        ("", "d/ d/e/ d/e/a=f1", {"trees": ["d"], "below": ["d/e", "d/e/a"]}),
        ("d/", "d/ d/e/ d/e/a=f1", {"trees": ["d/e"], "below": ["d/e/a"]}),
        ("a=f1 d/ d/b=f2", "", {"drop": ["a", "d/b"], "empty": ["d"]}),
        ("d/ d/e/ d/e/f/", "", {"empty": ["d/e/f", "d/e", "d"]}),
        ("a=f1", "a/ a/b=f2", {"trees": ["a"], "below": ["a/b"], "in_the_way": {"a"}}),
        (
            "a/ a/b=f1 a/c/ z=f1",
            "a=f2",
            {"bring": ["a"], "drop": ["a/b", "z"], "empty": ["a/c", "a"], "in_the_way": {"a", "a/b", "a/c"}},
        ),
    ],
)
def test_difference(base: str, local: str, expected: dict[str, object]) -> None:
    found = difference(tree(base), tree(local), {})
    nothing = {"bring": [], "trees": [], "below": [], "modes": [], "drop": [], "empty": [], "in_the_way": set()}
    assert vars(found) == nothing | expected
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    ("base", "local", "actual", "policy", "expected"),
    [
        ("a=f1", "a=f2", "a=f1", FAIL, {"base": "a=f1"}),
        ("a=f1", "a=f2", "a=f2", FAIL, {"base": "a=f2"}),
        ("a=f1", "a=f2", "", FAIL, {"base": ""}),
        ("a=f1", "a=f2", "a=f3", FAIL, {"conflicts": ["a"]}),
        ("a=f1", "a=f2", "a=f3", OURS, {"base": "a=f3"}),
        ("a=f1", "a=f2", "a=f3", THEIRS, {"base": "a=f1", "kept": ["a"], "spared": {"a": ("f 2", "f 3")}}),
        ("a=f1", "a=f1", "a=f3", FAIL, {"base": "a=f1", "kept": ["a"]}),
        ("a=f1", "", "a=f1", FAIL, {"base": "a=f1"}),
        ("a=f1", "", "a=f3", FAIL, {"conflicts": ["a"]}),
        ("a=f1", "", "a=f3", OURS, {"base": "a=f3"}),
        ("a=f1", "", "a=f3", THEIRS, {"base": "a=f1", "kept": ["a"], "spared": {"a": ("", "f 3")}}),
        ("", "a=f1", "a=f3", FAIL, {"conflicts": ["a"]}),
        ("", "a=f1", "a=f9", FAIL, {"base": "a=f9"}),  # 9 is what a push with no known end meant to leave
        ("", "", "a=f9", FAIL, {"base": "a=f9"}),
        ("", "", "a=f3", FAIL, {"kept": ["a"]}),
        ("", "a=f1", "a=o", OURS, {"blocked": ["a"]}),
        ("", "a=f1", "a/", OURS, {"blocked": ["a"]}),
        ("", "a=f1", "a/", THEIRS, {"kept": ["a"], "spared": {"a": ("f 1", "d")}}),
        ("", "d/ d/a=f1", "d=l5 d/a=f7", FAIL, {"conflicts": ["d"]}),
        ("", "d/ d/a=f1", "d=l5 d/a=f7", OURS, {"base": "d=l5"}),
        ("", "d/ d/a=f1", "d=l5 d/a=f7", THEIRS, {"blocked": ["d"]}),
        ("d/ d/a=f1", "d/ d/a=f1", "d=o d/a=f1", OURS, {"blocked": ["d"]}),
        ("d/ d/a=f1", "", "d/ d/a=f1 d/b=f2", FAIL, {"base": "d/ d/a=f1"}),
        ("a=f1", "", "a/", FAIL, {"kept": ["a"]}),
    ],
)
def test_reconcile(base: str, local: str, actual: str, policy: ConflictPolicy, expected: dict[str, object]) -> None:
    found = reconcile(tree(base), tree(local), tree(actual), {}, {"a": {"f 9"}}, policy)
    nothing = {"base": "", "conflicts": [], "blocked": [], "kept": [], "spared": {}}
    wanted = nothing | expected
    assert vars(found) == wanted | {"base": tree(str(wanted["base"]))}


def test_a_spared_file_is_left_alone_until_it_changes_here() -> None:
    base, local, spared = tree("a=f1"), tree("a=f2 b=f1"), {"a": ("f 2", "f 3")}
    assert difference(base, local, spared).bring == ["b"]
    assert after_push(base, local, spared) == tree("a=f1 b=f1")
    assert difference(base, tree("a=f4 b=f1"), spared).bring == ["a", "b"]


def name(manifest: Manifest) -> str:
    return name_of(sum(weight(path, state) for path, state in manifest.items()))


def test_a_state_has_one_name_whatever_the_order() -> None:
    assert name(tree("a=f1 b=f2")) == name(tree("b=f2 a=f1"))
    assert len({name(tree(text)) for text in ("", "a=f1", "a=x1", "b=f1", "a=f1 b=f1", "a/ b=f1")}) == 6


def test_quoting() -> None:
    assert quoted("it's \udcff") == b"'it'\\''s \xff'"


def test_a_plan_says_in_which_order_things_happen(tmp_path: object) -> None:
    base, local = tree("a/ a/b=f1 old=f1 keep/"), tree("a=f2 keep/ keep/new=f3")
    plan = plan_push(
        tmp_path,  # type: ignore[arg-type]
        base,
        local,
        difference(base, local, {}),
        size_of=lambda _: 5,
        link_target=lambda _: "",
    )
    actions = plan.text.decode().partition("actions() {\n")[2].splitlines()
    assert actions == [
        ":",
        "into ./'a'",
        "rm -f ./'b' || broken",
        "into .",
        "rmdir ./'a' || broken",
        "into .",
        "mv -f \"$s\"/'0/a' ./ || broken",
        "into ./'keep'",
        "mv -f \"$s\"/'1/new' ./ || broken",
        "into .",
        "rm -f ./'old' || broken",
        "}",
    ]


def test_memory_survives_odd_names_and_a_torn_record(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    memory = TargetMemory("c", "4 x done", {"a\nb\udcff": "f 1"}, {"s": ("", "f 2")})
    save_target(folder / "t", memory)
    assert load_target(folder / "t") == memory
    (folder / "t").write_bytes((folder / "t").read_bytes()[:-3])
    assert load_target(folder / "t").base == {}

    save_target(folder / "t", memory)
    memory.generation = "5 y done"
    assert add_step(folder / "t", memory, {"new": "x 3", "a\nb\udcff": ""})
    assert load_target(folder / "t") == replace(memory, base={"new": "x 3"})
    whole = (folder / "t").read_bytes()
    (folder / "t").write_bytes(whole[:-3])
    assert load_target(folder / "t") == replace(memory, generation="4 x done")

    intend(folder / "i", {})
    intend(folder / "i", {"a": "f 1", "b": "f 2"})
    intend(folder / "i", {"a": "f 3"})
    (folder / "i").write_bytes((folder / "i").read_bytes() + b"half")
    assert intentions(folder / "i") == {"a": {"f 1", "f 3"}, "b": {"f 2"}}
