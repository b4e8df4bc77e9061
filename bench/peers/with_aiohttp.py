"""aiohttp as the rdev guide uses it, printing each line: URL PROJECT KEY COMMAND."""

import asyncio
import json
import sys

import aiohttp


async def execute_command(base_url, project_id, api_key, command):
    async with aiohttp.ClientSession(headers={"X-API-Key": api_key}) as session:
        async with session.post(f"{base_url}/projects/{project_id}/shell", json={"command": command}) as answer:
            stream_id = (await answer.json())["data"]["id"]
        async with session.get(f"{base_url}/projects/{project_id}/events", params={"stream_id": stream_id}) as answer:
            async for raw in answer.content:
                line = raw.decode("utf-8").strip()
                if line.startswith("event:"):
                    event_type = line[7:]
                elif line.startswith("data:"):
                    data = json.loads(line[6:])
                    if event_type == "output":
                        print(f"[{data['stream']}] {data['line']}")
                    elif event_type == "complete":
                        return data["exit_code"]
    return 1


sys.exit(asyncio.run(execute_command(*sys.argv[1:5])))
