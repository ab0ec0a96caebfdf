"""The tracking room's REST door: how long runs are kept, of a project and of all that say nothing else."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.people.principal import acting
from apps.tracking.models import Project
from apps.tracking.models.retention import LEAST_LOST_HOURS, MOST_DAYS, MOST_LOST_HOURS
from apps.tracking.retention import rules
from apps.tracking.scoping import projects_for, require_tenant_wide
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Real, StrictSerializer, Whole


class RuleAsked(StrictSerializer):
    """All of a rule: what is null or left out is left to the wider rule."""

    trash_days = Whole(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=MOST_DAYS,
        help_text="days in the trash before a run goes for ever",
    )
    keep_runs_days = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="days after its last word before an ended run goes into the trash; null: never",
    )
    lost_after_hours = Real(
        required=False,
        allow_null=True,
        min_value=LEAST_LOST_HOURS,
        max_value=MOST_LOST_HOURS,
        help_text="hours of silence before a running run counts as lost",
    )


class RulesInForce(serializers.Serializer[rules.Rules]):
    """What holds in the end."""

    trash_days = serializers.IntegerField()
    keep_runs_days = serializers.IntegerField(allow_null=True)
    lost_after_hours = serializers.FloatField()


class RuleShown(serializers.Serializer[Any]):
    """What was said here, and what holds in the end."""

    trash_days = serializers.IntegerField(allow_null=True)
    keep_runs_days = serializers.IntegerField(allow_null=True)
    lost_after_hours = serializers.FloatField(allow_null=True)
    set_by = serializers.CharField(allow_null=True)
    set_at = serializers.DateTimeField(allow_null=True)
    in_force = RulesInForce()


def shown(project: Project | None) -> Any:
    """Lay out a rule."""
    rule = rules.rule_of(project)
    names = (*rules.FIELDS, "set_by", "set_at")
    return RuleShown({name: getattr(rule, name, None) for name in names} | {"in_force": rules.in_force(project)}).data


def put(request: Request, project: Project | None) -> Response:
    """Write a rule and answer it."""
    asked = RuleAsked(data=request.data)
    asked.is_valid(raise_exception=True)

    def guard() -> None:
        check_match(request, shown(project), required=False)

    rules.set_rule(project, asked.validated_data, by=acting(request), guard=guard)
    return tagged(request, shown(project))


class ProjectRetention(APIView):
    """How long a project's runs are kept."""

    required_role = reading_and_writing(write="admin")

    @extend_schema(operation_id="project_retention_get", responses=RuleShown)
    def get(self, request: Request, project: str) -> Response:
        """Show the project's rule and what holds in the end."""
        return tagged(request, shown(projects_for(asking(request)).fetch(project)))

    @extend_schema(operation_id="project_retention_put", request=RuleAsked, responses=RuleShown)
    def put(self, request: Request, project: str) -> Response:
        """Set all of the project's rule; {} leaves everything to the rule of all projects."""
        return put(request, projects_for(asking(request)).fetch(project))


class TenantRetention(APIView):
    """How long runs are kept where their project says nothing."""

    required_role = reading_and_writing(write="admin")

    @extend_schema(operation_id="retention_get", responses=RuleShown)
    def get(self, request: Request) -> Response:
        """Show the rule of all projects and what holds in the end."""
        return tagged(request, shown(None))

    @extend_schema(operation_id="retention_put", request=RuleAsked, responses=RuleShown)
    def put(self, request: Request) -> Response:
        """Set all of the rule of all projects; {} leaves everything to what Maestro does by itself."""
        require_tenant_wide(asking(request), "set what holds for every project")
        return put(request, None)
