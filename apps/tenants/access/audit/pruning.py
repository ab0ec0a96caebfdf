"""The access room: what the audit log no longer keeps.

The application may not delete an event: it lacks the right, and a trigger refuses. It may only ask a function of the
owner's, which reads the tenant's retention itself, deletes what is older, and records how much went and up to when.

Source  SECURITY requirement R26
"""

from datetime import datetime, timedelta

from django.utils import timezone

from apps.tenants.access.models import AuditEvent, AuditRetention
from maestro.database.session import connection

BATCH = 10_000


def keep_days() -> int | None:
    """Read how many days this tenant keeps; None for everything."""
    return AuditRetention.objects.values_list("keep_days", flat=True).first()


def due(at: datetime) -> int:
    """Count what a pruning would delete now."""
    days = keep_days()
    return 0 if days is None else AuditEvent.objects.filter(at__lt=at - timedelta(days=days)).count()


def prune(batch: int = BATCH) -> int:
    """Delete what the retention no longer keeps, some at a time. Returns how many events went."""
    gone = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT access_prune_audit(%s)", [batch])
            (some,) = cursor.fetchone()
        gone += some
        if some < batch:
            return gone


def preview() -> dict[str, object]:
    """Say what a pruning would do."""
    return {"keep_days": keep_days(), "events": due(timezone.now())}
