"""A pooler between an application and Postgres, small and real: in transaction mode a session is lent for a transaction.

It speaks enough of the protocol for that: it relays the sign-in, then hands each transaction to whichever backend was
given back last, as PgBouncer does. In session mode each client keeps the backend it signed in with.
"""

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

ENCRYPTION_ASKED = (80877103, 80877104)
SIGN_IN_DONE = 0
LAST_OF_SASL = 12
PATIENCE_SECONDS = 120  # whoever says nothing for so long is hung up on: no test waits for ever


def exactly(link: socket.socket, count: int) -> bytes:
    """Read so many bytes. Raises ConnectionError at the end."""
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def message(link: socket.socket) -> bytes:
    """Read one message: its letter, its length, its content."""
    head = exactly(link, 5)
    return head + exactly(link, struct.unpack("!I", head[1:])[0] - 4)


class Pooler:
    """Listens on a free port and relays to a Postgres."""

    def __init__(self, host: str, port: int, *, by_transaction: bool) -> None:
        self.upstream, self.by_transaction = (host, port), by_transaction
        self.idle: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        self.lent = 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.welcome, daemon=True).start()

    def welcome(self) -> None:
        """Take clients in until the door is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.door.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """Relay one client, and hang up on it whatever happens."""
        client.settimeout(PATIENCE_SECONDS)
        with closing(client), suppress(OSError, queue.Empty):
            self.relay(client, self.sign_in(client))

    def relay(self, client: socket.socket, own: socket.socket | None) -> None:
        """Send what a client asks to the backend that it was lent, and the answers back."""
        backend = None if self.by_transaction else own
        while (asked := message(client))[:1] != b"X":
            backend = backend or self.idle.get(timeout=PATIENCE_SECONDS)
            self.lent += 1
            backend.sendall(asked)
            if asked[:1] in b"QS" and self.answer(backend, client) and self.by_transaction:
                backend = None

    def sign_in(self, client: socket.socket) -> socket.socket:
        """Relay a sign-in to a backend of its own, which joins the pool."""
        head = exactly(client, 8)
        while struct.unpack("!II", head)[1] in ENCRYPTION_ASKED:
            client.sendall(b"N")
            head = exactly(client, 8)
        backend = socket.create_connection(self.upstream, timeout=PATIENCE_SECONDS)
        backend.sendall(head + exactly(client, struct.unpack("!II", head)[0] - 8))
        while True:
            said = message(backend)
            if said[:1] == b"Z":
                self.give_back(backend)  # before the client hears of it, who may ask at once
                client.sendall(said)
                return backend
            client.sendall(said)
            if said[:1] == b"R" and struct.unpack("!I", said[5:9])[0] not in (SIGN_IN_DONE, LAST_OF_SASL):
                backend.sendall(message(client))

    def give_back(self, backend: socket.socket) -> None:
        """Let the next transaction have a backend."""
        if self.by_transaction:
            self.idle.put(backend)

    def answer(self, backend: socket.socket, client: socket.socket) -> bool:
        """Relay an answer to its end. Returns whether the session is outside a transaction now."""
        while (said := message(backend))[:1] != b"Z":
            client.sendall(said)
        ended = said[5:6] == b"I"
        if ended:
            self.give_back(backend)
        client.sendall(said)
        return ended

    def close(self) -> None:
        """End it."""
        self.door.close()
        while not self.idle.empty():
            self.idle.get().close()


@contextmanager
def pooler(host: str, port: int, *, by_transaction: bool) -> Iterator[Pooler]:
    """Run a pooler before a Postgres."""
    running = Pooler(host, port, by_transaction=by_transaction)
    try:
        yield running
    finally:
        running.close()
