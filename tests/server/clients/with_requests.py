"""requests and sseclient-py, as the rdev guide uses them: URL, project, key and command in, what was seen out."""

import json
import sys

import requests
import sseclient


def execute_command(base_url, project_id, command, api_key):
    headers = {"X-API-Key": api_key, "Content-Type": "application/json"}
    response = requests.post(f"{base_url}/projects/{project_id}/shell", headers=headers, json={"command": command})
    stream_id = response.json()["data"]["id"]
    response = requests.get(
        f"{base_url}/projects/{project_id}/events",
        params={"stream_id": stream_id},
        headers={"X-API-Key": api_key},
        stream=True,
    )
    seen, result = [], None
    for event in sseclient.SSEClient(response).events():
        data = json.loads(event.data)
        if event.event == "output":
            seen.append([data.get("stream", "stdout"), data.get("line", "")])
        elif event.event == "complete":
            result = {"exit_code": data["exit_code"], "duration_ms": data["duration_ms"]}
            break
    return {"seen": seen, "result": result}


print(json.dumps(execute_command(sys.argv[1], sys.argv[2], sys.argv[4], sys.argv[3])))
