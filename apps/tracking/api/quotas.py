"""The tracking room's REST door: how many bytes a project may keep."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.people.principal import acting
from apps.tracking.files import quotas, use
from apps.tracking.models import Project
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import StrictSerializer, Whole


class QuotaAsked(StrictSerializer):
    """A bound of what a project keeps."""

    quota_bytes = Whole(allow_null=True, min_value=0, max_value=limits.QUOTA_BYTES, help_text="null: no bound")


class QuotaShown(serializers.Serializer[Any]):
    """What a project keeps, each content once, as it was last counted and raised since; null where it never was."""

    quota_bytes = serializers.IntegerField(allow_null=True)
    used_bytes = serializers.IntegerField(allow_null=True)
    files = serializers.IntegerField(allow_null=True)
    measured_at = serializers.DateTimeField(allow_null=True)


def shown(project: Project) -> Any:
    """Lay out a project's quota and use."""
    row = use.of_project(project)
    facts = {"used_bytes": row.bytes, "files": row.files, "measured_at": row.measured_at} if row else {}
    unknown = dict.fromkeys(("used_bytes", "files", "measured_at"))
    return QuotaShown({**unknown, **facts, "quota_bytes": project.quota_bytes}).data


class ProjectQuota(APIView):
    """How many bytes a project may keep."""

    required_role = reading_and_writing(write="admin")

    @extend_schema(operation_id="project_quota_get", responses=QuotaShown)
    def get(self, request: Request, project: str) -> Response:
        """Show the bound and what is used of it."""
        return Response(shown(projects_for(asking(request)).fetch(project)))

    @extend_schema(operation_id="project_quota_put", request=QuotaAsked, responses=QuotaShown)
    def put(self, request: Request, project: str) -> Response:
        """Bound the project; null unbinds it. What it keeps already stays, also where that is more."""
        asked = QuotaAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(shown(quotas.set_quota(project, asked.validated_data["quota_bytes"], acting(request))))
