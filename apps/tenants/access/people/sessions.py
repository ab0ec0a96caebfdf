"""The access room: where a person is signed in, in this schema: browsers hold sessions, programs refresh tokens."""

import hashlib
import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.factors.models import Session
from apps.tenants.access.models import RefreshToken
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.principals import Actor


def handle(session_key: str) -> str:
    """Name a session without giving it away."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:16]


def sessions_of(person: Any, at: datetime) -> QuerySet[Session]:
    """Find a person's sessions that go on, newest first."""
    return Session.objects.filter(person_id=person.pk, expire_date__gt=at).order_by("-expire_date")


def end_sessions(person: Any, *, but: str | None = None) -> int:
    """End every session of a person, or every other one. Returns how many there were."""
    return at_once(Session.objects.filter(person_id=person.pk).exclude(session_key=but or ""))


def end_programs(person: Any, at: datetime, family: uuid.UUID | None = None) -> int:
    """End one of a person's programs, or each. Operators have none. Returns how many tokens there were."""
    if connection.schema_name == PUBLIC:
        return 0
    live = RefreshToken.objects.filter(user_id=person.pk, revoked_at=None)
    return (live if family is None else live.filter(family=family)).update(revoked_at=at)


def sign_out(by: Actor, person: Any, wanted: str, *, but: str | None, at: datetime) -> int:
    """End one browser or program of a person by its handle, or with `all` everything but one session; write it down."""
    with transaction.atomic():
        if wanted == "all":
            ended = end_sessions(person, but=but) + end_programs(person, at)
        else:
            keys = [key for key in sessions_of(person, at).values_list("pk", flat=True) if handle(key) == wanted]
            family = as_family(wanted)
            ended = Session.objects.filter(pk__in=keys, person_id=person.pk).delete()[0]
            ended += end_programs(person, at, family) if family else 0
        if ended:
            record(by, Act.PERSON_SIGN_OUT, subject=person, after={"ended": ended})
    return ended


def as_family(text: str) -> uuid.UUID | None:
    """Read a family's id; None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def forget_expired(before: datetime) -> int:
    """Delete the rows of sessions that are over."""
    return at_once(Session.objects.filter(expire_date__lt=before))


def at_once(sessions: QuerySet[Session]) -> int:
    """Delete in one statement: nothing refers to sessions, so Django need not fetch them first, a hundred at a time."""
    return sessions._raw_delete(sessions.db)
