"""The access room: sign-in by password, with a lock-out that a stranger can't turn against the person.

Wrong tries are counted by account and address together, by address, and (far higher) by account alone.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.people.known import KnownPermissions, known
from maestro.database.session import connection
from maestro.errors import TooMany
from maestro.http.addresses import client_address, group_of
from maestro.http.throttling import limiter
from maestro.principals import NOBODY, Actor

LOCK_SECONDS = 900
TRIES_PAIR, TRIES_ADDRESS, TRIES_ACCOUNT = 5, 50, 100


def counters(request: HttpRequest | None, username: str) -> list[tuple[str, int]]:
    """Name what one try counts for, the narrowest first."""
    schema = connection.schema_name
    who = username.lower()[:150]
    where = group_of(client_address(request)) if request is not None else "no request"
    return [
        (f"{schema}:password:{who}@{where}", TRIES_PAIR),
        (f"{schema}:password:@{where}", TRIES_ADDRESS),
        (f"{schema}:password:{who}@", TRIES_ACCOUNT),
    ]


# What a role in a project lets a person ask for; which rows they then meet is the pages' matter.
SEEN_IN_PROJECTS = frozenset(
    {
        "tracking.view_project",
        "tracking.view_experiment",
        "tracking.view_run",
        "registry.view_artifact",
        "registry.view_artifactversion",
    }
)


class PasswordBackend(KnownPermissions):
    """Django's password check behind the lock-out. Raises TooMany, before any hashing, while locked."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Check a password."""
        if not isinstance(username, str) or not isinstance(password, str):
            return None
        tries = counters(request, username)
        for name, limit in tries:
            limiter.check(name, limit, seconds=LOCK_SECONDS)
        person = super().authenticate(request, username=username, password=password)
        if person is None:
            for name, _ in tries:
                limiter.take(name, 1_000_000, seconds=LOCK_SECONDS)
            note_lock_out(request, username, tries)
            return None
        limiter.forget(tries[0][0], seconds=LOCK_SECONDS)
        note(request, Act.PERSON_PASSWORD, person.get_username())
        return person

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Let a role in a project open the pages that show projects; elsewhere groups decide."""
        if super().has_perm(user_obj, perm, obj):
            return True
        return obj is None and perm in SEEN_IN_PROJECTS and user_obj.is_active and bool(known(user_obj).project_roles)


def note(request: HttpRequest | None, action: Act, username: str) -> None:
    """Write a sign-in, or a lock-out, into the log."""
    if request is None:
        return
    who = Actor(f"person:{username}", "", client_address(request), getattr(request, "request_id", ""), NOBODY)
    with transaction.atomic():
        record(who, action, object_type="User", object_id=username)


def note_lock_out(request: HttpRequest | None, username: str, tries: list[tuple[str, int]]) -> None:
    """Write down, once, that the next try of this account from this address is refused."""
    name, limit = tries[0]
    try:
        limiter.check(name, limit, seconds=LOCK_SECONDS)
    except TooMany:
        note(request, Act.PERSON_LOCK_OUT, username[:150])
