"""The registry room: what is kept for ever, read back from the records in the store. What is there stays as it is."""

import json
from collections.abc import Iterator
from typing import Any

from django.core import serializers
from django.core.serializers.base import DeserializedObject
from django.db import transaction
from django.db.models import Model

from apps.registry.actions import Act
from apps.registry.models import (
    AliasMove,
    Approval,
    Artifact,
    ArtifactVersion,
    Evidence,
    Gate,
    Promotion,
    Signature,
    SigningKey,
)
from apps.registry.upkeep import records
from apps.tenants.access.audit.recording import record
from apps.tracking.models import Project
from maestro import staging
from maestro.principals import Actor

NATURAL = ("artifact_id", "name", "act", "at", "to_version_id", "from_version_id")


def read_all() -> Iterator[dict[str, Any]]:
    """Read every record of the store."""
    for found in staging.walk(records.FOLDER):
        document = json.loads(b"".join(staging.read(found.key, 0, found.size_bytes)))
        if isinstance(document, dict) and document.get("format") == records.FORMAT:
            yield document


def made_of(model: type[Model], told: dict[str, Any]) -> DeserializedObject:
    """Make a row of what was written, not saved yet."""
    names = {field.name for field in model._meta.concrete_fields}
    fields = {name: value for name, value in told.items() if name in names and name != "id"}
    text = json.dumps([{"model": model._meta.label_lower, "pk": told["id"], "fields": fields}])
    return next(iter(serializers.deserialize("json", text)))


def put(model: type[Model], told: list[dict[str, Any]]) -> list[Any]:
    """Make the rows that are not here, as they were written. Returns them."""
    rows = [made_of(model, one) for one in told]
    known = set(model._default_manager.filter(pk__in=[row.object.pk for row in rows]).values_list("pk", flat=True))
    new = [row for row in rows if row.object.pk not in known]
    for row in new:
        row.save(force_insert=True)
    return [row.object for row in new]


def recall_keys(document: dict[str, Any], by: Actor) -> int:
    """Restore the keys that the tenant trusts, or trusted once. Returns how many."""
    with transaction.atomic():
        keys = put(SigningKey, document.get("signing_keys", []))
        for key in keys:
            facts = {"name": key.name, "kind": key.kind, "fingerprint": key.fingerprint}
            record(by, Act.SIGNING_KEY_TRUST, subject=key, after=facts)
    return len(keys)


def recall_signatures(told: list[dict[str, Any]]) -> int:
    """Restore a version's signatures whose keys are here: a signature without its key tells nothing. Returns how many."""
    keys = {str(pk) for pk in SigningKey.objects.values_list("pk", flat=True)}
    return len(put(Signature, [one for one in told if one["key"] in keys]))


def recall_gates(document: dict[str, Any], by: Actor) -> int:
    """Restore gates whose artifact is here; a gate of that name that is here stays. Returns how many."""
    wanted = []
    for one in document.get("gates", []):
        told = dict(one)
        slug = told.pop("project_slug", None)
        if slug is not None:
            told["project"] = str(Project.objects.get_or_create(slug=slug, defaults={"name": slug})[0].pk)
        is_homeless = told["artifact"] and not Artifact.everything.filter(pk=told["artifact"]).exists()
        if not is_homeless and not Gate.objects.filter(name=told["name"]).exists():
            wanted.append(told)
    gates = put(Gate, wanted)
    for gate in gates:
        record(by, Act.GATE_ADD, subject=gate, after={"name": gate.name})
    return len(gates)


def recall_kept(document: dict[str, Any]) -> int:
    """Restore an artifact's evidence, approvals, promotions and moves of aliases. Returns how many rows."""
    asked = document.get("promotions", [])
    versions = ArtifactVersion.everything.filter(pk__in=[one["version"] for one in asked])
    here = {str(pk) for pk in versions.values_list("pk", flat=True)}
    rows = put(Promotion, [one for one in asked if one["version"] in here])
    rows += put(Approval, document.get("approvals", [])) + put(Evidence, document.get("evidence", []))
    return len(rows) + sum(recall_move(one) for one in document.get("moves", []))


def recall_move(told: dict[str, Any]) -> bool:
    """Restore a move of an alias, under a number of this database: what counts is their order. Says whether it is new."""
    move = made_of(AliasMove, told)
    if AliasMove.objects.filter(**{name: getattr(move.object, name) for name in NATURAL}).exists():
        return False
    move.object.pk = None
    move.save(force_insert=True)
    return True
