"""The server's side of a push, as calls: each sends one script of scripts/ and reads the lines that it answers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rdev_bridge.core.shown import visible
from rdev_bridge.errors import RdevError
from rdev_bridge.sync.archive import quoted
from rdev_bridge.sync.errors import SyncError
from rdev_bridge.sync.plan import look_text, states
from rdev_bridge.sync.tools import found, script, trials

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

    from rdev_bridge.sync.manifest import Manifest
    from rdev_bridge.sync.shell import Shell
    from rdev_bridge.sync.tools import Tools

CALL_TIMEOUT_S = 60.0
APPLY_TIMEOUT_S = 600.0
_TRIES = 6
_FIRST_DELAY_S = 0.1
_LAST_DELAY_S = 3.0
_INLINE_TEXT = 24_000
_SHELF = 1000
_PASSING = frozenset({"answerLost", "badAnswer", "lost", "timeout"})
"""Reasons of errors after which the script may have run or not; others are the connector's last word."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the first contact found out."""

    tools: Tools | None
    generation: str
    empty: bool
    same_machine: bool
    same_folder: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """The answer to a finishing call. `word` is ok, stale, differs or busy."""

    word: str
    generation: str
    text: str = ""


@dataclass
class Peer:
    """One remote root, reached through `shell` alone. `client` names this bridge's own part of the spool."""

    shell: Shell
    root: str
    client: str
    tools: Tools | None = None
    round_trip_s: float = field(default=0.0, init=False)
    """The quickest call so far."""
    patient: bool = field(default=False, init=False)
    """Parts did not arrive without being waited for."""

    async def open(self, proof: Path, token: str, marker: str) -> Opened:
        """Say hello: is there anything at the root, is it this machine or this very folder, which tools work?

        `proof` is a local file that holds `token`, `marker` the name of another one in the local folder's .rdev-push.
        """
        head = (
            self._root()
            + b"proof="
            + quoted(str(proof))
            + b"\ntoken="
            + quoted(token)
            + b"\nmarker="
            + quoted(marker)
            + b"\n"
        )
        answer = await self._call(head + script("prelude", "open") + b"\n" + trials())
        if answer.word == "place":
            return Opened(None, "", empty=False, same_machine=True, same_folder=True)
        self._expect(answer, "opened")
        self.tools = found(answer.facts)
        return Opened(
            self.tools,
            answer.rest,
            empty=answer.facts.get("content") == "empty",
            same_machine=answer.facts.get("place") == "machine",
            same_folder=False,
        )

    async def generation(self) -> str:
        """What the last push left, whoever made it."""
        answer = await self._call(self._head("prelude") + b'enter\ngeneration\nleave looked "$now"\n')
        return self._expect(answer, "looked").rest

    async def look(self, paths: list[str]) -> tuple[str, Manifest]:
        """What stands at `paths`, and the generation before anything was looked at."""
        result: Manifest = {}
        first = None
        for some in self._portions(paths):
            plan = b"plan() {\n" + self._eval(look_text(some)) + b"\n}\n"
            answer = self._expect(await self._call(self._head("prelude", "look") + plan + script("report")), "looked")
            if first is None:
                first = answer.rest
            result.update(states(answer.text, some))
        return first or "", result

    async def have(self, name: str, keep: list[str]) -> dict[int, int]:
        """The parts of the spooled stream `name` that arrived already, with their sizes; all but `keep` are removed."""
        head = f"name={name}\nclient={self.client}\nkeep='{' '.join(keep)}'\n".encode()
        answer = self._expect(await self._call(self._head("prelude") + head + script("have")), "ok")
        return _sizes(answer.text)

    async def parts(
        self, name: str, batch: list[tuple[int, bytes]], torn: Container[int], sent: Callable[[int], None]
    ) -> None:
        """Put parts of the stream `name` into the spool; `torn` ones are there, but not whole.

        `sent` is told the bytes of each once. They are sent without waiting for the end of each, which takes half the
        time, and one question tells whether all arrived. Those that did not, and all from then on, are sent and waited
        for one by one.
        """
        late, is_told = batch, False
        if not self.patient:
            for number, data in batch:
                with contextlib.suppress(RdevError):
                    await self.shell.begin(self._part(name, number, data, again=number in torn).decode())
                sent(len(data))
            sizes = await self._arrived(name, batch)
            late, is_told = [(number, data) for number, data in batch if sizes.get(number) != len(data)], True
            self.patient = bool(late)
        for number, data in late:
            self._expect(await self._call(self._part(name, number, data, again=True)), "ok")
            if not is_told:
                sent(len(data))

    def _part(self, name: str, number: int, data: bytes, *, again: bool) -> bytes:
        which = f"name={name}\nshelf={_shelf(number)}\nnumber={number:09d}\nagain={'1' if again else ''}\ndata='"
        return self._head("prelude") + which.encode() + self._tools.encode(data) + b"'\n" + script("part")

    async def _arrived(self, name: str, batch: list[tuple[int, bytes]]) -> dict[int, int]:
        files = " ".join(f"{_shelf(number)}/{number:09d}" for number, _ in batch)
        head = f"name={name}\nparts='{files}'\ntotal={sum(len(data) for _, data in batch)}\n".encode()
        return _sizes(self._expect(await self._call(self._head("prelude") + head + script("arrived")), "ok").text)

    async def apply(self, plan: bytes, unpack: bytes, identity: str, expect: str, *, bulk: bool) -> Applied:
        """The finishing call. `plan` and `unpack` are definitions of the functions of these names; `bulk`: of much."""
        head = f"id={identity}\nclient={self.client}\nexpect={quoted(expect).decode()}\n".encode()
        text = self._head("prelude", "look", bulk=bulk) + head + unpack + plan + script("apply")
        answer = await self._call(text, APPLY_TIMEOUT_S)
        if answer.word not in ("ok", "stale", "differs", "busy"):
            self._expect(answer, "ok")
        return Applied(answer.word, answer.rest, answer.text)

    def plan_inline(self, text: bytes) -> bytes | None:
        """The definition of `plan` with its text inside the call, or None where it is too long for one."""
        plan = b"plan() {\n" + self._eval(text) + b"\n}\n"
        return plan if len(plan) <= _INLINE_TEXT else None

    def inline(self, data: bytes) -> bytes:
        """Shell text that prints `data`, which travels inside the call."""
        return self._tools.printing(data)

    def joined(self, name: str) -> bytes:
        """Shell text that prints the spooled stream `name`."""
        return f'for shelf in "$here/$own/spool/{name}"/*; do cat "$shelf"/*; done'.encode()

    @property
    def _tools(self) -> Tools:
        assert self.tools is not None, "open() comes first"
        return self.tools

    def _root(self) -> bytes:
        return b"root=" + quoted(self.root) + b"\n"

    def _head(self, *names: str, bulk: bool = False) -> bytes:
        return self._root() + self._tools.definitions(bulk=bulk) + script(*names) + b"\n"

    def _eval(self, text: bytes) -> bytes:
        """`text` to be run on the server: as it is where it is short and plain, else packed."""
        if len(text) <= 4000 and text.isascii() and text.translate(None, _CONTROL) == text:
            return text
        packed = self._tools.encode(_gzip(text) if self._tools.gzip else text)
        return b"text=$(decode '" + packed + b'\' | unzip) && [ -n "$text" ] && eval "$text"'

    def _portions(self, paths: list[str]) -> Iterator[list[str]]:
        """The paths in as few portions as fit a call each."""
        if len(self._eval(look_text(paths))) <= self._tools.piece_bytes or len(paths) <= 1:
            yield paths
            return
        middle = len(paths) // 2
        yield from self._portions(paths[:middle])
        yield from self._portions(paths[middle:])

    async def _call(self, text: bytes, timeout_s: float = CALL_TIMEOUT_S) -> _Reply:
        """Ask, and ask again where no answer came: every script may run twice."""
        script_text = text.decode("utf-8", "surrogateescape")
        delay_s = _FIRST_DELAY_S
        loop = asyncio.get_running_loop()
        for attempt in range(1, _TRIES + 1):
            started = loop.time()
            try:
                answer = await self.shell.ask(script_text, timeout_s=timeout_s, cancellable=False)
            except SyncError:
                raise
            except RdevError as error:
                if attempt == _TRIES or error.reason not in _PASSING:
                    raise SyncError(f"the push did not get through: {error}", reason=error.reason) from error
            else:
                reply = _reply(answer.stdout, answer.stderr)
                if reply is not None:
                    took_s = loop.time() - started
                    self.round_trip_s = min(self.round_trip_s or took_s, took_s)
                    return reply
                if attempt == _TRIES:
                    raise SyncError(
                        f"the server's shell ended with {answer.exit_code} before the push was done"
                        + _said(answer.stderr)
                    )
            await asyncio.sleep(delay_s * (0.5 + secrets.randbelow(1000) / 1000))
            delay_s = min(2 * delay_s, _LAST_DELAY_S)
        raise AssertionError("the last attempt returns or raises")

    def _expect(self, reply: _Reply, word: str) -> _Reply:
        if reply.word == word:
            return reply
        if reply.word == "noroot":
            raise SyncError(
                f"the server has no folder {visible(self.root)}, which remote_root names, and cannot make it; "
                "make it there or correct remote_root",
                reason="noRemoteRoot",
            )
        raise SyncError(f"the server cannot take the push: {visible(reply.rest)}{_said(reply.stderr)}")


_CONTROL = bytes(byte for byte in range(32) if byte != 10) + b"\x7f"


def _shelf(number: int) -> str:
    """The folder of a part; a thousand in each, so that no list of names grows too long for a command."""
    return f"{number // _SHELF:06d}"


def _sizes(text: str) -> dict[int, int]:
    """What `wc -c` says: part numbers to bytes."""
    sizes = {}
    for line in text.splitlines():
        size, _, path = line.strip().partition(" ")
        number = path.strip().rpartition("/")[2]
        if size.isdecimal() and number.isdecimal():
            sizes[int(number)] = int(size)
    return sizes


@dataclass(frozen=True, slots=True)
class _Reply:
    """The last @rdev line (its first word and the rest), earlier ones as facts, and all other lines."""

    word: str
    rest: str
    facts: dict[str, str]
    text: str
    stderr: str


def _reply(stdout: str, stderr: str) -> _Reply | None:
    facts: dict[str, str] = {}
    last = None
    other = []
    for line in stdout.split("\n"):
        if line.startswith("@rdev "):
            word, _, rest = line[6:].rstrip().partition(" ")
            facts[word] = rest
            last = word
        else:
            other.append(line)
    if last is None or last in ("content", "hash", "bulk", "decode", "literal", "tar", "gzip", "readlink"):
        return None
    return _Reply(last, facts[last], facts, "\n".join(other), stderr)


def _said(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return f" ({visible(lines[-1].strip())})" if lines else ""


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(6, wbits=31)
    return packer.compress(data) + packer.flush()
