"""The registry room: signatures of versions: verified when they come, kept, and asked for."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction

from apps.registry import versions
from apps.registry.actions import Act
from apps.registry.contents import files_of
from apps.registry.models import ArtifactVersion, Signature, SigningKey
from apps.registry.signatures import envelopes, statements
from apps.registry.signatures.envelopes import Envelope
from apps.tenants.access.audit.recording import record
from maestro import limits
from maestro.errors import Conflict, Invalid
from maestro.principals import Actor


@dataclass(frozen=True)
class Signer:
    """Who signed: the trusted key that says so, and how the signer is called."""

    key: SigningKey
    name: str


def keep(version: ArtifactVersion, document: Any, by: Actor) -> tuple[Signature, bool]:
    """Verify a bundle or envelope against the trusted keys and a version's files, and keep it. Says whether it is new.

    Raises Invalid if it can't be read or no trusted key made it, Conflict if it is about other files.
    """
    envelope = envelopes.read(document)
    signer = signer_of(envelope)
    statement = statements.read(envelope.payload)
    files = dict(files_of(version).values_list("path", "blob_id"))
    statements.require_about(statement, version.digest, files)
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    kind = Signature.Kind.MODEL_SIGNATURE if statement.is_model_signature else Signature.Kind.ATTESTATION
    with transaction.atomic():
        held = versions.hold(version, by)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        same = held.signatures.told().filter(sha256=sha256).first()
        if same is not None:
            return same, False
        if held.signatures.count() >= limits.SIGNATURES:
            raise Conflict(f"a version has at most {limits.SIGNATURES} signatures", "too_many")
        row = Signature.objects.create(
            version=held,
            sha256=sha256,
            kind=kind,
            predicate_type=statement.predicate_type,
            key=signer.key,
            signer=signer.name,
            facts=statements.told(statement),
            text=text,
            created_by=by.name,
        )
        after = {"kind": kind, "signer": signer.name, "key": str(signer.key.pk), "sha256": sha256}
        record(by, Act.VERSION_SIGN, subject=held, after=after)
    return row, True


def signer_of(envelope: Envelope) -> Signer:
    """Find the trusted key that made an envelope's signature, or the authority behind its chain. Raises Invalid."""
    trusted = list(SigningKey.objects.trusted().order_by("pk"))
    for row in trusted:
        if row.kind == SigningKey.Kind.PUBLIC_KEY and envelopes.is_by(envelope, envelopes.load_key(row.pem)):
            return Signer(row, row.name)
    authorities = {envelopes.load_authority(row.pem): row for row in trusted if row.kind == SigningKey.Kind.AUTHORITY}
    found = envelopes.signer_under(envelope, authorities)
    if found is not None:
        return Signer(authorities[found[0]], found[1])
    raise Invalid(
        "no key that this tenant trusts made this signature; an admin adds keys under signing-keys", "untrusted_signer"
    )
