"""The tracking room's REST door: incidents, and how a project's delivery is measured."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.delivery import incidents, rules
from apps.tracking.models import DeliveryRule, Incident, Project
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.queries import flag
from maestro.api.serializers import Listed, Real, StrictSerializer, Text
from maestro.errors import NotFound

EXAMPLE = OpenApiExample(
    "pager",
    value={"project": "churn", "title": "scores are stale", "opened_at": "2026-05-04T09:12:00Z"},
    request_only=True,
)


class IncidentFacts(StrictSerializer):
    """What may change about an incident."""

    title = Text(required=False, max_length=limits.NAME_CHARS, help_text="short; no names of people")
    opened_at = serializers.DateTimeField(required=False)
    resolved_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_title(self, title: str) -> str:
        """Refuse a title of blanks."""
        if not title.strip():
            raise serializers.ValidationError("give it a title", code="blank")
        return title.strip()


class IncidentNew(IncidentFacts):
    """An incident to be told of; without a time it began now."""

    project = Text(max_length=100, help_text="slug or id")
    title = Text(max_length=limits.NAME_CHARS, help_text="short; no names of people")


class IncidentShown(serializers.ModelSerializer[Incident]):
    """An incident."""

    project = serializers.UUIDField(source="project_id")

    class Meta:
        model = Incident
        fields = ("id", "project", "title", "opened_at", "resolved_at", "told_by", "created_at")
        read_only_fields = fields


class IncidentList(IdempotentPosts, GenericAPIView[Incident]):
    """Incidents, the newest first, and new ones."""

    required_role = reading_and_writing()
    serializer_class = IncidentShown
    page_ordering = ("-opened_at", "-id")

    def get_queryset(self) -> Any:
        """Filter by the query's words."""
        found, query = incidents.incidents_for(asking(self.request)), self.request.query_params
        if "project" in query:
            found = found.filter(project=projects_for(asking(self.request)).fetch(query["project"]))
        is_open = flag(self.request, "open")
        return found if is_open is None else found.filter(resolved_at__isnull=is_open)

    @extend_schema(
        operation_id="incidents_list",
        parameters=[OpenApiParameter("project", str, description="slug or id"), OpenApiParameter("open", bool)],
    )
    def get(self, request: Request) -> Response:
        """List them."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(IncidentShown(page, many=True).data)

    @extend_schema(
        operation_id="incidents_open", request=IncidentNew, responses={201: IncidentShown}, examples=[EXAMPLE]
    )
    def post(self, request: Request) -> Response:
        """Tell of an incident. The project's last good deployment before it, of at most a week, then counts as failed."""
        asked = IncidentNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        project = projects_for(asking(request)).fetch(fields.pop("project"))
        row = incidents.open_one(project, fields, by=acting(request), at=timezone.now())
        return tagged(request, IncidentShown(row).data, status=201)


class IncidentDetail(GenericAPIView[Incident]):
    """One incident."""

    required_role = reading_and_writing()
    serializer_class = IncidentShown

    @extend_schema(operation_id="incidents_get")
    def get(self, request: Request, incident: uuid.UUID) -> Response:
        """Show it."""
        row = incidents.incidents_for(asking(request)).filter(pk=incident).first()
        if row is None:
            raise NotFound("there is no such incident")
        return tagged(request, IncidentShown(row).data)

    @extend_schema(operation_id="incidents_patch", request=IncidentFacts, responses=IncidentShown)
    def patch(self, request: Request, incident: uuid.UUID) -> Response:
        """Resolve it, or change what was told; `"resolved_at": null` opens it again."""

        def read(row: Incident) -> Mapping[str, Any]:
            check_match(request, IncidentShown(row).data, required=False)
            asked = IncidentFacts(data=request.data)
            asked.is_valid(raise_exception=True)
            return asked.validated_data

        return tagged(request, IncidentShown(incidents.change(incident, read, by=acting(request))).data)

    @extend_schema(operation_id="incidents_delete", responses={204: None})
    def delete(self, request: Request, incident: uuid.UUID) -> Response:
        """Take back what was none. It no longer counts."""
        incidents.take_back(incident, by=acting(request))
        return Response(status=204)


class DeliveryRuleAsked(StrictSerializer):
    """All of a rule: what is left out is left to the usual."""

    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=("", *DeliveryRule.Source.values), required=False, help_text="empty: forge if connected, else alias"
    )
    serving_aliases = Listed(
        child=Text(max_length=limits.ALIAS_CHARS), required=False, min_length=1, max_length=rules.MOST_ALIASES
    )
    hour_rate = Real(required=False, allow_null=True, min_value=0, max_value=rules.MOST_RATE, help_text="of its work")
    currency = serializers.RegexField("^[A-Z]{3}$", required=False, allow_blank=True, help_text="as EUR")


class DeliveryInForce(serializers.Serializer[Any]):
    """What holds in the end."""

    source = serializers.ChoiceField(choices=DeliveryRule.Source.values)  # type: ignore[assignment]
    serving_aliases = serializers.ListField(child=serializers.CharField())


class DeliveryRuleShown(serializers.Serializer[Any]):
    """What was said of a project, and what holds in the end."""

    source = serializers.CharField()  # type: ignore[assignment]
    serving_aliases = serializers.ListField(child=serializers.CharField())
    hour_rate = serializers.FloatField(allow_null=True)
    currency = serializers.CharField()
    set_by = serializers.CharField(allow_null=True)
    set_at = serializers.DateTimeField(allow_null=True)
    in_force = DeliveryInForce()


def shown(project: Project) -> Any:
    """Lay out a project's rule."""
    rule, holds = rules.rule_of(project), rules.in_force(project)
    usual = {"source": "", "hour_rate": None, "currency": ""}
    said = {name: getattr(rule, name) for name in rules.FIELDS} if rule else usual
    by = {"set_by": rule.set_by if rule else None, "set_at": rule.set_at if rule else None}
    return DeliveryRuleShown({"serving_aliases": holds.serving_aliases, "in_force": holds} | said | by).data


class ProjectDelivery(APIView):
    """How a project's delivery is measured."""

    required_role = reading_and_writing(write="admin")

    @extend_schema(operation_id="project_delivery_get", responses=DeliveryRuleShown)
    def get(self, request: Request, project: str) -> Response:
        """Show what counts as a deployment of it."""
        return tagged(request, shown(projects_for(asking(request)).fetch(project)))

    @extend_schema(operation_id="project_delivery_put", request=DeliveryRuleAsked, responses=DeliveryRuleShown)
    def put(self, request: Request, project: str) -> Response:
        """Choose what counts as a deployment: what a forge tells, or a serving alias that moves. {} leaves it to the usual."""
        found = projects_for(asking(request)).fetch(project)
        asked = DeliveryRuleAsked(data=request.data)
        asked.is_valid(raise_exception=True)

        def guard() -> None:
            check_match(request, shown(found), required=False)

        rules.set_rule(found, asked.validated_data, by=acting(request), guard=guard)
        return tagged(request, shown(found))
