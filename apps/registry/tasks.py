"""The registry room's door: Celery's entry points."""

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from apps.registry import observations
from apps.registry.finding import meaning, sentences
from apps.registry.trash import pruning
from apps.registry.upkeep import manifests
from maestro.clock import now_ms
from maestro.database.session import connection
from maestro.tasks import fan_out, tenant_task

SCAN_SECONDS = 300
SPREAD_SECONDS = 20
QUESTION_SECONDS = 10


@tenant_task(name="apps.registry.tasks.observe_usages", soft_time_limit=SCAN_SECONDS)
def observe_usages() -> str:
    """Notice which versions the tenant's runs use."""
    seen = observations.observe(timezone.now())
    return f"{seen.usages} new usages in {seen.runs} runs, {seen.unsettled} wait"


@shared_task(name="apps.registry.tasks.observe_everywhere")
def observe_everywhere() -> int:
    """Let the scan run of every tenant that has something new."""
    return fan_out(observe_usages, jitter_seconds=SPREAD_SECONDS, is_due=observations.is_due)


@shared_task(name="apps.registry.tasks.observe_all")
def observe_all() -> int:
    """Let every tenant's scan run, which looks back: ids may be committed out of their order."""
    return fan_out(observe_usages, jitter_seconds=SCAN_SECONDS)


@tenant_task(name="apps.registry.tasks.write_manifests", soft_time_limit=SCAN_SECONDS)
def write_manifests() -> int:
    """Write the manifests of versions that are new or have changed beside their bytes."""
    return manifests.write_due(timezone.now())


@shared_task(name="apps.registry.tasks.write_manifests_everywhere")
def write_manifests_everywhere() -> int:
    """Write manifests in every tenant that has some to write."""
    return fan_out(write_manifests, jitter_seconds=SPREAD_SECONDS, is_due=manifests.is_due)


@tenant_task(name="apps.registry.tasks.prune_trash", soft_time_limit=600)
def prune_trash() -> dict[str, int]:
    """Delete artifacts and versions that have been in the trash for long enough."""
    return pruning.prune(now_ms())


@shared_task(name="apps.registry.tasks.prune_everywhere", soft_time_limit=60)
def prune_everywhere() -> int:
    """Empty the old trash of artifacts of every active tenant that has some."""
    return fan_out(prune_trash, jitter_seconds=600, is_due=pruning.is_due)


@tenant_task(name="apps.registry.tasks.read_meanings", soft_time_limit=SCAN_SECONDS)
def read_meanings() -> int:
    """Read what artifacts mean that are new or have changed."""
    return meaning.read_due()


@shared_task(name="apps.registry.tasks.read_meanings_everywhere")
def read_meanings_everywhere() -> int:
    """Read meanings in every tenant that has some to read, where this is installed."""
    if not sentences.is_installed():
        return 0
    return fan_out(read_meanings, jitter_seconds=SPREAD_SECONDS, is_due=meaning.is_due)


@tenant_task(name="apps.registry.tasks.answer_meaning", soft_time_limit=QUESTION_SECONDS)
def answer_meaning(text: str) -> None:
    """Read what a question means, for who waits for it."""
    meaning.answer(text)


def send_question(text: str) -> bool:
    """Have a worker read a question. Says whether it was sent."""
    try:
        told = {"text": text, "schema": connection.schema_name}
        answer_meaning.apply_async(kwargs=told, retry=False, expires=QUESTION_SECONDS)
    except OperationalError:
        return False
    return True
