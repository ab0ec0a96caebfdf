"""The wire between load_history.py and a Maestro server: JSON, kept-alive connections, retries.

Bench, not product. Standard library only, so the loader runs with any Python 3.11.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.parse
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

RETRIED = (429, 502, 503, 504)
TRIES = 5
PAGE = 500
Json = dict[str, Any]


class StoppedError(Exception):
    """Why the load ends early, and the exit code that says so."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class LostError(Exception):
    """The connection broke: the server may or may not have done what was asked."""


class Api:
    """JSON over one kept-alive connection a thread."""

    def __init__(self, url: str, token: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoppedError(f"--url must look like http://host:port, not {url!r}", 2)
        self.secure, self.host, self.port = parts.scheme == "https", parts.hostname, parts.port
        self.prefix = parts.path.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.local = threading.local()

    def connection(self) -> http.client.HTTPConnection:
        """This thread's connection, opened when first asked for."""
        if not hasattr(self.local, "connection"):
            kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
            self.local.connection = kind(self.host, self.port, timeout=60)
        return self.local.connection  # type: ignore[no-any-return]

    def once(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """One try. Raises LostError if no whole answer came."""
        connection = self.connection()
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, self.prefix + path, data, self.headers | headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as broken:
            connection.close()
            raise LostError(str(broken) or type(broken).__name__) from broken
        try:
            return answer.status, json.loads(text) if text else {}
        except ValueError:
            return answer.status, {"detail": text[:200].decode(errors="replace")}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Ask until an answer comes that is not a busy sign. Only for what may be asked twice."""
        for attempt in range(TRIES):
            try:
                status, answer = self.once(method, path, body, headers)
            except LostError as lost:
                status, answer = 0, {"detail": str(lost)}
            if status and status not in RETRIED:
                return status, answer
            time.sleep(0.2 * 2**attempt)
        raise StoppedError(f"{self.host}:{self.port} does not answer: {reason_of(answer)}", 7)

    def need(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """An answer below 400, or the end of the load."""
        return needed(f"{method} {path}", *self.ask(method, path, body, **headers))

    def pages(self, path: str) -> list[Json]:
        """Every result of a REST list, page by page."""
        found: list[Json] = []
        following: str | None = f"{path}?limit={PAGE}"
        while following:
            answer = self.need("GET", following)
            found += answer["results"]
            parts = urllib.parse.urlsplit(answer.get("next") or "")
            following = f"{parts.path}?{parts.query}" if parts.path else None
        return found


def reason_of(answer: Any) -> str:
    """The server's own words, in either of its error formats."""
    if isinstance(answer, dict):
        return str(answer.get("detail") or answer.get("message") or answer)[:500]
    return str(answer)[:500]


def needed(what: str, status: int, answer: Any) -> Any:
    """The answer, unless it is a refusal. Raises StoppedError."""
    if status in (401, 403):
        raise StoppedError(f"the key may not {what}: {reason_of(answer)}", 3)
    if status >= 400 or status == 0:
        raise StoppedError(f"{what} answered {status}: {reason_of(answer)}", 1)
    return answer


def in_threads(jobs: list[tuple[Any, ...]], threads: int) -> None:
    """Run every job; the first failure, or Ctrl-C, lets what runs end and drops the rest."""
    with ThreadPoolExecutor(threads) as pool:
        futures: list[Future[None]] = [pool.submit(*job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
