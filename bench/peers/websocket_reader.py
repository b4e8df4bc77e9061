"""Reads all that a websocket on this machine sends, as raw bytes: no client can do less. PORT."""

import os
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    tail = b""
    while data := connection.recv(256 * 1024):
        os.write(1, data)
        tail = (tail + data)[-64:]
    if b"1000000" not in tail:
        sys.exit("the stream ended early")
