"""A foreign rdev server: it knows the two calls of the seed and nothing else. Real commands, everything in memory.

    async with ForeignServer(ids="sequential") as server:
        server.url, server.project, server.key
        server.starts      # every command text that it was asked to start

Or as a process, for tests of other programs: `python -m tests.support.foreign_server [--ids opaque]`, which prints its
url as its first line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

Ids = Literal["none", "sequential", "opaque", "offset", "constant"]


@dataclass
class Command:
    """One started command: its events as (id, bytes), and whether its stream is complete."""

    process: asyncio.subprocess.Process | None = None
    events: list[tuple[str, bytes]] = field(default_factory=list)
    done: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    size: int = 0


class ForeignServer:
    """Serves one project. All knobs may be turned while it runs."""

    def __init__(
        self,
        *,
        ids: Ids = "sequential",
        chunk_per_event: bool = True,
        heartbeat_s: float | None = None,
        heartbeat_has_id: bool = False,
        project: str = "demo",
        cwd: str | None = None,
        shell: tuple[str, ...] = ("sh",),
        replay_all: bool = False,
        new_group: bool = True,
        key: str | None = None,
    ) -> None:
        self.ids: Ids = ids
        self.chunk_per_event = chunk_per_event
        self.heartbeat_s = heartbeat_s
        self.heartbeat_has_id = heartbeat_has_id
        self.project = project
        self.cwd = cwd
        self.shell = shell
        self.replay_all = replay_all
        self.new_group = new_group
        self.key = key or f"rdev_{secrets.token_hex(8)}"
        self.starts: list[str] = []
        self.resumes: list[str | None] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.commands: dict[str, Command] = {}
        self.port = 0
        self.tmp = Path(tempfile.mkdtemp(prefix="foreign-"))
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def folders_left(self) -> list[str]:
        """What commands and cancels have left in this server's TMPDIR."""
        return sorted(path.name for path in self.tmp.iterdir())

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for command in self.commands.values():
            process = command.process
            if process is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL) if self.new_group else process.kill()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for command in self.commands.values():
            if command.process is not None:
                await command.process.wait()
                command.process._transport.close()  # type: ignore[attr-defined] # a grandchild may hold the pipes
        await asyncio.sleep(0)
        await self._server.wait_closed()
        shutil.rmtree(self.tmp, ignore_errors=True)

    # -- HTTP

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one_request(reader, writer):
                if self.requests[-1][1].get("connection", "").lower() == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((f"{method} {target}", headers))
        parts = urlsplit(target)
        names = [unquote(part) for part in parts.path.split("/")[1:]]
        if headers.get("x-api-key") != self.key:
            return await self._json(writer, 401, {"error": {"message": "bad key"}})
        if names == ["projects", self.project, "shell"] and method == "POST":
            return await self._start(writer, body)
        if names == ["projects", self.project, "events"] and method == "GET":
            stream_id = parse_qs(parts.query).get("stream_id", [""])[0]
            return await self._stream(writer, stream_id, headers.get("last-event-id"))
        return await self._json(writer, 404, {"error": {"message": "no such thing"}})

    async def _json(self, writer: asyncio.StreamWriter, status: int, answer: object) -> bool:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        return True

    async def _start(self, writer: asyncio.StreamWriter, body: bytes) -> bool:
        text = json.loads(body)["command"]
        self.starts.append(text)
        stream_id = f"cmd-{len(self.commands):03d}"
        command = self.commands[stream_id] = Command()
        task = asyncio.create_task(self._run(text, command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await self._json(writer, 200, {"data": {"id": stream_id}})

    async def _stream(self, writer: asyncio.StreamWriter, stream_id: str, last_id: str | None) -> bool:
        self.resumes.append(last_id)
        command = self.commands.get(stream_id)
        if command is None:
            return await self._json(writer, 404, {"error": {"message": "no such command"}})
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._send(writer, b'event: connected\ndata: {"stream_id": "x"}\n\n')
        place = 0
        if last_id is not None and not self.replay_all:
            place = next((i + 1 for i, (one, _) in enumerate(command.events) if one == last_id), 0)
        while True:
            block = command.events[place:]
            place += len(block)
            if self.chunk_per_event:
                for _, event in block:
                    self._send(writer, event)
            elif block:
                self._send(writer, b"".join(event for _, event in block))
            await writer.drain()
            if command.done and place == len(command.events):
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return True
            async with command.changed:
                try:
                    async with asyncio.timeout(self.heartbeat_s):
                        await command.changed.wait_for(lambda: len(command.events) > place or command.done)  # noqa: B023
                except TimeoutError:
                    beat_id = b"id: beat\n" if self.heartbeat_has_id else b""
                    self._send(writer, beat_id + b"event: heartbeat\ndata: {}\n\n")

    def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    # -- commands

    async def _run(self, text: str, command: Command) -> None:
        began_s = time.monotonic()
        process = command.process = await asyncio.create_subprocess_exec(
            *self.shell,
            "-c",
            text,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.cwd,
            env=dict(os.environ, TMPDIR=str(self.tmp)),
            limit=64 * 1024 * 1024,
            start_new_session=self.new_group,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.gather(
            self._relay(process.stdout, "stdout", command), self._relay(process.stderr, "stderr", command)
        )
        code = await process.wait()
        code = 128 - code if code < 0 else code
        duration_ms = round((time.monotonic() - began_s) * 1000)
        await self.publish(command, "complete", {"exit_code": code, "duration_ms": duration_ms}, done=True)

    async def _relay(self, pipe: asyncio.StreamReader, stream: str, command: Command) -> None:
        while line := await pipe.readline():
            text = line.decode("utf-8", "replace").removesuffix("\n")
            await self.publish(command, "output", {"line": text, "stream": stream})

    async def add_finished(self, lines: list[tuple[str, str]], exit_code: int = 0) -> str:
        """The id of a stream that already ended with `lines`, (stream, text) each. No process is started."""
        stream_id = f"cmd-{len(self.commands):03d}"
        command = self.commands[stream_id] = Command()
        for stream, line in lines:
            await self.publish(command, "output", {"line": line, "stream": stream})
        await self.publish(command, "complete", {"exit_code": exit_code, "duration_ms": 1}, done=True)
        return stream_id

    async def publish(self, command: Command, event: str, payload: object, *, done: bool = False) -> None:
        """Append one event to a command's stream; tests may add their own."""
        data = json.dumps(payload, ensure_ascii=False).encode()
        number = len(command.events) + 1
        names = {
            "none": "",
            "sequential": str(number),
            "opaque": f"e{secrets.token_hex(4)}",
            "offset": str(command.size + len(data)),
            "constant": "same",
        }
        one = names[self.ids]
        block = (f"id: {one}\n".encode() if one else b"") + f"event: {event}\ndata: ".encode() + data + b"\n\n"
        command.size += len(data)
        async with command.changed:
            command.events.append((one, block))
            command.done = command.done or done
            command.changed.notify_all()


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ids", default="sequential", choices=Ids.__args__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default=None)
    parser.add_argument("--project", default="demo")
    parser.add_argument("--heartbeat", type=float, default=None)
    args = parser.parse_args()
    server = ForeignServer(ids=args.ids, key=args.key, project=args.project, heartbeat_s=args.heartbeat)
    server.port = args.port
    async with server:
        print(json.dumps({"url": server.url, "project": server.project, "key": server.key}), flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main())
