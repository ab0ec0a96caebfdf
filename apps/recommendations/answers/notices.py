"""The recommendations room: what is told to others: that a claim of impact changed its word, that a forecast was missed."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q

from apps.recommendations.models import Forecast, ImpactModel, ImpactScore
from apps.tracking.notices.events import Happening, Told, tell_all

MOST: Final = 500  # changed claims of one training that are told, the strongest first
Claim = tuple[UUID, str]


def word_of(score: ImpactScore) -> str:
    """What a score says, in a word: an interval that holds zero says nothing of the direction."""
    if score.low is None or score.high is None:
        return "none"
    return "positive" if score.low > 0 else "negative" if score.high < 0 else "unclear"


def scores_of(model: ImpactModel | None) -> dict[Claim, ImpactScore]:
    """What a model says of each artifact and problem class."""
    rows = ImpactScore.objects.filter(model=model).select_related("artifact").defer("evidence", "covariates")
    return {(row.artifact_id, row.problem_class): row for row in rows} if model is not None else {}


def claims_changed(before: ImpactModel | None, now: ImpactModel | None, *, at: datetime) -> int:
    """Tell where what serves says another word than what served before. Returns how often somebody listens."""
    if (before and before.pk) == (now and now.pk):
        return 0
    old, new = scores_of(before), scores_of(now)
    changed = [
        (word_of(old[claim]) if claim in old else "none", word_of(new[claim]) if claim in new else "none", claim)
        for claim in {**new, **old}
    ]
    what = [claim_told(new.get(claim) or old[claim], was, becomes) for was, becomes, claim in changed if was != becomes]
    return tell_all(what[:MOST], at=at)


def claim_told(score: ImpactScore, was: str, becomes: str) -> Told:
    """Tell of one claim. Figures are told of what is claimed now."""
    shown = ("effect", "low", "high")
    figures: dict[str, Any] = {name: getattr(score, name) if becomes != "none" else None for name in shown}
    where = f"in {score.problem_class}" if score.problem_class else "over all classes"
    data = {
        "artifact": score.artifact.name,
        "kind": score.artifact.kind,
        "problem_class": score.problem_class,
        "before": was,
        "now": becomes,
        "change": f"{where} from {was} to {becomes}",
    }
    return Told(Happening.IMPACT_CHANGED, score.artifact.project_id, data | figures)


def forecasts_missed(at: datetime) -> int:
    """Tell which of the forecasts that were settled at a time were missed: of each project and target the last one."""
    settled = Forecast.objects.filter(settled_at=at).values("project")
    last = Forecast.objects.filter(project__in=settled).exclude(p50=None).serving().values("pk")
    outside = Q(actual__lt=F("p10")) | Q(actual__gt=F("p90"))
    missed = Forecast.objects.filter(outside, pk__in=list(last.values_list("pk", flat=True)), settled_at=at)
    return tell_all([miss_told(row) for row in missed.order_by("project_id", "target")], at=at)


def miss_told(row: Forecast) -> Told:
    """Tell of one forecast."""
    data = {"target": row.target, "unit": row.unit, "actual": row.actual, "expected": row.p50}
    return Told(Happening.FORECAST_MISSED, row.project_id, data | {"low": row.p10, "high": row.p90})
