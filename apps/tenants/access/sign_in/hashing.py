"""The access room: how passwords are digested: argon2id as OWASP's least, and only so many at once in a process.

A digest takes its memory and its CPU whoever asks, so a crowd at the sign-in page must not take all there is.

Source  OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, 2 iterations, 1 lane
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from maestro.errors import Unavailable

AT_ONCE = 2
_places = threading.BoundedSemaphore(AT_ONCE)


class Busy(Unavailable):
    """Too many passwords are being checked."""

    code = "busy"


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the few places. Raises Busy if none comes free."""
    if not _places.acquire(timeout=settings.PATIENCE["password"]):
        raise Busy("too many people sign in at this moment; try again")
    try:
        yield
    finally:
        _places.release()


class Argon2(Argon2PasswordHasher):
    """Django's argon2 with bounded parameters. A digest made with others is still verified, and made anew then."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Digest a password. Raises Busy."""
        with place():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Compare a password with a digest. Raises Busy."""
        with place():
            return super().verify(password, encoded)
