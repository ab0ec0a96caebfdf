"""The registry room's REST door: which project used which version."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import usages
from apps.registry.api.serializers import UsageShown, UsagesNew, UsagesShown
from apps.registry.models import Usage
from apps.registry.scoping import artifacts_for, run_named, runs_named
from apps.registry.usages import Mention, NewUsage, read_mention
from apps.tenants.access.people.principal import acting
from apps.tracking.models import Run
from apps.tracking.scoping import projects_for
from maestro.api.permissions import asking, reading_and_writing
from maestro.errors import Fault, Invalid, MaestroError

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
