"""The recommendations room's REST door: what one project may try, may expect, and how it went by the rule."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.recommendations import tasks
from apps.recommendations.answers.advice import (
    PENDING,
    UNIT_NAMES,
    WORDING,
    AdviceAnswer,
    Item,
    advice_for,
    forecasts_for,
)
from apps.recommendations.api.serializers import AdviceShown, ForecastsShown, OutcomeShown
from apps.recommendations.models import Advice
from apps.recommendations.past import outcomes
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.models import Project
from apps.tracking.scoping import projects_for
from maestro.api.permissions import asking, reading_and_writing

READING = {"GET": "viewer", "HEAD": "viewer", "OPTIONS": "viewer"}


def visible(evidence: Any, request: Request) -> list[str]:
    """The projects behind a claim that the caller may see: who reaches some learns of no other."""
    reach = asking(request).projects
    known = None if reach is None else {str(one) for one in reach}
    return [str(one) for one in evidence if known is None or str(one) in known]


def item_shown(item: Item, request: Request) -> dict[str, Any]:
    """One item."""
    return {
        "rank": item.rank,
        "artifact": {"id": item.artifact_id, "name": item.artifact_name, "kind": item.artifact_kind},
        "status": item.status,
        "gain": item.gain,
        "low": item.low,
        "high": item.high,
        "standing": item.standing,
        "n_projects": item.n_projects,
        "pooled": item.pooled,
        "reasons": list(item.reasons),
        "evidence": visible(item.evidence, request),
    }


def team_shown(advice: Advice | None, request: Request) -> dict[str, Any] | None:
    """The range of team sizes."""
    if advice is None:
        return None
    return {
        "status": advice.status,
        "reason": " ".join(advice.reasons),
        "needs": advice.needs,
        "low": advice.low,
        "high": advice.high,
        "pooled": advice.pooled,
        "evidence": visible(advice.evidence, request),
    }


def advice_shown(project: Project, answer: AdviceAnswer, request: Request) -> dict[str, Any]:
    """The whole answer."""
    model = answer.model
    return {
        "project": project.pk,
        "status": answer.status,
        "code": answer.code,
        "reason": answer.reason,
        "needs": list(answer.needs),
        "basis": answer.basis,
        "unit": UNIT_NAMES.get(answer.unit, ""),
        "unit_text": answer.unit,
        "level": answer.level,
        "training": model.training_id if model else None,
        "trained_at": model.created_at if model else None,
        "wording": WORDING,
        "items": [item_shown(item, request) for item in answer.items],
        "team_size": team_shown(answer.team, request),
    }


class ProjectAdvice(GenericAPIView[Advice]):
    """What a project may try next."""

    required_role = READING
    serializer_class = AdviceShown

    @extend_schema(operation_id="project_advice", responses=AdviceShown)
    def get(self, request: Request, project: str) -> Response:
        """Show ranked artifacts with interval, n and reasons, or a refusal that names what is missing."""
        found = projects_for(asking(request)).fetch(project)
        answer = advice_for(found, reach=asking(request).projects)
        return Response(AdviceShown(advice_shown(found, answer, request)).data)


class ProjectForecasts(GenericAPIView[Advice]):
    """What a project may expect."""

    required_role = READING
    serializer_class = ForecastsShown

    @extend_schema(operation_id="project_forecasts", responses=ForecastsShown)
    def get(self, request: Request, project: str) -> Response:
        """Show expected success, duration, cost and effort with 80 % intervals; or why there is none."""
        found = projects_for(asking(request)).fetch(project)
        answer = forecasts_for(found)
        if answer["code"] == PENDING:
            tasks.send_foresee()
        return Response(ForecastsShown({"project": found.pk, **answer}).data)


class ProjectOutcomeByRule(IdempotentPosts, GenericAPIView[Project]):
    """A project's success by its goal metric."""

    required_role = reading_and_writing()
    serializer_class = OutcomeShown

    @extend_schema(operation_id="project_outcome_derive", request=None, responses=OutcomeShown)
    def post(self, request: Request, project: str) -> Response:
        """Derive success from the best finished run's goal metric. 409 if the rule can't speak or a person has."""
        found = outcomes.set_by_rule(
            projects_for(asking(request)).fetch(project), by=acting(request), at=timezone.now()
        )
        shown = {
            "project": found.pk,
            "success": found.success,
            "source": found.outcome_source,
            "rule": found.outcome_rule,
            "set_by": found.outcome_set_by,
            "set_at": found.outcome_set_at,
        }
        return Response(OutcomeShown(shown).data)
