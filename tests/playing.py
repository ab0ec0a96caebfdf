"""Servers that answer the CI client as a test tells them, to find out what it makes of slowness, errors and nonsense."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

CLIENT = Path(__file__).resolve().parents[1] / "docs" / "ci" / "maestro_ci.py"
ADMITTED = {"key": "mst_acme_x_y", "role": "contributor", "project": "p", "expires_at": "2026-01-01T00:00:00Z"}
Answer = tuple[int, dict[str, str], bytes]
Play = Callable[[int], Answer]


def as_json(status: int, body: Any, **headers: str) -> Answer:
    return status, headers, json.dumps(body).encode()


@contextmanager
def playing(play: Play) -> Iterator[tuple[str, list[Any]]]:
    """A server that answers the nth request as told, and keeps what it was sent."""
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.path, dict(self.headers), json.loads(body or b"null")))
            status, headers, answer = play(len(seen))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815 the library names it

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
