"""The access room: what people do with their second factor: show it, set it up, renew its codes, take it away.

Each act is one transaction with its event. How a code is checked stands in `second_factor`.
"""

from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import RefreshToken
from apps.tenants.access.sign_in import second_factor
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.principals import Actor

SHOWN = {"app": Act.PERSON_CODE_APP, "recovery": Act.PERSON_CODE_RECOVERY}
HAS_FACTOR, HAS_NONE = {"has_factor": True}, {"has_factor": False}


class Change(StrEnum):
    """What somebody does to their own factor, as the page's buttons say it."""

    RENEW = "renew"
    REMOVE = "remove"


def show(person: User, code: str, *, by: Actor, at: datetime) -> str | None:
    """Take a code after the password. Returns what it was, or None for a wrong one. Raises TooMany while locked."""
    with transaction.atomic():
        how = second_factor.check(person, code, by=by, at=at)
        if how is not None:
            record(by, SHOWN[how], subject=person, after={"code": how})
    return how


def set_up(person: User, code: str, *, by: Actor, at: datetime) -> list[str] | None:
    """Take the first code of a new app. Returns recovery codes; None for a wrong code.

    Programs that hold tokens, which a password alone opened, have to sign in anew.
    """
    with transaction.atomic():
        codes = second_factor.confirm(person, code, at)
        if codes is not None:
            record(by, Act.SECOND_FACTOR_BEGIN, subject=person, before=HAS_NONE, after=HAS_FACTOR)
            if connection.schema_name != PUBLIC:
                RefreshToken.objects.filter(user=person, revoked_at=None).update(revoked_at=at)
    return codes


def change(what: Change, person: User, code: str, *, by: Actor, at: datetime) -> list[str] | None:
    """Change one's own factor for a right code. Returns new codes; None for a wrong code. Raises TooMany while locked."""
    with transaction.atomic():
        if second_factor.check(person, code, by=by, at=at) is None:
            return None
        if what is Change.RENEW:
            codes = second_factor.renew_codes(person)
            record(by, Act.SECOND_FACTOR_RENEW, subject=person, after={"recovery_codes": len(codes)})
            return codes
        second_factor.remove(person)
        record(by, Act.SECOND_FACTOR_REMOVE, subject=person, before=HAS_FACTOR, after=HAS_NONE)
        return []


def reset(person: User, *, by: Actor) -> bool:
    """Let somebody who lost theirs in by password alone. Says whether there was one."""
    with transaction.atomic():
        had_one = second_factor.remove(person)
        if had_one:
            record(by, Act.SECOND_FACTOR_RESET, subject=person, before=HAS_FACTOR, after=HAS_NONE)
    return had_one
