"""The obvious design, to compare with: pygls, httpx-sse, and one notification a line.

Speaks just enough of the protocol for `lsp_reader`: `rdev/run {command}` on the server that RDEV_URL names.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import httpx
from httpx_sse import aconnect_sse
from pygls.lsp.server import LanguageServer

server = LanguageServer("obvious", "1")
background: set[asyncio.Task[None]] = set()


@server.feature("rdev/run")
def run(params: Any) -> dict[str, str]:
    task = asyncio.get_running_loop().create_task(relay(params.command))
    background.add(task)
    return {"runId": "1", "disposition": "started"}


async def relay(command: str) -> None:
    base = f"{os.environ['RDEV_URL']}/projects/{os.environ['RDEV_PROJECT']}"
    headers = {"X-API-Key": os.environ["RDEV_API_KEY"]}
    seq = 0
    async with httpx.AsyncClient(headers=headers, timeout=None) as client:
        answer = await client.post(f"{base}/shell", json={"command": command})
        stream_id = answer.json()["data"]["id"]
        async with aconnect_sse(client, "GET", f"{base}/events", params={"stream_id": stream_id}) as source:
            async for event in source.aiter_sse():
                if event.event == "output":
                    data = json.loads(event.data)
                    chunk = {"stream": data["stream"], "lines": [data["line"]]}
                    server.protocol.notify("rdev/output", {"runId": "1", "seq": seq, "chunks": [chunk]})
                    seq += 1
                elif event.event == "complete":
                    server.protocol.notify("rdev/runFinished", {"run": {"runId": "1", "outcome": "succeeded"}})
                    return


server.start_io()
