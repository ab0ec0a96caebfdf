"""The roof: the Celery app. JSON only; work is acknowledged when it is done."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_before_create_process
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from config.schedule import SCHEDULE
from maestro.tasks import EXPORTS, LETTERS, NOTICES, QUESTIONS, QUEUES, TRAINING, UPKEEP

# What is not named here is upkeep.
ROUTES = {
    "apps.recommendations.tasks.answer": QUESTIONS,
    "apps.recommendations.tasks.foresee": QUESTIONS,
    "apps.recommendations.tasks.train": TRAINING,
    "apps.recommendations.tasks.weigh": QUESTIONS,
    "apps.registry.tasks.answer_meaning": QUESTIONS,
    "apps.tenants.access.tasks.send_reset_letters": LETTERS,
    "apps.tracking.tasks.send_notice": NOTICES,
    "apps.tracking.tasks.write_export": EXPORTS,
}

app = Celery("maestro")
app.conf.update(
    broker_url=settings.REDIS_URL,
    result_backend=None,
    task_ignore_result=True,
    accept_content=["json"],
    task_serializer="json",
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_default_queue=UPKEEP,
    task_default_exchange=UPKEEP,
    task_default_routing_key=UPKEEP,
    task_routes={name: {"queue": queue} for name, queue in ROUTES.items()},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=100,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    timezone="UTC",
    beat_schedule=SCHEDULE,
    beat_schedule_filename=str(settings.HOME / "beat"),
)
app.autodiscover_tasks(["apps.tracking", "apps.registry", "apps.recommendations", "apps.tenants.access"])


@worker_before_create_process.connect
def share(**_: Any) -> None:
    """Keep collections off what the pool's processes share with their parent."""
    gc.collect()
    gc.freeze()
