"""An rdev server on which every command succeeds at once; it notes when each start call came."""

from __future__ import annotations

import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_COMPLETE = b'event: complete\ndata: {"exit_code": 0, "duration_ms": 1}\nid: 1\n\n'


class NotingServer:
    """A context manager; serves in threads of this process."""

    def __enter__(self) -> Self:
        self._starts_ns: queue.SimpleQueue[int] = queue.SimpleQueue()
        starts_ns = self._starts_ns

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                starts_ns.put(time.monotonic_ns())
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer("application/json", b'{"data": {"id": "bench"}}')

            def do_GET(self) -> None:
                self._answer("text/event-stream", _COMPLETE)

            def _answer(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                pass  # a daemon that was killed resets its connections

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environ(self) -> dict[str, str]:
        """How rdev-bridge is told to use it."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {"RDEV_URL": url, "RDEV_PROJECT": "bench", "RDEV_API_KEY": "bench-key-of-enough-length"}

    def next_start_ns(self) -> int:
        """When the next start call came; each is told once."""
        return self._starts_ns.get(timeout=10)
