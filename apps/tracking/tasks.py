"""The tracking room's door: Celery's entry points."""

from celery import shared_task
from django.utils import timezone

from apps.tracking.delivery import intake, reading
from apps.tracking.exports import orders
from apps.tracking.files import uploads, use
from apps.tracking.models import Delivery, Notice, Telling
from apps.tracking.notices import sending
from apps.tracking.retention import pruning
from apps.tracking.runs import folding
from maestro.clock import now_ms
from maestro.database.session import connection
from maestro.tasks import fan_out, tenant_task
from maestro.turns import Turns

FOLD_SECONDS = 120
MOST_ROUNDS = 100
READ_SECONDS, MOST_READ = 300, 20_000
SEND_SECONDS = 60
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


@tenant_task(name="apps.tracking.tasks.expire_uploads", soft_time_limit=600)
def expire_uploads() -> int:
    """Give up uploads in parts that nobody has finished for a day."""
    return uploads.expire(timezone.now())


@tenant_task(name="apps.tracking.tasks.measure_storage", soft_time_limit=600)
def measure_storage() -> bool:
    """Count what is kept, by who names it."""
    return use.measure(timezone.now())


@tenant_task(name="apps.tracking.tasks.write_export", soft_time_limit=EXPORT_SECONDS)
def write_export(export: str = "") -> str:
    """Write the tenant's next file of runs that somebody asked for. Older messages name one."""
    return TURNS.work(export, lambda wanted: orders.supervise(connection.tenant.slug, wanted, timezone.now()))


TURNS = Turns("exports", write_export, orders.free, orders.untaken, EXPORT_SECONDS)


@tenant_task(name="apps.tracking.tasks.read_deliveries", soft_time_limit=READ_SECONDS)
def read_deliveries() -> int:
    """Read what forges delivered."""
    return reading.read_waiting(timezone.now(), MOST_READ)


@shared_task(name="apps.tracking.tasks.read_deliveries_everywhere", soft_time_limit=60)
def read_deliveries_everywhere() -> int:
    """Read what was delivered to every active tenant that has something to read."""
    return fan_out(read_deliveries, is_due=reading.is_due)


@tenant_task(name="apps.tracking.tasks.forget_deliveries", soft_time_limit=600)
def forget_deliveries() -> int:
    """Delete what forges delivered, as it came, and what was told to others, when it is too old."""
    return intake.forget_old(timezone.now()) + sending.forget_old(timezone.now())


def has_old() -> bool:
    """Say whether anything is kept that grows old."""
    return Delivery.objects.exists() or Notice.objects.exists()


@tenant_task(name="apps.tracking.tasks.send_notice", soft_time_limit=SEND_SECONDS)
def send_notice(telling: str = "") -> str:
    """Send the tenant's next telling that is due."""
    return SENDING.work(telling, lambda wanted: sending.send(wanted, timezone.now()))


SENDING = Turns("notices", send_notice, lambda: sending.due(timezone.now()), Telling.objects.none, SEND_SECONDS)


@tenant_task(name="apps.tracking.tasks.tell_notices", soft_time_limit=READ_SECONDS)
def tell_notices() -> int:
    """Give what happened to who listens, and begin to send."""
    count = sending.spread(timezone.now())
    SENDING.begin()
    return count


@shared_task(name="apps.tracking.tasks.tell_notices_everywhere", soft_time_limit=60)
def tell_notices_everywhere() -> int:
    """Tell what happened in every active tenant where something did, or is to be told again."""
    return fan_out(tell_notices, is_due=sending.is_due)


@shared_task(name="apps.tracking.tasks.forget_deliveries_everywhere", soft_time_limit=60)
def forget_deliveries_everywhere() -> int:
    """Delete old deliveries in every active tenant that has some."""
    return fan_out(forget_deliveries, jitter_seconds=300, is_due=has_old)


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


@shared_task(name="apps.tracking.tasks.expire_uploads_everywhere", soft_time_limit=60)
def expire_uploads_everywhere() -> int:
    """Give up forgotten uploads in every active tenant that has some."""
    return fan_out(expire_uploads, jitter_seconds=300, is_due=uploads.is_due)


@shared_task(name="apps.tracking.tasks.measure_storage_everywhere", soft_time_limit=60)
def measure_storage_everywhere() -> int:
    """Count what every active tenant keeps."""
    return fan_out(measure_storage, jitter_seconds=600, is_due=use.is_due)
