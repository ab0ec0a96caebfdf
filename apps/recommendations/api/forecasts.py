"""The recommendations room's REST door: what would a project expect that does not exist yet; how past forecasts did."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.recommendations import tasks
from apps.recommendations.answers import calibration
from apps.recommendations.api.forecast_serializers import CalibrationShown, WhatIfNew, WhatIfShown
from apps.recommendations.models import WhatIf
from apps.recommendations.work import questions
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.scoping import require_tenant_wide
from maestro.api.permissions import asking

TENANT_WIDE = "ask what was learnt across projects"
EXAMPLE = OpenApiExample(
    "a planned project",
    value={
        "problem_class": "classification",
        "complexity": 60,
        "team": "growth",
        "team_size": 4,
        "planned_duration_days": 45,
        "dataset_facts": {"rows": 12000, "columns": 31},
    },
    request_only=True,
)


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Facts as JSON keeps them."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in fields.items()}


class Questions(IdempotentPosts, GenericAPIView[WhatIf]):
    """Questions about projects that do not exist yet."""

    required_role = {"POST": "viewer", "OPTIONS": "viewer"}
    serializer_class = WhatIfShown
    queryset = WhatIf.objects.none()

    @extend_schema(operation_id="forecasts_ask", request=WhatIfNew, responses={202: WhatIfShown}, examples=[EXAMPLE])
    def post(self, request: Request) -> Response:
        """Ask. A worker answers within seconds; `Location` shows the answer once it is there."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        asked = WhatIfNew(data=request.data)
        asked.is_valid(raise_exception=True)
        facts = plain(asked.validated_data)
        question = questions.ask(facts, by=acting(request))
        tasks.TURNS.send()
        where = request.build_absolute_uri(f"/api/v1/forecasts/{question.pk}/")
        return Response(WhatIfShown(question).data, status=202, headers={"Location": where})


class Question(GenericAPIView[WhatIf]):
    """One question."""

    required_role = {"GET": "viewer", "HEAD": "viewer", "OPTIONS": "viewer"}
    serializer_class = WhatIfShown
    queryset = WhatIf.objects.none()

    @extend_schema(operation_id="forecasts_get", responses=WhatIfShown)
    def get(self, request: Request, question: uuid.UUID) -> Response:
        """Show a question, and its answer once there is one."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        return Response(WhatIfShown(WhatIf.objects.fetch(str(question))).data)


class CalibrationView(GenericAPIView[Any]):
    """How well past claims held."""

    required_role = {"GET": "viewer", "HEAD": "viewer", "OPTIONS": "viewer"}
    serializer_class = CalibrationShown
    queryset = WhatIf.objects.none()

    @extend_schema(operation_id="calibration", responses=CalibrationShown)
    def get(self, request: Request) -> Response:
        """Show past forecasts against what happened, whether advice was followed, and how stable impact claims were."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        return Response(CalibrationShown(calibration.calibration_page()).data)
