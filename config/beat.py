"""The roof: what sends the scheduled tasks: `celery -A config.beat beat`. It knows names and times, and loads no app."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from config.schedule import SCHEDULE

# Without fixups, as the one for Django would load every app to send a handful of names.
app = Celery("maestro-beat", fixups=(), set_as_current=False)
app.conf.update(
    broker_url=settings.REDIS_URL,
    task_ignore_result=True,
    task_serializer="json",
    broker_connection_retry_on_startup=True,
    timezone="UTC",
    beat_schedule=SCHEDULE,
    beat_schedule_filename=str(settings.HOME / "beat"),
)
