"""The access room: the second factor of people with a password: codes of an authenticator app, or recovery codes.

A code works once, within a step of its time; wrong ones lock like wrong passwords do. People who come by an
identity provider are not asked: whether that asked for more than a password is its own matter.

Source  RFC 6238 (TOTP); the algorithm is django-otp's. ADR 0008 says why its devices are not.
"""

import base64
import hmac
import secrets
from datetime import datetime
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django_otp.oath import hotp

from apps.tenants.access.factors.models import Authenticator, RecoveryCode
from apps.tenants.access.people.known import ask, known
from apps.tenants.access.sign_in.passwords import LOCK_SECONDS
from apps.tenants.access.sign_in.sealing import seal, unseal
from maestro import peppers
from maestro.database.session import connection
from maestro.http.addresses import group_of
from maestro.http.throttling import limiter
from maestro.principals import Actor

STEP_SECONDS, TOLERANCE, SECRET_BYTES = 30, 1, 20
CODES, CODE_BYTES = 10, 6
TRIES_PAIR, TRIES_ACCOUNT = 5, 20
MARK = "second_factor"
OIDC = "apps.tenants.access.sign_in.oidc.OidcBackend"


def standing_of(person: User) -> tuple[int | None, bool]:
    """Read a person's confirmed authenticator, if they have one, and whether one is demanded here, as it is now."""
    told = ask(person)
    return told.authenticator, told.is_factor_required


def is_wanting(request: HttpRequest) -> bool:
    """Say whether a signed-in session still owes its second factor."""
    kept: bool | None = getattr(request, "maestro_wants_factor", None)
    if kept is None:
        person: Any = request.user
        if request.session.get(BACKEND_SESSION_KEY) == OIDC:
            return False
        told = known(person)
        has_factor = told.authenticator is not None
        kept = request.session.get(MARK) != told.authenticator if has_factor else told.is_factor_required
        request.maestro_wants_factor = kept  # type: ignore[attr-defined]
    return kept


def accept(request: HttpRequest, person: User) -> None:
    """Note in the session that its person showed their second factor."""
    request.session.cycle_key()
    request.session[MARK] = Authenticator.objects.get(user=person).pk
    request.maestro_wants_factor = False  # type: ignore[attr-defined]


def begin(person: User) -> str:
    """Make a secret that waits to be confirmed, in place of an older one that waits. Returns it in base 32."""
    secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
    with transaction.atomic():
        Authenticator.objects.filter(user=person, confirmed_at=None).delete()
        Authenticator.objects.create(user=person, sealed_secret=seal(secret))
    return secret


def waiting_secret(person: User) -> str | None:
    """Read the secret that waits to be confirmed."""
    found = Authenticator.objects.filter(user=person, confirmed_at=None).first()
    return unseal(bytes(found.sealed_secret)) if found else None


def confirm(person: User, code: str, at: datetime) -> list[str] | None:
    """Take the first code of a new app. Returns recovery codes, shown once; None for a wrong code."""
    with transaction.atomic():
        found = Authenticator.objects.select_for_update().filter(user=person, confirmed_at=None).first()
        step = step_of(found, code, at) if found else None
        if found is None or step is None:
            return None
        found.confirmed_at, found.last_step = at, step
        found.save(update_fields=["confirmed_at", "last_step"])
        return renew_codes(person)


def renew_codes(person: User) -> list[str]:
    """Make recovery codes in place of all older ones."""
    raw = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().rstrip("=").lower() for _ in range(CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=person).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=person, **peppers.columns(plain_code(person, text))) for text in raw
        )
    return [f"{text[:5]}-{text[5:]}" for text in raw]


def plain_code(person: User, text: str) -> str:
    """Write what of a recovery code is digested."""
    plain = text.replace("-", "").replace(" ", "").lower()
    return f"recovery\0{person.pk}\0{plain}"


def step_of(found: Authenticator, code: str, at: datetime) -> int | None:
    """Find the step that a code belongs to, among those that were not used. Every candidate is compared."""
    plain = code.replace(" ", "")
    if not (plain.isascii() and plain.isdecimal() and len(plain) == 6):
        return None
    key = base64.b32decode(unseal(bytes(found.sealed_secret)))
    now, matching = int(at.timestamp()) // STEP_SECONDS, None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        is_same = hmac.compare_digest(f"{hotp(key, step):06d}", plain)
        if is_same and step > found.last_step:
            matching = step
    return matching


def check(person: User, code: str, *, by: Actor, at: datetime) -> str | None:
    """Take a code at sign-in. Returns what it was, "app" or "recovery", or None. Raises TooMany while locked."""
    tries = counters(by, person)
    for name, limit in tries:
        limiter.check(name, limit, seconds=LOCK_SECONDS)
    found = Authenticator.objects.filter(user=person).exclude(confirmed_at=None).first()
    step = step_of(found, code, at) if found else None
    used = step is not None and Authenticator.objects.filter(user=person, last_step__lt=step).update(last_step=step)
    if used:
        how: str | None = "app"
    else:
        digests = peppers.every_digest(plain_code(person, code)) if found is not None and 0 < len(code) <= 40 else []
        how = "recovery" if digests and RecoveryCode.objects.filter(user=person).use(digests, at) else None
    for name, _ in tries if how is None else ():
        limiter.take(name, 1_000_000, seconds=LOCK_SECONDS)
    if how is not None:
        limiter.forget(tries[0][0], seconds=LOCK_SECONDS)
    return how


def counters(by: Actor, person: User) -> list[tuple[str, int]]:
    """Name what a wrong code counts for. Apart from passwords, whose right answer begins their count anew."""
    where = group_of(by.address) if by.address else "no request"
    schema = connection.schema_name
    return [(f"{schema}:code:{person.pk}@{where}", TRIES_PAIR), (f"{schema}:code:{person.pk}@", TRIES_ACCOUNT)]


def remove(person: User) -> bool:
    """Take a person's second factor and recovery codes away. Says whether there was one."""
    with transaction.atomic():
        RecoveryCode.objects.filter(user=person).delete()
        return Authenticator.objects.filter(user=person).delete()[0] > 0
