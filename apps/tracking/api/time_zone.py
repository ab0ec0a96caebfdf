"""The tracking room's REST door: where the tenant's days and weeks begin, and the plans that a project has had."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.people.principal import acting
from apps.tracking import calendars
from apps.tracking.models import PlanRevision
from apps.tracking.scoping import projects_for
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import StrictSerializer, Text


class TimeZoneAsked(StrictSerializer):
    """A time zone."""

    time_zone = Text(max_length=64, help_text="as Europe/Vienna")


class TenantTimeZone(APIView):
    """Where the tenant's days and weeks begin."""

    required_role = reading_and_writing(write="admin")

    @extend_schema(operation_id="time_zone_get", responses=TimeZoneAsked)
    def get(self, request: Request) -> Response:
        """Show it; UTC unless somebody has said another."""
        return Response({"time_zone": calendars.time_zone()})

    @extend_schema(operation_id="time_zone_put", request=TimeZoneAsked, responses=TimeZoneAsked)
    def put(self, request: Request) -> Response:
        """Say where days begin, for the measures of how teams deliver. What was measured is counted anew."""
        asked = TimeZoneAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"time_zone": calendars.set_time_zone(asked.validated_data["time_zone"], by=acting(request))})


class PlanShown(serializers.ModelSerializer[PlanRevision]):
    """A plan, from some time on."""

    class Meta:
        model = PlanRevision
        fields = ("at", "planned_duration_days", "planned_cost", "planned_effort_hours", "planned_by")
        read_only_fields = fields


class ProjectPlans(GenericAPIView[PlanRevision]):
    """What was planned of a project."""

    required_role = {"GET": "viewer"}
    serializer_class = PlanShown
    page_ordering = ("id",)

    def get_queryset(self) -> Any:
        """Those of one project."""
        return PlanRevision.objects.filter(project=projects_for(asking(self.request)).fetch(self.kwargs["project"]))

    @extend_schema(operation_id="project_plans_list")
    def get(self, request: Request, project: str) -> Response:
        """List its plans, the first one first."""
        return self.get_paginated_response(PlanShown(self.paginate_queryset(self.get_queryset()), many=True).data)
