"""The access room: sign-in by password, with a lock-out that a stranger can't turn against the person.

Wrong tries are counted by account and address together, by address, and (far higher) by account alone.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest

from maestro.api.addresses import client_address, group_of
from maestro.api.throttling import limiter

LOCK_SECONDS = 900
TRIES_PAIR, TRIES_ADDRESS, TRIES_ACCOUNT = 5, 50, 100


def counters(request: HttpRequest | None, username: str) -> list[tuple[str, int]]:
    """Name what one try counts for, the narrowest first."""
    schema: str = connection.schema_name  # type: ignore[attr-defined]
    who = username.lower()[:150]
    where = group_of(client_address(request)) if request is not None else "no request"
    return [
        (f"{schema}:password:{who}@{where}", TRIES_PAIR),
        (f"{schema}:password:@{where}", TRIES_ADDRESS),
        (f"{schema}:password:{who}@", TRIES_ACCOUNT),
    ]


class PasswordBackend(ModelBackend):
    """Django's password check behind the lock-out. Raises TooMany, before any hashing, while locked."""

    def authenticate(self, request: HttpRequest | None, **given: Any) -> User | None:
        """Check a password."""
        username, password = given.get("username"), given.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            return None
        tries = counters(request, username)
        for name, limit in tries:
            limiter.check(name, limit, seconds=LOCK_SECONDS)
        person = super().authenticate(request, username=username, password=password)
        if person is None:
            for name, _ in tries:
                limiter.take(name, 1_000_000, seconds=LOCK_SECONDS)
            return None
        limiter.forget(tries[0][0], seconds=LOCK_SECONDS)
        return person
