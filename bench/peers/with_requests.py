"""requests and sseclient-py as the rdev guide uses them, printing each line: URL PROJECT KEY COMMAND."""

import json
import sys

import requests
import sseclient


def execute_command(base_url, project_id, api_key, command):
    headers = {"X-API-Key": api_key, "Content-Type": "application/json"}
    answer = requests.post(f"{base_url}/projects/{project_id}/shell", headers=headers, json={"command": command})
    answer = requests.get(
        f"{base_url}/projects/{project_id}/events",
        params={"stream_id": answer.json()["data"]["id"]},
        headers={"X-API-Key": api_key},
        stream=True,
    )
    for event in sseclient.SSEClient(answer).events():
        data = json.loads(event.data)
        if event.event == "output":
            print(f"[{data.get('stream', 'stdout')}] {data.get('line', '')}")
        elif event.event == "complete":
            return data["exit_code"]
    return 1


sys.exit(execute_command(*sys.argv[1:5]))
