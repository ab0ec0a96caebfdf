"""The tracking room's door: Celery's entry points."""

import uuid

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from apps.tracking.exports import orders
from apps.tracking.retention import pruning
from apps.tracking.runs import folding
from maestro.clock import now_ms
from maestro.database.session import connection
from maestro.errors import Unavailable
from maestro.tasks import fan_out, tenant_task
from maestro.turns import Turns

FOLD_SECONDS = 120
MOST_ROUNDS = 100
EXPORT_SECONDS = orders.SECONDS + 60


@tenant_task(name="apps.tracking.tasks.fold_runs", soft_time_limit=FOLD_SECONDS)
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


@tenant_task(name="apps.tracking.tasks.mark_lost_runs", soft_time_limit=60)
def mark_lost_runs(hours: float | None = None) -> int:
    """Mark runs that have been silent for too long: as long as their project says, or `hours`."""
    return pruning.mark_lost(now_ms(), hours=hours)


@tenant_task(name="apps.tracking.tasks.prune_trash", soft_time_limit=600)
def prune_trash(days: float | None = None) -> int:
    """Throw away what is too old to keep, and delete what has been in the trash for long enough."""
    pruning.expire(now_ms())
    orders.forget_old(timezone.now())
    gone = pruning.prune(now_ms(), days=days)
    return gone + pruning.prune_experiments(now_ms(), days=days)


@tenant_task(name="apps.tracking.tasks.write_export", soft_time_limit=EXPORT_SECONDS)
def write_export(export: str = "") -> str:
    """Write the tenant's next file of runs that somebody asked for. Older messages name one."""
    wanted = uuid.UUID(export) if export else orders.next_waiting()
    try:
        return orders.supervise(connection.tenant.slug, wanted, timezone.now()) if wanted else "none waits"
    finally:
        TURNS.go_on()


TURNS = Turns("exports", write_export, orders.wait, EXPORT_SECONDS)


def send_export() -> None:
    """Let the tenant's exports have their turn once the new one is committed."""
    transaction.on_commit(begin_exports)


def begin_exports() -> None:
    """Send the tenant's message unless one is on its way; without a broker what waits fails and says so."""
    try:
        TURNS.begin()
    except Unavailable as away:
        orders.fail_waiting(away.detail, timezone.now())


@shared_task(name="apps.tracking.tasks.fold_everywhere", soft_time_limit=60)
def fold_everywhere() -> int:
    """Fold in every active tenant that has something to fold."""
    return fan_out(fold_runs, jitter_seconds=5, is_due=folding.is_due)


@shared_task(name="apps.tracking.tasks.mark_lost_everywhere", soft_time_limit=60)
def mark_lost_everywhere() -> int:
    """Look for lost runs in every active tenant."""
    return fan_out(mark_lost_runs, jitter_seconds=60)


@shared_task(name="apps.tracking.tasks.prune_everywhere", soft_time_limit=60)
def prune_everywhere() -> int:
    """Empty the old trash of every active tenant."""
    return fan_out(prune_trash, jitter_seconds=600)
