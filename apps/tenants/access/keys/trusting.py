"""The access room: trusting a CI job, within the truster's own rights, and taking that back with all that came of it."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.keys import keyring
from apps.tenants.access.keys.publishers import RULES, check_publisher
from apps.tenants.access.models import ApiKey, TrustedPublisher
from apps.tenants.routing import this_tenant
from maestro.errors import Forbidden, Invalid
from maestro.principals import RANK, Actor


def trust(by: Actor, project_id: uuid.UUID, wish: dict[str, Any]) -> TrustedPublisher:
    """Trust a job: its claims must pin it to ids that nobody can register again.

    Raises  Invalid for claims that leave too much open, Forbidden for rights beyond the truster's own
    """
    issuer = wish.get("issuer") or RULES[wish["kind"]].issuer
    if not issuer:
        raise Invalid(f"issuer: a publisher of kind {wish['kind']} needs its issuer", "issuer_missing")
    check_publisher(wish["kind"], issuer, wish["claims"])
    is_beyond = by.projects is not None and project_id not in by.projects
    if by.who.kind == "job" or RANK[wish["role"]] > RANK[by.who.role] or is_beyond:
        raise Forbidden("you can't trust a job beyond your own rights")
    fields = wish | {"issuer": issuer, "audience": wish.get("audience") or f"maestro:{this_tenant().slug}"}
    with transaction.atomic():
        row = TrustedPublisher.objects.create(project_id=project_id, **fields)
        record(by, Act.PUBLISHER_CREATE, subject=row, after=told(row))
    return row


def distrust(by: Actor, row: TrustedPublisher, at: datetime) -> None:
    """Trust a job no more: the keys that its jobs hold end with it."""
    with transaction.atomic():
        held = TrustedPublisher.objects.select_for_update().filter(pk=row.pk).first()
        if held is None:
            return
        ended = keyring.end(by, ApiKey.objects.filter(publisher=held), at)
        record(by, Act.PUBLISHER_DELETE, subject=held, before=told(held), after={"keys_ended": ended})
        held.delete()


def told(row: TrustedPublisher) -> dict[str, Any]:
    """Write what the audit log keeps of a trust."""
    plain = {name: getattr(row, name) for name in ("name", "kind", "issuer", "audience", "claims", "role", "minutes")}
    return {"id": str(row.pk), **plain, "jwks_url": row.jwks_url, "project": str(row.project_id)}
