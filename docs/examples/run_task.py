"""Run a task of this folder: print its output as it comes, leave with its exit code."""

import json, subprocess, sys
from pathlib import Path

bridge = subprocess.Popen(["rdev-bridge", "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def send(**message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    bridge.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    bridge.stdin.flush()

def messages():
    while header := bridge.stdout.readline():
        bridge.stdout.readline()  # the blank line after the header
        yield json.loads(bridge.stdout.read(int(header.split(b":")[1])))

client = {"rootUri": Path.cwd().as_uri(), "capabilities": {"experimental": {"rdev": {}}}}
send(id=1, method="initialize", params=client)
send(id=2, method="rdev/run", params={"task": sys.argv[1]})
for message in messages():
    method, params = message.get("method"), message.get("params")
    if "error" in message:
        sys.exit(message["error"]["message"])
    if method == "rdev/output":
        for chunk in params["chunks"]:
            print(*chunk["lines"], sep="\n", file=getattr(sys, chunk["stream"]))
    if method == "rdev/runFinished" and params["run"].get("task") == sys.argv[1]:
        sys.exit(params["run"].get("exitCode", 125))
