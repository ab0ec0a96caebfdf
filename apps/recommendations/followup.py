"""The recommendations room: what came of what was said: forecasts against the actual, advice that was followed."""

from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Subquery

from apps.recommendations.models import Advice, Forecast, WhatIf
from apps.registry.models import Usage
from apps.tracking.models import Project

QUESTION_DAYS = 1
ACTUALS = {
    "success": "success",
    "duration": "actual_duration_days",
    "cost": "actual_cost",
    "effort": "actual_effort_hours",
}


def settle_forecasts(at: datetime) -> int:
    """Put the actual value beside each forecast whose project has one by now."""
    settled = 0
    for target, field in ACTUALS.items():
        known = Project.objects.filter(pk=OuterRef("project_id")).exclude(**{field: None})
        waiting = Forecast.objects.filter(target=target, actual=None).exclude(p50=None)
        settled += waiting.filter(Exists(known)).update(actual=Subquery(known.values(field)[:1]), settled_at=at)
    return settled


def follow_advice(at: datetime) -> int:
    """Note what was used after it was advised; once a project has ended, what was not, and how the project went."""
    used = Usage.objects.filter(
        project=OuterRef("project_id"), version__artifact=OuterRef("artifact_id"), at__gte=OuterRef("made_at")
    )
    waiting = Advice.objects.filter(was_followed=None, kind=Advice.Kind.ARTIFACT)
    noted = waiting.filter(Exists(used)).update(was_followed=True, followed_at=at)
    noted += waiting.exclude(project__success=None).update(was_followed=False)
    success = Project.objects.filter(pk=OuterRef("project_id")).values("success")[:1]
    Advice.objects.filter(outcome=None).exclude(project__success=None).update(outcome=Subquery(success))
    return noted


def changed_outcomes() -> int:
    """Outcomes that were corrected after a forecast was settled are compared anew."""
    changed = 0
    for target, field in ACTUALS.items():
        stale = Forecast.objects.filter(target=target).exclude(actual=None).exclude(actual=F(f"project__{field}"))
        changed += stale.update(actual=None, settled_at=None)
    return changed


def drop_questions(at: datetime) -> int:
    """Questions about projects that do not exist are kept for a day."""
    return WhatIf.objects.filter(created_at__lt=at - timedelta(days=QUESTION_DAYS)).delete()[0]
