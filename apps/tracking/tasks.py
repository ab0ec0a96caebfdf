"""The tracking room's door: Celery's entry points."""

from celery import shared_task

from apps.tracking import folding, retention
from maestro.clock import now_ms
from maestro.tasks import fan_out, tenant_task

FOLD_SECONDS = 120
MOST_ROUNDS = 100


@tenant_task(soft_time_limit=FOLD_SECONDS)
def fold_runs() -> int:
    """Put what quiet runs logged into the form that is fastest to read."""
    folded = 0
    for _ in range(MOST_ROUNDS):
        some = folding.fold_quiet(now_ms())
        folded += some
        if some < folding.RUNS_AT_ONCE:
            break
    folding.fold_busy(now_ms())
    return folded


@tenant_task(soft_time_limit=60)
def mark_lost_runs(hours: float | None = None) -> int:
    """Mark runs that have been silent for too long: as long as their project says, or `hours`."""
    return retention.mark_lost(now_ms(), hours=hours)


@tenant_task(soft_time_limit=600)
def prune_trash(days: float | None = None) -> int:
    """Throw away what is too old to keep, and delete what has been in the trash for long enough."""
    retention.expire(now_ms())
    return retention.prune(now_ms(), days=days)


@shared_task(soft_time_limit=60)
def fold_everywhere() -> int:
    """Fold in every active tenant."""
    return fan_out(fold_runs, jitter_seconds=5)


@shared_task(soft_time_limit=60)
def mark_lost_everywhere() -> int:
    """Look for lost runs in every active tenant."""
    return fan_out(mark_lost_runs, jitter_seconds=60)


@shared_task(soft_time_limit=60)
def prune_everywhere() -> int:
    """Empty the old trash of every active tenant."""
    return fan_out(prune_trash, jitter_seconds=600)
