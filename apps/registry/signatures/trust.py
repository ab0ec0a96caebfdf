"""The registry room: the keys that a tenant trusts: begun, and ended for good."""

import hashlib
import uuid
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.registry.actions import Act
from apps.registry.models import SigningKey
from apps.registry.signatures import envelopes
from apps.tenants.access.audit.recording import record
from apps.tracking.scoping import require_tenant_wide
from maestro import limits
from maestro.errors import AlreadyExists, Conflict, NotFound
from maestro.principals import Actor


def fingerprint(kind: str, pem: str) -> str:
    """Digest a key or a certificate: the sha256 of its DER form. Raises Invalid."""
    if kind == SigningKey.Kind.AUTHORITY:
        der = envelopes.load_authority(pem).public_bytes(Encoding.DER)
    else:
        der = envelopes.load_key(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def check(name: str, kind: str, pem: str) -> str:
    """Check that a key may be trusted, and digest it.

    Raises Invalid for what is none, AlreadyExists if it or its name is trusted, Conflict for too many.
    """
    digest = fingerprint(kind, pem)
    if SigningKey.objects.trusted().filter(Q(name=name) | Q(fingerprint=digest)).exists():
        raise taken()
    if SigningKey.objects.trusted().count() >= limits.SIGNING_KEYS:
        raise Conflict(f"a tenant trusts at most {limits.SIGNING_KEYS} signing keys; end some first", "too_many")
    return digest


def taken() -> AlreadyExists:
    """Say that a key is trusted already."""
    return AlreadyExists("this key, or another of this name, is trusted already")


def trust(name: str, kind: str, pem: str, by: Actor) -> SigningKey:
    """Trust a key. Raises Forbidden for who rules some projects only, and what `check` raises."""
    require_tenant_wide(by.who, "rule signing keys")
    digest = check(name, kind, pem)
    try:
        with transaction.atomic():
            row = SigningKey.objects.create(
                name=name, kind=kind, pem=pem.strip() + "\n", fingerprint=digest, created_by=by.name
            )
            after = {"name": name, "kind": kind, "fingerprint": digest}
            record(by, Act.SIGNING_KEY_TRUST, subject=row, after=after)
    except IntegrityError as error:
        raise taken() from error
    return row


def end(identity: uuid.UUID | str, by: Actor, at: datetime) -> None:
    """Trust a key no more: its signatures stay readable and count no longer. Raises NotFound, Forbidden."""
    require_tenant_wide(by.who, "rule signing keys")
    with transaction.atomic():
        row = SigningKey.objects.trusted().select_for_update().filter(pk=identity).first()
        if row is None:
            raise NotFound("there is no such trusted key")
        row.ended_at = at
        row.save(update_fields=["ended_at"])
        record(by, Act.SIGNING_KEY_END, subject=row, before={"name": row.name, "fingerprint": row.fingerprint})
