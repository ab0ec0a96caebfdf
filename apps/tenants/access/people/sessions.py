"""The access room: a person's sessions in this schema."""

import hashlib
from collections.abc import Iterator
from typing import Any

from django.contrib.sessions.models import Session
from django.utils import timezone


def handle(session_key: str) -> str:
    """Name a session without giving it away."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:16]


def sessions_of(person: Any, most: int | None = None) -> Iterator[Session]:
    """Find a person's sessions, among the newest if a bound is given; a session's owner stands inside it."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).order_by("-expire_date")[:most].iterator():
        if session.get_decoded().get("_auth_user_id") == str(person.pk):
            yield session
