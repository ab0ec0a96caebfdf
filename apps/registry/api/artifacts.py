"""The registry room's REST door: artifacts and their aliases."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import aliases, artifacts
from apps.registry.api.serializers import AliasNew, AliasShown, ArtifactFacts, ArtifactNew, ArtifactShown
from apps.registry.api.trashed import TrashedArtifact, artifacts_shown
from apps.registry.artifacts import NewArtifact
from apps.registry.models import Alias, Artifact, ArtifactVersion
from apps.registry.scoping import artifacts_for, changeable
from apps.registry.trash import artifacts as artifact_trash
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.scoping import projects_for
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.queries import choice
from maestro.api.serializers import object_in
from maestro.clock import now_ms
from maestro.errors import AlreadyExists, Invalid, NotFound
from maestro.principals import home_of

EXAMPLE = OpenApiExample(
    "encoder",
    value={
        "name": "encoder.target",
        "kind": "feature_pipeline",
        "description": "Target encoding with smoothing",
        "tags": {"library": "category_encoders"},
    },
    request_only=True,
)
FILTERS = [
    OpenApiParameter("kind", str, enum=Artifact.Kind.values),
    OpenApiParameter("q", str, description="a part of the name, in any case"),
]


def shown(artifact: Artifact) -> dict[str, Any]:
    """Show an artifact as it is stored now."""
    fresh = Artifact.objects.prefetch_related("tags", "aliases__version").get(pk=artifact.pk)
    return dict(ArtifactShown(fresh).data)


def owner_of(request: Request, fields: dict[str, Any], *, is_new: bool = False) -> None:
    """Replace the named project by its row; who reaches some projects only makes artifacts of those."""
    who = asking(request)
    reference = fields.get("project")
    if "project" in fields and reference is not None:
        try:
            fields["project"] = projects_for(who).fetch(reference)
        except NotFound as error:
            raise Invalid(f"project: {error.detail}", "unknown_project") from error
    is_open = fields.get("project") is None and (is_new or len(who.projects or ()) == 1 or "project" in fields)
    home = home_of(who.projects, "name the project") if is_open else None
    if home is not None:
        fields["project"] = projects_for(who).fetch(home)


def create(request: Request, fields: dict[str, Any]) -> dict[str, Any]:
    """Make an artifact. Raises AlreadyExists."""
    owner_of(request, fields, is_new=True)
    project = fields.pop("project", None)
    new = NewArtifact(**fields, project_id=project.pk if project else None)
    return shown(artifacts.make(new, acting(request), at_ms=now_ms()))


class ArtifactList(IdempotentPosts, GenericAPIView[Artifact]):
    """All artifacts, and new ones."""

    required_role = reading_and_writing()
    idempotency_required = True
    serializer_class = ArtifactShown
    page_ordering = ("name",)

    def get_queryset(self) -> Any:
        """Filter by the query's words."""
        found, query = artifacts_for(asking(self.request)), self.request.query_params
        if kind := choice(self.request, "kind", Artifact.Kind.values):
            found = found.filter(kind=kind)
        if "q" in query:
            found = found.filter(name__icontains=query["q"])
        return found.prefetch_related("tags", "aliases__version")

    @extend_schema(operation_id="artifacts_list", parameters=FILTERS)
    def get(self, request: Request) -> Response:
        """List artifacts by name."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ArtifactShown(page, many=True).data)

    @extend_schema(
        operation_id="artifacts_create", request=ArtifactNew, responses={201: ArtifactShown}, examples=[EXAMPLE]
    )
    def post(self, request: Request) -> Response:
        """Make an artifact. Needs Idempotency-Key; a taken name is 409."""
        asked = ArtifactNew(data=request.data)
        asked.is_valid(raise_exception=True)
        return tagged(request, create(request, dict(asked.validated_data)), status=201)


class ArtifactDetail(GenericAPIView[Artifact]):
    """One artifact, by id or name."""

    required_role = reading_and_writing()
    serializer_class = ArtifactShown

    @extend_schema(operation_id="artifacts_get")
    def get(self, request: Request, artifact: str) -> Response:
        """Show an artifact."""
        return tagged(request, shown(artifacts_for(asking(request)).fetch(artifact)))

    @extend_schema(
        operation_id="artifacts_put", request=ArtifactFacts, responses={200: ArtifactShown, 201: ArtifactShown}
    )
    def put(self, request: Request, artifact: str) -> Response:
        """Make an artifact with this name unless it is there. The same again is 200, other facts are 409."""
        asked = ArtifactNew(data={**object_in(request), "name": artifact})
        asked.is_valid(raise_exception=True)
        found = self.named(artifact)
        if found is None:
            try:
                return tagged(request, create(request, dict(asked.validated_data)), status=201)
            except AlreadyExists:
                found = self.named(artifact)
                if found is None:
                    raise
        same = dict(asked.validated_data)
        owner_of(request, same)
        if "project" in same:
            same["project"] = str(same["project"].pk) if same["project"] else None
        artifacts.check_same(found, same)
        return tagged(request, shown(found))

    def named(self, name: str) -> Artifact | None:
        """Look up who has this name already, whatever names may be now."""
        found: Artifact | None = artifacts_for(asking(self.request)).filter(name=name).first()
        return found

    @extend_schema(operation_id="artifacts_patch", request=ArtifactFacts, responses=ArtifactShown)
    def patch(self, request: Request, artifact: str) -> Response:
        """Change facts of an artifact. Needs If-Match. `tags`, if sent, replaces all tags."""
        asked = ArtifactFacts(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        owner_of(request, fields)
        found = changeable(asking(request), artifact)

        def guard(held: Artifact) -> None:
            check_match(request, shown(held), required=True)

        artifacts.change(found, fields, acting(request), at_ms=now_ms(), guard=guard)
        return tagged(request, shown(found))

    @extend_schema(operation_id="artifacts_delete", responses={200: TrashedArtifact})
    def delete(self, request: Request, artifact: str) -> Response:
        """Put an artifact into the trash, where it can be restored for a while. Needs If-Match; one in use is 409."""
        found = changeable(asking(request), artifact)

        def guard(held: Artifact) -> None:
            check_match(request, shown(held), required=True)

        gone = artifact_trash.throw_away(found, acting(request), at_ms=now_ms(), guard=guard)
        return Response(artifacts_shown([gone])[0])


class AliasList(GenericAPIView[Alias]):
    """An artifact's aliases."""

    required_role = reading_and_writing()
    serializer_class = AliasShown
    page_ordering = ("name",)

    @extend_schema(operation_id="aliases_list")
    def get(self, request: Request, artifact: str) -> Response:
        """List an artifact's aliases."""
        found = Alias.objects.select_related("version").filter(artifact=artifacts_for(asking(request)).fetch(artifact))
        return self.get_paginated_response(AliasShown(self.paginate_queryset(found), many=True).data)


class AliasDetail(GenericAPIView[Alias]):
    """One alias: a name that points at one version and may move."""

    required_role = reading_and_writing()
    serializer_class = AliasShown

    @extend_schema(operation_id="aliases_get")
    def get(self, request: Request, artifact: str, alias: str) -> Response:
        """Show where an alias points."""
        found = aliases.fetch_alias(artifacts_for(asking(request)).fetch(artifact), alias)
        return tagged(request, AliasShown(found).data)

    @extend_schema(operation_id="aliases_put", request=AliasNew, responses={200: AliasShown, 201: AliasShown})
    def put(self, request: Request, artifact: str, alias: str) -> Response:
        """Set an alias. Moving one that points elsewhere needs If-Match."""
        asked = AliasNew(data=request.data)
        asked.is_valid(raise_exception=True)
        found = changeable(asking(request), artifact)
        version = ArtifactVersion.objects.select_related("artifact").fetch(found, asked.validated_data["version"])

        def guard(held: Alias) -> None:
            check_match(request, AliasShown(held).data, required=True)

        now = timezone.now()
        moved, before = aliases.point(found, alias, version, acting(request), at=now, guard=guard)
        return tagged(request, AliasShown(moved).data, status=200 if before else 201)

    @extend_schema(operation_id="aliases_delete", responses={204: None})
    def delete(self, request: Request, artifact: str, alias: str) -> Response:
        """Take an alias away. Needs If-Match."""
        found = changeable(asking(request), artifact)

        def guard(held: Alias) -> None:
            check_match(request, AliasShown(held).data, required=True)

        if not aliases.take_away(found, alias, acting(request), at=timezone.now(), guard=guard):
            raise aliases.no_alias(found, alias)
        return Response(status=204)
