"""The recommendations room: what came of what was said: forecasts against the actual, advice that was followed."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery

from apps.recommendations.answers import notices
from apps.recommendations.answers.advice import fresh_advice
from apps.recommendations.answers.shapes import AdviceAnswer
from apps.recommendations.models import Advice, Forecast, ImpactModel, Importance, WhatIf
from apps.registry.models import Usage
from apps.tracking.models import DEFAULT_PROJECT_ID, Project

QUESTION_DAYS, IMPORTANCE_DAYS = 1, 7
MOST_LATECOMERS = 200
ACTUALS = {
    "success": "success",
    "duration": "actual_duration_days",
    "cost": "actual_cost",
    "effort": "actual_effort_hours",
}


@transaction.atomic
def settle_forecasts(at: datetime) -> int:
    """Put the actual value beside each forecast whose project has one by now, and tell which were missed."""
    settled = 0
    for target, field in ACTUALS.items():
        known = Project.objects.filter(pk=OuterRef("project_id")).exclude(**{field: None})
        waiting = Forecast.objects.filter(target=target, actual=None).exclude(p50=None)
        settled += waiting.filter(Exists(known)).update(actual=Subquery(known.values(field)[:1]), settled_at=at)
    if settled:
        notices.forecasts_missed(at)
    return settled


def record_advice(at: datetime) -> int:
    """Keep what projects that are younger than the last training are told, so that it is known whether they followed.

    Returns how many pieces of advice were kept. What the training itself advised stands already.
    """
    serving = [ImpactModel.objects.serving(), ImpactModel.objects.champions().filter(target="ranking").first()]
    models = [model for model in serving if model is not None and model.state == ImpactModel.State.CHAMPION]
    if not models:
        return 0
    told = Advice.objects.filter(project=OuterRef("pk"), kind=Advice.Kind.ARTIFACT, model__state="champion")
    going = Project.objects.exclude(pk=DEFAULT_PROJECT_ID).filter(Q(ends_at=None) | Q(ends_at__gt=at), success=None)
    kept = 0
    for project in going.filter(~Exists(told)).order_by("-created_at")[:MOST_LATECOMERS]:
        kept += keep_advice(project, models, at=at)
    return kept


def keep_advice(project: Project, models: list[ImpactModel], *, at: datetime) -> int:
    """Write what one project is told. It stood to be read since the project and the model were both there."""
    since = max([project.created_at, *(model.promoted_at for model in models if model.promoted_at)])
    before = Usage.objects.filter(project=project, at__lt=since).values_list("version__artifact_id", flat=True)
    answer = fresh_advice(project, before, reach=None)
    if answer.model is None or answer.status == "refused":
        return 0
    rows = [row_of(project, answer, place, since) for place in range(len(answer.items))]
    return len(Advice.objects.bulk_create(rows, ignore_conflicts=True))


def row_of(project: Project, answer: AdviceAnswer, place: int, since: datetime) -> Advice:
    """One item as a row."""
    item = answer.items[place]
    return Advice(
        model=answer.model,
        project=project,
        kind=Advice.Kind.ARTIFACT,
        artifact_id=item.artifact_id,
        rank=item.rank,
        basis=answer.basis,
        status=item.status,
        pooled=item.pooled,
        problem_class=project.problem_class,
        score=item.standing,
        standing=item.standing,
        unit=answer.unit,
        gain=item.gain,
        low=item.low,
        high=item.high,
        n_projects=item.n_projects,
        reasons=list(item.reasons),
        evidence=list(item.evidence),
        made_at=since,
    )


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
    """Questions about projects that do not exist are kept for a day, those about params for a week."""
    Importance.objects.filter(created_at__lt=at - timedelta(days=IMPORTANCE_DAYS)).delete()
    return WhatIf.objects.filter(created_at__lt=at - timedelta(days=QUESTION_DAYS)).delete()[0]
