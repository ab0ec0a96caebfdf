"""The registry room's REST door: which project used which version."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.registry import usages
from apps.registry.api.serializers import UsageShown, UsagesNew, UsagesShown
from apps.registry.models import ArtifactVersion, Usage
from apps.registry.models.usages import REUSE_AFTER_DAYS, REUSE_AFTER_MS, UsageQuerySet
from apps.registry.scoping import artifacts_for, run_named, runs_named
from apps.registry.usages import Mention, NewUsage, read_mention
from apps.tenants.access.people.principal import acting
from apps.tracking.models import Run
from apps.tracking.scoping import projects_for
from maestro.api.permissions import asking, reading_and_writing
from maestro.clock import now_ms
from maestro.errors import Fault, Invalid, MaestroError
from maestro.principals import Principal

EXAMPLE = OpenApiExample(
    "two",
    value={"usages": ["encoder.target@champion", {"artifact": "imputer.median", "version": "2", "role": "features"}]},
    request_only=True,
)


class ProjectUsages(GenericAPIView[Usage]):
    """What a project uses."""

    required_role = reading_and_writing()
    serializer_class = UsageShown
    page_ordering = ("id",)

    @extend_schema(operation_id="project_usages_list")
    def get(self, request: Request, project: str) -> Response:
        """List what a project and its runs use."""
        within = Usage.objects.for_page().filter(version__artifact__in=artifacts_for(asking(request)).values("pk"))
        found = within.filter(project=projects_for(asking(request)).fetch(project))
        return self.get_paginated_response(UsageShown(self.paginate_queryset(found), many=True).data)

    @extend_schema(operation_id="project_usages_put", request=UsagesNew, responses=UsagesShown, examples=[EXAMPLE])
    def put(self, request: Request, project: str) -> Response:
        """Record usages, all or none; those that are known stay. `replace` forgets what was said before."""
        asked = UsagesNew(data=request.data)
        asked.is_valid(raise_exception=True)
        found = projects_for(asking(request)).fetch(project)
        runs = runs_named(asking(request), [fields.get("run") for fields in asked.validated_data["usages"]])
        news = [self.read(index, fields, runs) for index, fields in enumerate(asked.validated_data["usages"])]
        replace = asked.validated_data.get("replace", False)
        outcome = usages.say(found, news, acting(request), at=timezone.now(), replace=replace)
        artifacts = {new.mention.artifact for new in news}
        shown = Usage.objects.for_page().filter(project=found, version__artifact__name__in=artifacts).order_by("id")
        return Response(UsagesShown({**vars(outcome), "usages": shown[:1000]}).data)

    def read(self, index: int, fields: dict[str, Any], runs: dict[str, Run]) -> NewUsage:
        """Read one entry; `runs` holds the runs that entries name, by how they name them. Raises Invalid naming it."""
        try:
            if isinstance(fields.get("mention"), str):
                mention = read_mention(fields["mention"])
            else:
                mention = Mention(fields["artifact"], fields.get("version") or "", fields.get("role", ""))
            said = fields.get("run") or ""
            run = runs.get(said) or run_named(asking(self.request), said)
        except MaestroError as error:
            fault = Fault(f"/usages/{index}", error.code, error.detail)
            raise Invalid(f"usages[{index}]: {error.detail}", error.code, faults=[fault]) from error
        return NewUsage(mention, run, fields.get("observed", Usage.Observed.API), fields.get("at"))


class ArtifactUsages(GenericAPIView[Usage]):
    """Who uses an artifact."""

    required_role = reading_and_writing()
    serializer_class = UsageShown
    page_ordering = ("id",)

    @extend_schema(operation_id="artifact_usages_list")
    def get(self, request: Request, artifact: str) -> Response:
        """List the projects and runs that use an artifact."""
        artifact_row = artifacts_for(asking(request)).fetch(artifact)
        found = Usage.objects.for_page().filter(
            version__artifact=artifact_row, project__in=projects_for(asking(request)).values("pk")
        )
        return self.get_paginated_response(UsageShown(self.paginate_queryset(found), many=True).data)


class ReuseShown(serializers.Serializer[Any]):
    """How much is reused by projects that did not make it, as far as the caller sees; a rate takes five."""

    older_than_days = serializers.IntegerField()
    versions = serializers.IntegerField(help_text="made so long ago, or longer")
    reused = serializers.IntegerField(help_text="of these, used by another project than their own")
    rate = serializers.FloatField(allow_null=True, help_text="null: too few")


class ProjectReuseShown(ReuseShown):
    """The same of one project's versions, and what it borrows itself."""

    uses = serializers.IntegerField(help_text="versions that it uses")
    borrowed = serializers.IntegerField(help_text="of these, of other projects")
    borrowed_share = serializers.FloatField(allow_null=True, help_text="null: too few")


def reused(within: UsageQuerySet, who: Principal, home: UUID | None = None) -> dict[str, Any]:
    """Lay out what of old versions is reused."""
    seen = ArtifactVersion.objects.filter(artifact__in=artifacts_for(who))
    share = within.reuse(seen, before_ms=now_ms() - REUSE_AFTER_MS, home=home)
    told = {"versions": share.whole, "reused": share.part, "rate": share.value}
    return {"older_than_days": REUSE_AFTER_DAYS} | told


class Reuse(APIView):
    """How much is reused."""

    required_role = {"GET": "viewer"}

    @extend_schema(operation_id="reuse_get", responses=ReuseShown)
    def get(self, request: Request) -> Response:
        """Tell how many of the versions that are older than 90 days another project than their own uses."""
        who = asking(request)
        return Response(ReuseShown(reused(Usage.objects.visible_to(who.projects), who)).data)


class ProjectReuse(APIView):
    """How much of a project is reused, and borrowed."""

    required_role = {"GET": "viewer"}

    @extend_schema(operation_id="project_reuse_get", responses=ProjectReuseShown)
    def get(self, request: Request, project: str) -> Response:
        """Tell how many of a project's old versions others use, and how many that it uses are of others."""
        who = asking(request)
        found, within = projects_for(who).fetch(project), Usage.objects.visible_to(who.projects)
        share = within.borrowed(ArtifactVersion.objects.filter(artifact__in=artifacts_for(who)), found.pk)
        told = {"uses": share.whole, "borrowed": share.part, "borrowed_share": share.value}
        return Response(ProjectReuseShown(reused(within, who, found.pk) | told).data)
