"""The recommendations room: questions that wait for a worker: how many may, and whose turn it is."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.recommendations.actions import Act
from apps.recommendations.models import Asked, Importance, WhatIf
from apps.recommendations.work.processes import QUESTION_SECONDS
from apps.tenants.access.audit.recording import record
from apps.tracking.models import Experiment
from maestro import limits
from maestro.errors import TooMany
from maestro.principals import Actor

RETRY_AFTER = 10


def ask(facts: dict[str, Any], *, by: Actor) -> WhatIf:
    """Note a question. Raises TooMany while too many of this person, or of the tenant, wait."""
    with transaction.atomic():
        check_room(WhatIf.objects.waiting(), by)
        question = WhatIf.objects.create(facts=facts, asked_by=by.name[:250])
        record(by, Act.FORECAST_ASK, subject=question, after=facts)
    return question


def weigh(experiment: Experiment, metric: str, *, by: Actor) -> Importance:
    """Ask which params go with a metric. One that waits already for the same is joined. Raises TooMany."""
    with transaction.atomic():
        waiting = Importance.objects.waiting()
        found = waiting.filter(experiment=experiment, metric=metric).first()
        if found is not None:
            return found
        check_room(waiting, by)
        question = Importance.objects.create(experiment=experiment, metric=metric, asked_by=by.name[:250])
        after = {"experiment": experiment.pk, "metric": metric}
        record(by, Act.IMPORTANCE_ASK, subject=question, after=after)
    return question


def check_room(waiting: QuerySet[Any], by: Actor) -> None:
    """Let one more question of this kind wait. Raises TooMany."""
    if waiting.filter(asked_by=by.name[:250]).count() >= limits.QUESTIONS_WAITING_PERSON:
        raise TooMany(
            f"{limits.QUESTIONS_WAITING_PERSON} of your questions wait for an answer; read these first",
            retry_after=RETRY_AFTER,
        )
    if waiting.count() >= limits.QUESTIONS_WAITING:
        raise TooMany(
            f"{limits.QUESTIONS_WAITING} questions of your organisation wait for an answer; ask again in a moment",
            retry_after=RETRY_AFTER,
        )


def free(kind: type[Asked] = WhatIf) -> QuerySet[Any]:
    """Questions that nobody works on, or whose worker has been silent for too long."""
    silent = Now() - timedelta(seconds=QUESTION_SECONDS)
    return waiting_of(kind).filter(Q(started_at=None) | Q(started_at__lt=silent))


def untaken(kind: type[Asked] = WhatIf) -> QuerySet[Any]:
    """Questions that no worker has begun to answer."""
    return waiting_of(kind).filter(started_at=None)


def waiting_of(kind: type[Asked]) -> QuerySet[Any]:
    """All questions of a kind that wait for an answer."""
    return (Importance if kind is Importance else WhatIf).objects.waiting()
