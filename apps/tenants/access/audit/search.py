"""The access room: find events of the audit log: by exact words and times, newest first, page after page by key.

Every filter has its index, and a page begins where the last one ended, so that the log's length does not matter.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from apps.tenants.access.models import AuditEvent
from maestro.errors import Invalid

EXACT = ("action", "actor", "object_type", "object_id", "request_id")
BATCH = 2_000


def moment(text: str) -> datetime:
    """Read an RFC 3339 time. Raises Invalid."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid("since and until must be RFC 3339 times with an offset", "bad_time")
    return found


def matching(query: Mapping[str, str]) -> QuerySet[AuditEvent]:
    """Keep the events that a query's words name; empty words name all. Raises Invalid for a bad time."""
    found = AuditEvent.objects.all()
    exact = {name: query[name] for name in EXACT if query.get(name)}
    found = found.filter(**exact)
    if query.get("since"):
        found = found.filter(at__gte=moment(query["since"]))
    if query.get("until"):
        found = found.filter(at__lt=moment(query["until"]))
    return found


def before(found: QuerySet[AuditEvent], at: Any, identity: Any) -> QuerySet[AuditEvent]:
    """Keep what stands after a row in the order newest first."""
    return found.filter(at__lte=at).exclude(at=at, id__gte=identity)


def after(found: QuerySet[AuditEvent], at: Any, identity: Any) -> QuerySet[AuditEvent]:
    """Keep what stands after a row in the order oldest first."""
    return found.filter(Q(at__gt=at) | Q(at=at, id__gt=identity))


def in_batches(found: QuerySet[AuditEvent], most: int | None = None) -> Iterator[list[AuditEvent]]:
    """Walk over events, oldest first, some at a time, each by a query of its own."""
    found, left = found.order_by("at", "id"), most
    part = found
    while left is None or left > 0:
        rows = list(part[: BATCH if left is None else min(BATCH, left)])
        if not rows:
            return
        yield rows
        left = None if left is None else left - len(rows)
        part = after(found, rows[-1].at, rows[-1].pk)
