"""The registry room: the way out for answers of any size, read piece by piece. Bounds are the caller's.

The same checks as `maestro/egress.py` makes; only the deadline is one of each step instead of the whole.
"""

import http.client
from collections.abc import Iterator, Mapping

from django.conf import settings

from maestro.egress import Deadline, NoAnswer, PinnedConnection, check_url, port_of, resolve


class EachPiece(Deadline):
    """No end of the whole, which may be large: each step on its own has so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def left(self) -> float:
        """How many seconds the next step has."""
        return self.seconds


class Answer:
    """An answer that is read piece by piece. Close it, or use it in `with`."""

    def __init__(self, connection: PinnedConnection, answer: http.client.HTTPResponse) -> None:
        self.connection, self.answer, self.status = connection, answer, answer.status

    def pieces(self) -> Iterator[bytes]:
        """Read it. Raises NoAnswer where it ends before its length."""
        try:
            while piece := self.answer.read(2**20):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{self.connection.host} stops in the middle: {type(error).__name__}") from error
        if self.answer.length:
            raise NoAnswer(f"{self.connection.host} stops in the middle: {self.answer.length} bytes are missing")

    def close(self) -> None:
        """Let go of the connection."""
        self.connection.close()

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def stream(
    url: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one request for an answer of any size, as commands do. Follows no redirect. Raises AddressRefused or NoAnswer."""
    parts = check_url(url)
    deadline = EachPiece(settings.PATIENCE["egress_piece"])
    host, address = resolve(parts, deadline)
    connection = PinnedConnection(host, port_of(parts), address=address, tls=parts.scheme == "https", deadline=deadline)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body=body, headers={"User-Agent": "maestro", **(headers or {})})
        return Answer(connection, connection.getresponse())
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise NoAnswer(f"{host} does not answer: {type(error).__name__}") from error
