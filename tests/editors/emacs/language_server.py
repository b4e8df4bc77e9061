"""The smallest language server: it finds one thing wrong with every file, and answers all else with null."""

import json
import sys

SYNC = {"openClose": True, "change": 1}
PLACE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 4}}


def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()


while header := sys.stdin.buffer.readline():
    sys.stdin.buffer.readline()
    message = json.loads(sys.stdin.buffer.read(int(header.split(b":")[1])))
    method = message.get("method")
    if method == "initialize":
        send({"id": message["id"], "result": {"capabilities": {"textDocumentSync": SYNC}}})
    elif method == "textDocument/didOpen":
        problem = {"range": PLACE, "severity": 2, "message": "a language server's own"}
        uri = message["params"]["textDocument"]["uri"]
        send({"method": "textDocument/publishDiagnostics", "params": {"uri": uri, "diagnostics": [problem]}})
    elif method == "exit":
        break
    elif "id" in message and method:
        send({"id": message["id"], "result": None})
