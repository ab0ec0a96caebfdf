"""The tracking room: what is deleted, lost, and when."""

from django.db import transaction

from apps.tracking.models import Run
from apps.tracking.models.runs import RunQuerySet

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LOST_AFTER_HOURS = 24
KEEP_TRASH_DAYS = 30
AT_ONCE = 100


def mark_lost(now: int, *, hours: float = LOST_AFTER_HOURS) -> int:
    """Mark runs that say they run but have been silent for too long; returns how many. A write brings one back."""
    silent = Run.objects.filter(
        status=Run.Status.RUNNING, deleted_ms=None, last_write_ms__lt=now - round(hours * HOUR_MS)
    )
    return silent.update(status=Run.Status.LOST)


def prunable(now: int, *, days: float = KEEP_TRASH_DAYS) -> RunQuerySet:
    """List the runs that have been in the trash for longer than `days`."""
    return Run.objects.filter(deleted_ms__lt=now - round(days * DAY_MS)).order_by("deleted_ms", "pk")


def prune(now: int, *, days: float = KEEP_TRASH_DAYS) -> int:
    """Delete what has been in the trash for longer than `days`, with all it logged; returns how many runs.

    A hundred runs a transaction: a crash leaves whole runs, and the next call goes on.
    """
    pruned = 0
    while True:
        with transaction.atomic():
            runs = list(
                prunable(now, days=days).select_for_update(skip_locked=True).values_list("pk", flat=True)[:AT_ONCE]
            )
            if not runs:
                return pruned
            Run.objects.filter(pk__in=runs).delete()
            pruned += len(runs)
