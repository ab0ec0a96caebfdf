"""The access room: write down who did what. Every room records its changes through `record`.

An event belongs to the transaction of the change: without one, `record` refuses, so that neither can stand alone.
"""

import hashlib
from typing import Any

from django.db import models
from django.forms.models import model_to_dict

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Action, OperatorEvent
from apps.tenants.models.events import Event
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.principals import Actor

HIDDEN = frozenset({"digest", "password", "secret", "client_secret", "token", "key"})
MASK = "[not recorded]"


def record(
    by: Actor,
    action: Action,
    *,
    subject: models.Model | None = None,
    object_type: str = "",
    object_id: object = "",
    before: Any = None,
    after: Any = None,
) -> Event:
    """Write one event in the transaction of the change. `action` is a member of the room's enum.

    In the public schema it goes to the operators' log.

    Give `subject`, or object_type and object_id. Fields that hold secrets are masked. Raises RuntimeError
    outside a transaction: the change and its event would not stand or fall together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{action} is recorded outside the transaction of its change")
    if subject is not None:
        # Not the type's own name: request.user is a lazy stand-in.
        object_type, object_id = subject._meta.object_name or "", subject.pk
    log: type[Event] = OperatorEvent if connection.schema_name == PUBLIC else AuditEvent
    event: Event = log._default_manager.record(  # type: ignore[attr-defined]
        action,
        actor=by.name,
        role=by.role,
        object_type=object_type,
        object_id=str(object_id),
        before=masked(before),
        after=masked(after),
        address=by.address,
        request_id=by.request_id,
    )
    return event


def masked(value: Any) -> Any:
    """Copy a JSON-like value with its secrets hidden."""
    if isinstance(value, dict):
        return {name: MASK if str(name).lower() in HIDDEN else masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value


def fields_of(row: models.Model) -> dict[str, Any]:
    """Write a row's plain fields, and what it is joined to (a person's roles), for `before` or `after`."""
    plain = [f.name for f in row._meta.concrete_fields if not isinstance(f, models.BinaryField)]
    values = model_to_dict(row, fields=plain)
    told: dict[str, Any] = {
        name: str(getattr(value, "pk", value)) if value is not None else None for name, value in values.items()
    }
    for field in row._meta.concrete_fields:
        if isinstance(field, models.BinaryField) and (sealed := getattr(row, field.name)):
            # What is sealed is told apart, not told.
            told[field.name] = f"sha256 {hashlib.sha256(bytes(sealed)).hexdigest()[:16]}"
    if row.pk is not None:
        told |= {f.name: sorted(map(str, getattr(row, f.name).all())) for f in row._meta.many_to_many}
    return told
