"""A push as shell text: what must stand on the server before it, what to stage, and how it is put in place. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from rdev_bridge.sync.archive import Item, quoted
from rdev_bridge.sync.manifest import FOLDER, Difference, Manifest, is_file, parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_T = TypeVar("_T")

_BATCH = 400
_BATCH_BYTES = 65_536
"""Names in one command, and how long they are: below every system's limit on arguments."""


@dataclass
class Plan:
    """What one finishing call does. `items` is the staged content; `text` defines what scripts/apply.sh calls."""

    items: list[Item] = field(default_factory=list)
    text: bytes = b""
    looked_at: list[str] = field(default_factory=list)
    """The paths that the checks look at, by their number; staged copies are ""."""
    expected: list[str | None] = field(default_factory=list)
    """Their states if all is as this push believes."""

    @property
    def total_bytes(self) -> int:
        """The size of the content."""
        return sum(item.size for item in self.items)

    @property
    def files(self) -> int:
        """How many files carry content."""
        return sum(item.source is not None for item in self.items)

    def damaged(self, answer: str) -> bool:
        """Does the answer to the checks say that what was staged is not what was sent?"""
        actual = _numbered(answer)
        pairs = zip(self.looked_at, self.expected, strict=True)
        return any(not path and actual.get(number) != state for number, (path, state) in enumerate(pairs, 1))


@dataclass(frozen=True)
class _Expectation:
    word: bytes
    state: str | None


def plan_push(
    folder: Path,
    base: Manifest,
    local: Manifest,
    difference: Difference,
    *,
    size_of: Callable[[str], int],
    link_target: Callable[[str], str],
) -> Plan:
    """Lay out `difference` between `base` and `local` as a Plan.

    Files are staged below a numbered group for each folder they go to, and moved there by one `mv` for many; a folder
    that is not there yet is staged whole, and moved by one rename.
    """
    plan = Plan()
    root = str(folder)
    groups: dict[str, int] = {}
    staged_links: list[tuple[str, str]] = []
    staged_files: list[_Expectation] = []

    def stage(path: str, place: str) -> None:
        state = local[path]
        if state == FOLDER:
            plan.items.append(Item(place))
        elif is_file(state):
            plan.items.append(Item(place, f"{root}/{path}", size_of(path), state[0] == "x", state[2:]))
            staged_files.append(_Expectation(b'"$q"/' + quoted(place), state))
        else:
            staged_links.append((place, link_target(path)))

    moves: dict[str, list[str]] = {}
    places: dict[str, str] = {}
    for path in sorted([*difference.bring, *difference.trees]):
        above = parent(path)
        if above not in groups:
            groups[above] = len(groups)
            if groups[above]:  # the script makes the first one
                plan.items.append(Item(str(groups[above])))
        places[path] = f"{groups[above]}/{path.rpartition('/')[2]}"
        moves.setdefault(above, []).append(path)
        stage(path, places[path])
    for path in difference.below:
        places[path] = f"{places[parent(path)]}/{path.rpartition('/')[2]}"
        stage(path, places[path])

    touched = [*difference.bring, *difference.trees, *difference.modes, *difference.drop]
    folders = sorted({parent(path) for path in [*touched, *difference.empty]} - {""})
    expectations = [_Expectation(b"./" + quoted(path), FOLDER) for path in folders]
    expectations += [_Expectation(b"./" + quoted(path), base.get(path)) for path in touched]
    plan.looked_at = [*folders, *touched, *("" for _ in staged_files)]
    expectations += staged_files
    plan.expected = [one.state for one in expectations]
    checks, expected = _checks(expectations[: len(folders)], 1)  # by themselves: files alone take the short way
    more = _checks(expectations[len(folders) :], len(folders) + 1)

    text = [b"q=./.rdev-push/${stage##*/}\nprepare() {\n:\n"]
    text += [b'ln -s -- %s "$s"/%s\n' % (quoted(target), quoted(place)) for place, target in staged_links]
    text += [b"}\nchecks() {\n:\n", *checks, *more[0], b"}\nexpected='"]
    text += ["\n".join([*expected, *more[1]]).encode(), b"'\nactions() {\n:\n"]
    in_the_way = difference.in_the_way
    text += _each_folder(
        b"rm -f", [path for path in [*difference.drop, *difference.trees] if path in in_the_way], b" || broken"
    )
    text += _each_folder(b"rmdir", [path for path in difference.empty if path in in_the_way], b" || broken", 1)
    for above, paths in moves.items():
        text.append(b"into ./%s\n" % quoted(above) if above else b"into .\n")
        for batch in _batches(paths, len):
            text.append(b"mv -f " + b" ".join(b'"$s"/' + quoted(places[path]) for path in batch) + b" ./ || broken\n")
    for sign in "+-":
        text += _each_folder(
            b"chmod %sx" % sign.encode(),
            [path for path in difference.modes if (local[path][0] == "x") == (sign == "+")],
            b" || broken",
        )
    text += _each_folder(b"rm -f", [path for path in difference.drop if path not in in_the_way], b" || broken")
    text += _each_folder(b"rmdir", [path for path in difference.empty if path not in in_the_way], b" 2>/dev/null", 1)
    text.append(b"}\n")
    plan.text = b"".join(text)
    return plan


def look_text(paths: Iterable[str]) -> bytes:
    """Shell text whose `checks` looks at every one of `paths`."""
    words = [b"./" + quoted(path) for path in paths]
    return b"checks() {\n:\n" + b"".join(b"look " + b" ".join(batch) + b"\n" for batch in _batches(words, len)) + b"}\n"


def states(answer: str, paths: list[str]) -> dict[str, str]:
    """What the lines of scripts/look.sh say about `paths`; numbers count from 1, absent ones do not exist."""
    return {paths[number - 1]: state for number, state in _numbered(answer).items() if number <= len(paths)}


def _numbered(answer: str) -> dict[int, str]:
    result: dict[int, str] = {}
    unhashed: deque[int] = deque()
    for line in answer.splitlines():
        word, _, state = line.partition(" ")
        if word == "=" and unhashed:
            number = unhashed.popleft()
            result[number] = f"{result[number]} {state}"
        elif word.isdecimal() and word != "0" and state:
            result[int(word)] = state
            if state in ("f", "x"):
                unhashed.append(int(word))
    return result


def _checks(expectations: list[_Expectation], first: int) -> tuple[list[bytes], list[str]]:
    """The look commands, and their output if all is as expected, as `look` prints it; numbers count from `first`."""
    commands, expected, number = [], [], first - 1
    for batch in _batches(expectations, lambda one: len(one.word)):
        commands.append(b"look " + b" ".join(one.word for one in batch) + b"\n")
        plain: list[str] = []
        hashes: list[str] = []
        for one in batch:
            number += 1
            if one.state is None:
                continue
            if is_file(one.state) and b"\n" not in one.word:
                kind, _, digest = one.state.partition(" ")
                plain.append(f"{number} {kind}")
                hashes.append(f"= {digest}")
            else:
                expected.append(f"{number} {one.state}")
        expected += plain + hashes
    return commands, expected


def _each_folder(command: bytes, paths: list[str], otherwise: bytes, most: int = _BATCH) -> Iterator[bytes]:
    """`command` on all paths, from within the folder of each, in the order given."""
    previous = None
    for batch in _runs(paths, most):
        above = parent(batch[0])
        if above != previous:
            yield b"into ./%s\n" % quoted(above) if above else b"into .\n"
            previous = above
        yield command + b" " + b" ".join(b"./" + quoted(path.rpartition("/")[2]) for path in batch) + otherwise + b"\n"


def _runs(paths: list[str], most: int) -> Iterator[list[str]]:
    """Neighbours that stand in the same folder, at most `most` at once."""
    run: list[str] = []
    for path in paths:
        if run and (parent(path) != parent(run[0]) or len(run) == most):
            yield run
            run = []
        run.append(path)
    if run:
        yield run


def _batches(many: Iterable[_T], length: Callable[[_T], int]) -> Iterator[list[_T]]:
    """As many as may stand in one command; `length` is how long one is there."""
    batch: list[_T] = []
    total = 0
    for one in many:
        total += length(one)
        if batch and (len(batch) == _BATCH or total > _BATCH_BYTES):
            yield batch
            batch, total = [], length(one)
        batch.append(one)
    if batch:
        yield batch
