"""The registry room's door: Celery's entry points."""

from celery import shared_task
from django.utils import timezone

from apps.registry import observations
from maestro.tasks import fan_out, tenant_task

SCAN_SECONDS = 300
SPREAD_SECONDS = 20


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
