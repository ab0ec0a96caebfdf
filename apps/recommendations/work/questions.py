"""The recommendations room: what-if questions that wait for a worker: how many may, and whose turn it is."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.recommendations.actions import Act
from apps.recommendations.models import WhatIf
from apps.recommendations.work.processes import QUESTION_SECONDS
from apps.tenants.access.audit.recording import record
from maestro import limits
from maestro.errors import TooMany
from maestro.principals import Actor

RETRY_AFTER = 10


def ask(facts: dict[str, Any], *, by: Actor) -> WhatIf:
    """Note a question. Raises TooMany while too many of this person, or of the tenant, wait."""
    who = by.name[:250]
    with transaction.atomic():
        waiting = WhatIf.objects.waiting()
        if waiting.filter(asked_by=who).count() >= limits.QUESTIONS_WAITING_PERSON:
            raise TooMany(
                f"{limits.QUESTIONS_WAITING_PERSON} of your questions wait for an answer; read these first",
                retry_after=RETRY_AFTER,
            )
        if waiting.count() >= limits.QUESTIONS_WAITING:
            raise TooMany(
                f"{limits.QUESTIONS_WAITING} questions of your organisation wait for an answer; ask again in a moment",
                retry_after=RETRY_AFTER,
            )
        question = WhatIf.objects.create(facts=facts, asked_by=who)
        record(by, Act.FORECAST_ASK, subject=question, after=facts)
    return question


def free() -> QuerySet[WhatIf]:
    """Questions that nobody works on, or whose worker has been silent for too long."""
    silent = Now() - timedelta(seconds=QUESTION_SECONDS)
    return WhatIf.objects.waiting().filter(Q(started_at=None) | Q(started_at__lt=silent))


def untaken() -> QuerySet[WhatIf]:
    """Questions that no worker has begun to answer."""
    return WhatIf.objects.waiting().filter(started_at=None)
