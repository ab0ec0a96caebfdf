"""The access room: tokens that people's programs hold: ten minutes of access, and a refresh token that works once.

Each tenant has its own Ed25519 key, derived from the server's secret and the tenant's id, so a token of one
tenant can't even be verified in another. Whether the person is active, and as what, is read at each request.

Source  RFC 8725 (JWT best practice), RFC 9700 section 4.14 (refresh token rotation)
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import RefreshToken
from apps.tenants.access.people.principal import acting_as, principal_of_person
from apps.tenants.routing import this_tenant
from maestro.errors import Unauthenticated
from maestro.principals import Actor, Principal

ISSUER = "maestro"
ALGORITHM = "EdDSA"
ACCESS_SECONDS = 600
REFRESH = timedelta(days=14)
REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "fam", "pwd"]
REFUSAL = "this token is not valid"


@dataclass(frozen=True)
class Pair:
    """What a sign-in hands out."""

    access: str
    refresh: str
    expires_in_seconds: int = ACCESS_SECONDS


def signing_key(tenant_id: uuid.UUID, secret: str) -> Ed25519PrivateKey:
    """Derive a tenant's key. Source  RFC 5869 (HKDF)"""
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=tenant_id.bytes, info=b"maestro person token 1")
    return Ed25519PrivateKey.from_private_bytes(kdf.derive(secret.encode()))


def key_id(key: Ed25519PrivateKey) -> str:
    """Name a key by its public half."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def verifying_keys() -> dict[str, Ed25519PrivateKey]:
    """Derive the current tenant's keys by id: of today's secret and, while it is rotated, of yesterday's."""
    made = [signing_key(this_tenant().id, str(s)) for s in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return {key_id(key): key for key in made}


def fingerprint(person: User) -> str:
    """Digest what changes with the password, so that a new one ends old tokens."""
    return hashlib.sha256(person.get_session_auth_hash().encode()).hexdigest()[:16]


def fingerprints(person: User) -> set[str]:
    """Digest the same by today's secret of the server and, while it is rotated, by yesterday's."""
    older = person.get_session_auth_fallback_hash()
    return {fingerprint(person), *(hashlib.sha256(one.encode()).hexdigest()[:16] for one in older)}


def issue(person: User, at: datetime, family: uuid.UUID | None = None) -> Pair:
    """Hand out a pair. A family is all that follows from one sign-in."""
    family = family or uuid.uuid4()
    key = signing_key(this_tenant().id, settings.SECRET_KEY)
    claims = {
        "iss": ISSUER,
        "aud": this_tenant().slug,
        "sub": str(person.pk),
        "iat": at,
        "exp": at + timedelta(seconds=ACCESS_SECONDS),
        "jti": uuid.uuid4().hex,
        "fam": family.hex,
        "pwd": fingerprint(person),
    }
    access = jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id(key), "typ": "at+jwt"})
    refresh = RefreshToken.objects.issue(user_id=person.pk, family=family, expires_at=at + REFRESH)
    return Pair(access, refresh)


def sign_in(person: User, *, by: Actor, at: datetime) -> Pair:
    """Hand out the pair of a new sign-in to who has just shown who they are."""
    with transaction.atomic():
        pair = issue(person, at)
        record(acting_as(person, by), Act.PERSON_TOKEN, subject=person)
    return pair


def sign_out(text: str, *, by: Actor, at: datetime) -> None:
    """End every token of a sign-in, by its refresh token; an unknown or ended one is no error."""
    with transaction.atomic():
        person = revoke(text, at)
        if person is not None:
            record(acting_as(person, by), Act.PERSON_SIGN_OUT, subject=person)


def renew(text: str, *, by: Actor, at: datetime) -> tuple[User, Pair]:
    """Trade a refresh token for a new pair. One that was used before ends its whole family. Raises Unauthenticated."""
    with transaction.atomic():
        token = RefreshToken.objects.of_text(text).select_for_update().select_related("user").first()
        if token is None:
            raise Unauthenticated(REFUSAL)
        person = token.user
        if token.used_at is None and token.revoked_at is None and token.expires_at > at and person.is_active:
            RefreshToken.objects.filter(pk=token.pk).update(used_at=at)
            return person, issue(person, at, token.family)
        if token.used_at is not None and revoke_family(token.family, at):
            after = {"ended": "all tokens of that sign-in"}
            record(acting_as(person, by), Act.PERSON_TOKEN_REUSE, subject=person, after=after)
    raise Unauthenticated(REFUSAL)


def revoke_family(family: uuid.UUID, at: datetime) -> int:
    """End every token of one sign-in."""
    return RefreshToken.objects.filter(family=family, revoked_at=None).update(revoked_at=at)


def revoke(text: str, at: datetime) -> User | None:
    """Sign out by a refresh token. Returns whose it was; None, and no error, for one that is unknown or ended."""
    token = RefreshToken.objects.of_text(text).select_related("user").first()
    if token is None or not revoke_family(token.family, at):
        return None
    return token.user


def read_claims(text: str) -> dict[str, Any]:
    """Verify an access token for the current tenant. Raises Unauthenticated, always with the same words."""
    try:
        header = jwt.get_unverified_header(text)
        key = verifying_keys().get(str(header.get("kid")))
        if key is None or header.get("typ") != "at+jwt":
            raise Unauthenticated(REFUSAL)
        options: Any = {"require": REQUIRED, "strict_aud": True}
        return jwt.decode(
            text,
            key.public_key(),
            algorithms=[ALGORITHM],
            audience=this_tenant().slug,
            issuer=ISSUER,
            options=options,
        )
    except jwt.PyJWTError as error:
        raise Unauthenticated(REFUSAL) from error


def principal_of(text: str) -> Principal:
    """Read who holds an access token, as they are now. Raises Unauthenticated, or Forbidden without a role."""
    claims = read_claims(text)
    try:
        identity, family = int(claims["sub"]), uuid.UUID(claims["fam"])
    except ValueError as error:
        raise Unauthenticated(REFUSAL) from error
    person = User.objects.filter(pk=identity, is_active=True).first()
    if person is None or claims["pwd"] not in fingerprints(person):
        raise Unauthenticated(REFUSAL)
    if RefreshToken.objects.filter(family=family, revoked_at__isnull=False).exists():
        raise Unauthenticated(REFUSAL)
    return principal_of_person(person)
