"""The recommendations room's REST door: what is associated with success here."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.recommendations.answers.advice import UNIT_WORDS, WORDING, untrained
from apps.recommendations.answers.narrowing import refusal_of_class, scores_of_class
from apps.recommendations.api.serializers import ImpactShown, ScoreShown
from apps.recommendations.models import ImpactModel, ImpactScore
from apps.tracking.models import Project
from apps.tracking.scoping import require_tenant_wide
from maestro.api.permissions import asking
from maestro.api.queries import choice

UNITS = tuple(UNIT_WORDS)
REFUSAL = OpenApiExample(
    "refusal",
    description="A tenant with 41 finished projects: a refusal, never a number.",
    value={
        "status": "refused",
        "code": "too_few_projects",
        "reason": "Only 41 finished projects have an outcome.",
        "needs": [{"what": "finished projects with an outcome", "have": 41, "at_least": 100}],
        "results": [],
    },
    response_only=True,
)
FILTERS = [
    OpenApiParameter("unit", str, enum=UNITS, description="default: finished projects if they serve, else runs"),
    OpenApiParameter("problem_class", str, enum=Project.ProblemClass.values, description="default: all together"),
    OpenApiParameter("artifact", str, description="exactly this name"),
]


def heading(model: ImpactModel | None, problem_class: str) -> dict[str, Any]:
    """What stands above the scores: where they come from, or why there are none. A class has a refusal of its own."""
    if model is None:
        answer = untrained()
        return {
            **{"status": answer.status, "code": answer.code, "reason": answer.reason, "needs": answer.needs},
            **{"unit": "", "unit_text": "", "level": None, "training": None, "trained_at": None, "method": ""},
            **{"rows": 0, "projects": 0, "figures": {}, "wording": WORDING},
        }
    refused = model.state == ImpactModel.State.REFUSED
    status = "refused" if refused else ("early" if model.code else "ok")
    said = (status, model.code, model.reason, model.needs)
    missing = refusal_of_class(model, problem_class)
    status, code, reason, needs = said if missing is None else ("refused", *missing)
    return {
        "status": status,
        "code": code,
        "reason": reason,
        "needs": needs,
        "unit": model.unit,
        "unit_text": UNIT_WORDS.get(model.unit, ""),
        "level": model.level,
        "training": model.training_id,
        "trained_at": model.created_at,
        "method": model.method,
        "rows": model.rows,
        "projects": model.groups,
        "figures": model.figures,
        "wording": WORDING,
    }


class Impact(GenericAPIView[ImpactScore]):
    """Impact scores of the model that serves."""

    required_role = {"GET": "viewer", "HEAD": "viewer", "OPTIONS": "viewer"}
    serializer_class = ScoreShown
    # Scores are written strongest first, refusals last.
    page_ordering = ("id",)

    @extend_schema(operation_id="impact_list", parameters=FILTERS, responses=ImpactShown, examples=[REFUSAL])
    def get(self, request: Request) -> Response:
        """List what artifacts are associated with, strongest first; each with interval, n and what weakens it."""
        require_tenant_wide(asking(request), "read what was learnt across projects")
        unit = choice(request, "unit", UNITS)
        problem_class = choice(request, "problem_class", Project.ProblemClass.values)
        model = ImpactModel.objects.serving("impact", unit)
        scores = scores_of_class(model, problem_class) if model else ImpactScore.objects.none()
        scores = scores.select_related("artifact", "model").defer("model__model_text")
        if "artifact" in request.query_params:
            scores = scores.filter(artifact__name=request.query_params["artifact"])
        page = self.paginate_queryset(scores)
        listed = self.get_paginated_response(ScoreShown(page, many=True).data).data
        return Response(heading(model, problem_class) | listed)
