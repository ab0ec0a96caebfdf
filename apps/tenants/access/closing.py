"""The access room: closing a person: what lets them in ends, and so do the keys that they issued, unless another takes them.

Opening the account again revives none of it.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.keys import keyring
from apps.tenants.access.models import ApiKey, role_of_person
from apps.tenants.access.people.sessions import end_programs, end_sessions
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.errors import Conflict, Forbidden, NotFound
from maestro.principals import RANK, Actor, Principal


@dataclass(frozen=True)
class Ended:
    """What ended with a person."""

    keys_ended: int = 0
    keys_handed_over: int = 0
    programs_ended: int = 0
    browsers_ended: int = 0


def close(by: Actor, person: User, *, at: datetime, heir: User | None = None) -> Ended:
    """Close an account. Its open keys end, or go to an heir. Twice is no error."""
    with transaction.atomic():
        was_open = User.objects.filter(pk=person.pk, is_active=True).update(is_active=False) > 0
        ended = end_access(person, by, at=at, heir=heir)
        if was_open or any(asdict(ended).values()):
            record(by, Act.PERSON_CLOSE, subject=person, before={"is_active": was_open}, after=told(ended, heir))
    return ended


def end_with(by: Actor, person: User, at: datetime) -> None:
    """End what a person holds who is being closed or deleted by other hands; written down if there was anything."""
    with transaction.atomic():
        ended = end_access(person, by, at=at)
        if any(asdict(ended).values()):
            record(by, Act.PERSON_CLOSE, subject=person, after=told(ended, None))


def end_access(person: User, by: Actor, *, at: datetime, heir: User | None = None) -> Ended:
    """End a person's keys, programs and browsers here, or hand the keys over."""
    gone = given = 0
    if connection.schema_name != PUBLIC:
        ApiKey.objects.lock_all()
        issued = ApiKey.objects.filter(person=person)
        given = hand_over(by, list(issued), heir, at) if heir is not None else 0
        gone = keyring.end(by, issued, at) if heir is None else 0
    return Ended(gone, given, end_programs(person, at), end_sessions(person))


def hand_over(by: Actor, keys: list[ApiKey], heir: User, at: datetime) -> int:
    """Make somebody answer for keys, those that ended included: what came of these may go on. Returns how many are open.

    Raises Forbidden for one that reaches further than they do.
    """
    rank, given = RANK.get(role_of_person(heir) or "", -1), 0
    for key in keys:
        if key.is_valid(at) and RANK[key.role] > rank:
            raise Forbidden(f"{heir.get_username()} may not hold {key.name!r}, whose role is {key.role}")
        before = {"created_by": key.created_by}
        key.person, key.created_by = heir, f"person:{heir.get_username()}"[:250]
        key.save(update_fields=["person", "created_by"])
        record(by, Act.KEY_HAND_OVER, subject=key, before=before, after={"created_by": key.created_by})
        given += key.is_valid(at)
    return given


def person_to_close(who: Principal, username: str) -> User:
    """Find whom somebody may close. Raises NotFound; Forbidden for a superuser; Conflict for oneself."""
    if who.kind == "job" or who.projects is not None:
        raise Forbidden("closing a person needs the role admin in the whole tenant")
    person = named(username)
    if person.is_superuser:
        raise Forbidden("a superuser is closed on the pages, by another one")
    if who.kind == "person" and who.id == str(person.pk):
        raise Conflict("nobody closes themselves: ask another admin")
    return person


def named(username: str) -> User:
    """Find a person, closed or not. Raises NotFound."""
    person = User.objects.filter(username=username[:150]).first()
    if person is None:
        raise NotFound("there is no such person")
    return person


def heir_named(username: str, person: User) -> User:
    """Find who takes keys over. Raises NotFound, or Conflict for one who is closed, or is the person themselves."""
    heir = named(username)
    if not heir.is_active or heir.pk == person.pk:
        raise Conflict("keys go to somebody else whose account is open")
    return heir


def told(ended: Ended, heir: User | None) -> dict[str, object]:
    """Write what the audit log keeps."""
    return {"is_active": False, **asdict(ended)} | ({"heir": heir.get_username()} if heir else {})
