"""aiohttp, as the rdev guide uses it."""

import asyncio
import json
import sys

import aiohttp


async def execute_command(base_url, project_id, command, api_key):
    seen = []
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
                        seen.append([data["stream"], data["line"]])
                    elif event_type == "complete":
                        return {"seen": seen, "result": data}
    return None


print(json.dumps(asyncio.run(execute_command(sys.argv[1], sys.argv[2], sys.argv[4], sys.argv[3]))))
