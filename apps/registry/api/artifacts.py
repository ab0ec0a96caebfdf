"""The registry room's REST door: artifacts and their aliases."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.actions import Act
from apps.registry.aliases import fetch_alias, point
from apps.registry.api.serializers import AliasNew, AliasShown, ArtifactFacts, ArtifactNew, ArtifactShown
from apps.registry.models import Alias, Artifact, ArtifactTag, ArtifactVersion
from apps.registry.scoping import artifacts_for, changeable
from apps.registry.versions import make_artifact
from apps.tenants.access.audit.recording import record
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tracking.scoping import projects_for
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
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
    """Make an artifact and write down who did. Raises AlreadyExists."""
    owner_of(request, fields, is_new=True)
    with transaction.atomic():
        artifact = make_artifact(at_ms=now_ms(), **fields)
        answer = shown(artifact)
        record(request, Act.ARTIFACT_CREATE, subject=artifact, after=answer)
    return answer


class ArtifactList(IdempotentPosts, GenericAPIView[Artifact]):
    """All artifacts, and new ones."""

    required_role = reading_and_writing()
    idempotency_required = True
    serializer_class = ArtifactShown
    page_ordering = ("name",)

    def get_queryset(self) -> Any:
        """Filter by the query's words."""
        found, query = artifacts_for(asking(self.request)), self.request.query_params
        if "kind" in query:
            found = found.filter(kind=query["kind"])
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
        try:
            return tagged(request, create(request, dict(asked.validated_data)), status=201)
        except AlreadyExists:
            found = artifacts_for(asking(request)).filter(name=artifact).first()
            if found is None:
                raise
        answer = shown(found)
        same = dict(asked.validated_data)
        owner_of(request, same)
        if "project" in same:
            same["project"] = str(same["project"].pk) if same["project"] else None
        different = sorted(name for name, value in same.items() if answer[name] != value)
        if different:
            raise AlreadyExists(f"this artifact has another {', '.join(different)}; PATCH changes it")
        return tagged(request, answer)

    @extend_schema(operation_id="artifacts_patch", request=ArtifactFacts, responses=ArtifactShown)
    def patch(self, request: Request, artifact: str) -> Response:
        """Change facts of an artifact. Needs If-Match. `tags`, if sent, replaces all tags."""
        asked = ArtifactFacts(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        owner_of(request, fields)
        with transaction.atomic():
            found = changeable(asking(request), artifact)
            Artifact.objects.select_for_update().get(pk=found.pk)
            before = shown(found)
            check_match(request, before, required=True)
            change(found, fields)
            answer = shown(found)
            record(request, Act.ARTIFACT_CHANGE, subject=found, before=before, after=answer)
        return tagged(request, answer)


def change(artifact: Artifact, fields: dict[str, Any]) -> None:
    """Write changed facts; tags are replaced as a whole."""
    if "tags" in fields:
        artifact.tags.all().delete()
        rows = (ArtifactTag(artifact=artifact, key=key, value=value) for key, value in fields.pop("tags").items())
        ArtifactTag.objects.bulk_create(rows)
    Artifact.objects.filter(pk=artifact.pk).update(**fields, updated_ms=now_ms())


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
        found = fetch_alias(artifacts_for(asking(request)).fetch(artifact), alias)
        return tagged(request, AliasShown(found).data)

    @extend_schema(operation_id="aliases_put", request=AliasNew, responses={200: AliasShown, 201: AliasShown})
    def put(self, request: Request, artifact: str, alias: str) -> Response:
        """Set an alias. Moving one that points elsewhere needs If-Match."""
        asked = AliasNew(data=request.data)
        asked.is_valid(raise_exception=True)
        with transaction.atomic():
            found = changeable(asking(request), artifact)
            Artifact.objects.select_for_update().get(pk=found.pk)
            version = ArtifactVersion.objects.fetch(found, asked.validated_data["version"])
            old = Alias.objects.select_related("version").filter(artifact=found, name=alias).first()
            if old is not None and old.version_id == version.pk:
                return tagged(request, AliasShown(old).data)
            if old is not None:
                check_match(request, AliasShown(old).data, required=True)
            moved, before = point(found, alias, version)
            record(
                request,
                Act.ALIAS_MOVE if before else Act.ALIAS_SET,
                object_type="Alias",
                object_id=f"{found.name}@{alias}",
                before={"version": before} if before else None,
                after={"version": str(version.number)},
            )
        return tagged(request, AliasShown(moved).data, status=200 if before else 201)

    @extend_schema(operation_id="aliases_delete", responses={204: None})
    def delete(self, request: Request, artifact: str, alias: str) -> Response:
        """Take an alias away. Needs If-Match."""
        with transaction.atomic():
            found = fetch_alias(changeable(asking(request), artifact), alias)
            check_match(request, AliasShown(found).data, required=True)
            before = {"version": str(found.version.number)}
            name = f"{found.artifact.name}@{alias}"
            record(request, Act.ALIAS_DELETE, object_type="Alias", object_id=name, before=before)
            found.delete()
        return Response(status=204)
