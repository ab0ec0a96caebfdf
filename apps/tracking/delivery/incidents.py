"""The tracking room: incidents: opened, changed as more is known, and taken back; they say that a deployment failed."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Incident, Project
from apps.tracking.models.delivery_rules import IncidentQuerySet
from maestro.errors import Invalid, NotFound
from maestro.principals import Actor, Principal

FIELDS = ("title", "opened_at", "resolved_at")
FIRST_YEAR, LAST_YEAR = 1970, 2200


def incidents_for(who: Principal) -> IncidentQuerySet:
    """Incidents of the projects that somebody may see."""
    found: IncidentQuerySet = Incident.objects.select_related("project")
    return found.of_projects(who.projects)


def told(row: Incident) -> dict[str, Any]:
    """An incident as the log tells it."""
    return {"project": str(row.project_id)} | {name: getattr(row, name) for name in FIELDS}


def check(row: Incident) -> None:
    """Raise Invalid for times that cannot be."""
    for at in (row.opened_at, row.resolved_at):
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise Invalid(f"a time lies between {FIRST_YEAR} and {LAST_YEAR}", "bad_time")
    if row.resolved_at is not None and row.resolved_at < row.opened_at:
        raise Invalid("it was resolved before it was opened", "bad_time")


def open_one(project: Project, fields: Mapping[str, Any], *, by: Actor, at: datetime) -> Incident:
    """Tell of an incident; without a time it began now. Raises Invalid, Forbidden."""
    by.require("contributor", [project.pk])
    row = Incident(project=project, told_by=by.name[:250], **{"opened_at": at, **fields})
    check(row)
    with transaction.atomic():
        row.save(force_insert=True)
        record(by, Act.INCIDENT_OPEN, subject=row, after=told(row))
    return row


def held(by: Actor, identity: uuid.UUID) -> Incident:
    """Fetch one within reach and hold it, to be changed. Raises NotFound, Forbidden for who may only look at it."""
    row = incidents_for(by.who).select_for_update(of=("self",)).filter(pk=identity).first()
    if row is None:
        raise NotFound("there is no such incident")
    by.require("contributor", [row.project_id])
    return row


def change(identity: uuid.UUID, read: Callable[[Incident], Mapping[str, Any]], *, by: Actor) -> Incident:
    """Write what `read` makes of an incident, which is held meanwhile. Raises NotFound, Forbidden, Invalid, and whatever `read` does."""
    with transaction.atomic():
        row = held(by, identity)
        before, fields = told(row), read(row)
        for name, value in fields.items():
            setattr(row, name, value)
        check(row)
        if told(row) != before:
            row.save(update_fields=list(FIELDS))
            record(by, Act.INCIDENT_CHANGE, subject=row, before=before, after=told(row))
    return row


def take_back(identity: uuid.UUID, *, by: Actor) -> None:
    """Delete an incident that was none. Raises NotFound, Forbidden."""
    with transaction.atomic():
        row = held(by, identity)
        record(by, Act.INCIDENT_DELETE, subject=row, before=told(row))
        row.delete()
