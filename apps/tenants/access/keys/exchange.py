"""The access room: a CI job's identity token becomes a key of at most 15 minutes, for one tenant and one project.

A token is used once. Whoever is refused hears only that; why stands in the audit log, for tokens that were real.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.keys.publishers import claim, mismatch
from apps.tenants.access.models import ApiKey, TrustedPublisher, UsedToken
from apps.tenants.access.models.keys import Origin
from apps.tenants.routing import this_tenant
from maestro.egress import AddressRefused
from maestro.errors import Forbidden, Invalid
from maestro.oidc import BadToken, Keys, discover, peek, verify
from maestro.principals import Actor

NAMES = ("repository", "project_path", "sub")


class UntrustedJob(Forbidden):
    """The token does not belong to a job that this tenant trusts."""

    code = "untrusted_job"

    def __init__(self) -> None:
        super().__init__("this job is not trusted here, or its token was used before")


@dataclass(frozen=True)
class Admission:
    """A job that was let in."""

    key: ApiKey
    text: str
    publisher: TrustedPublisher


def keys_of(publisher: TrustedPublisher) -> Keys:
    """Find where the publisher's keys are."""
    if publisher.jwks:
        return Keys(document=publisher.jwks)
    try:
        url = publisher.jwks_url or discover(publisher.issuer).get("jwks_uri")
    except Invalid as error:
        raise BadToken(error.detail) from error
    if not isinstance(url, str):
        raise BadToken("the issuer names no keys")
    return Keys(url=url)


def admit(token: str, by: Actor, at: datetime) -> Admission:
    """Let a job in. Raises UntrustedJob; Unavailable if its issuer can't be asked."""
    refusals: list[str] = []
    for publisher in candidates(token):
        try:
            claims = verify(
                token, issuer=publisher.issuer, audience=publisher.audience, keys=keys_of(publisher), required=("sub",)
            )
        except (BadToken, AddressRefused):
            continue
        wrong = mismatch(publisher, claims)
        if wrong is None:
            return mint(publisher, claims, token, by=by, at=at)
        refusals.append(f"{publisher.name}: {wrong}")
    if refusals:
        refuse(by, "; ".join(refusals), token)
    raise UntrustedJob


def candidates(token: str) -> list[TrustedPublisher]:
    """List the publishers that a token might be for, by what it says itself."""
    try:
        said = peek(token)
    except BadToken as error:
        raise UntrustedJob from error
    issuer, audience = said.get("iss"), said.get("aud")
    if not isinstance(issuer, str) or not isinstance(audience, str):
        raise UntrustedJob
    return list(TrustedPublisher.objects.filter(issuer=issuer, audience=audience, is_enabled=True)[:50])


def mint(publisher: TrustedPublisher, claims: dict[str, Any], token: str, *, by: Actor, at: datetime) -> Admission:
    """Note the token as used, then make the key, in one transaction."""
    ends = datetime.fromtimestamp(int(claims["exp"]), UTC)
    try:
        with transaction.atomic():
            if not is_trusted_still(publisher):
                raise UntrustedJob
            if not use(token_identity(claims, token), ends + timedelta(minutes=5)):
                raise UntrustedJob
            key, text = ApiKey.objects.issue(
                slug=this_tenant().slug,
                name=f"{publisher.kind}: {name_of(claims)}"[:250],
                role=publisher.role,
                at=at,
                lasts=timedelta(minutes=publisher.minutes),
                project_id=publisher.project_id,
                created_by=f"publisher:{publisher.name}"[:250],
                kind=ApiKey.Kind.JOB,
                origin=Origin(publisher_id=publisher.pk),
            )
            told = {"publisher": publisher.name, "subject": claims["sub"], "expires_at": key.expires_at}
            job = replace(by, name=f"job:{key.name}", role=key.role)
            record(job, Act.JOB_ADMIT, subject=key, after=told)
    except UntrustedJob:
        refuse(by, f"{publisher.name}: the token was used before, or the trust just taken back", token)
        raise
    return Admission(key, text, publisher)


def is_trusted_still(publisher: TrustedPublisher) -> bool:
    """Look again, and hold the row: who takes the trust back ends the keys of all jobs that were let in until then."""
    return TrustedPublisher.objects.select_for_update().filter(pk=publisher.pk, is_enabled=True).exists()


def token_identity(claims: dict[str, Any], token: str) -> bytes:
    """Name a token: issuer and jti; without a jti, what was signed (a signature alone can be varied)."""
    signed = token.rpartition(".")[0]
    return hashlib.sha256(f"{claims['iss']}\0{claims.get('jti') or signed}".encode()).digest()


def use(digest: bytes, expires_at: datetime) -> bool:
    """Note a token as used; False if it was already."""
    _, fresh = UsedToken.objects.get_or_create(digest=digest, defaults={"expires_at": expires_at})
    return fresh


def name_of(claims: dict[str, Any]) -> str:
    """Name a job by what its issuer calls it."""
    return next((found for name in NAMES if (found := claim(claims, name))), "job")


def refuse(by: Actor, why: str, token: str) -> None:
    """Write down that a real token was refused, and why."""
    with transaction.atomic():
        subject = str(peek(token).get("sub"))[:250]
        after = {"why": why[:500], "subject": subject}
        record(by, Act.JOB_REFUSE, object_type="Job", object_id=subject, after=after)


def forget_used(before: datetime) -> int:
    """Delete notes of tokens that have expired anyhow, and keys of jobs that ended."""
    keys = ApiKey.objects.filter(kind=ApiKey.Kind.JOB, expires_at__lt=before - timedelta(days=7)).delete()[0]
    return keys + UsedToken.objects.filter(expires_at__lt=before).delete()[0]
