"""The recommendations room's REST door: trainings: ask for one, follow it, take it out of service."""

import uuid

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.recommendations import tasks
from apps.recommendations.api.serializers import TrainingNew, TrainingShown
from apps.recommendations.models import Training
from apps.recommendations.work import leases, promotion
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.scoping import require_tenant_wide
from maestro.api.permissions import asking, reading_and_writing

TENANT_WIDE = "read or start trainings, which learn from all projects"


class TrainingList(IdempotentPosts, GenericAPIView[Training]):
    """All trainings."""

    required_role = reading_and_writing()
    serializer_class = TrainingShown
    page_ordering = ("-created_at", "-id")

    @extend_schema(operation_id="trainings_list")
    def get(self, request: Request) -> Response:
        """List trainings, newest first, with the models that came of each."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        page = self.paginate_queryset(Training.objects.for_page())
        return self.get_paginated_response(TrainingShown(page, many=True).data)

    @extend_schema(operation_id="trainings_create", request=TrainingNew, responses={202: TrainingShown})
    def post(self, request: Request) -> Response:
        """Ask for a training; `Location` shows its progress. While one is open that one is answered."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        asked = TrainingNew(data=request.data)
        asked.is_valid(raise_exception=True)
        training, _ = leases.ask_as(acting(request), **asked.validated_data)
        tasks.send(training)
        where = request.build_absolute_uri(f"/api/v1/trainings/{training.pk}/")
        return Response(TrainingShown(training).data, status=202, headers={"Location": where})


class TrainingDetail(GenericAPIView[Training]):
    """One training."""

    required_role = {"GET": "viewer", "HEAD": "viewer", "OPTIONS": "viewer"}
    serializer_class = TrainingShown

    @extend_schema(operation_id="trainings_get")
    def get(self, request: Request, training: uuid.UUID) -> Response:
        """Show how far it is, and what came of it."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        return Response(TrainingShown(Training.objects.for_page().fetch(str(training))).data)


class TrainingRollback(IdempotentPosts, GenericAPIView[Training]):
    """Back to what served before a training."""

    required_role = reading_and_writing("approver")
    serializer_class = TrainingShown

    @extend_schema(operation_id="trainings_rollback", request=None, responses=TrainingShown)
    def post(self, request: Request, training: uuid.UUID) -> Response:
        """Take this training's models out of service; those before them serve again. 409 if none serves."""
        require_tenant_wide(asking(request), TENANT_WIDE)
        found = Training.objects.fetch(str(training))
        promotion.roll_back(found, by=acting(request), at=timezone.now())
        return Response(TrainingShown(Training.objects.for_page().fetch(str(training))).data)
