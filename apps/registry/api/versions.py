"""The registry room's REST door: immutable versions and what may change about them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import versions
from apps.registry.api.serializers import VersionFacts, VersionNew, VersionShown
from apps.registry.api.trashed import TrashedVersion, versions_shown
from apps.registry.models import ArtifactVersion
from apps.registry.scoping import artifacts_for, changeable, run_named
from apps.registry.trash import versions as version_trash
from apps.registry.versions import Gathered, NewVersion
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.clock import now_ms

EXAMPLE = OpenApiExample(
    "one file",
    value={"files": [{"path": "pipeline.json", "text": '{"smoothing": 10}\n'}], "tags": {"author": "ana"}},
    request_only=True,
)


def shown(version: ArtifactVersion) -> dict[str, Any]:
    """Show a version as it is stored now."""
    return dict(VersionShown(ArtifactVersion.objects.for_page().get(pk=version.pk)).data)


def asked_version(request: Request, *, digest: str = "") -> NewVersion:
    """Read a version to be made, which has to have a digest if one is given."""
    asked = VersionNew(data=request.data)
    asked.is_valid(raise_exception=True)
    fields = asked.validated_data
    return NewVersion(
        files=fields["files"],
        digest=digest,
        description=fields.get("description", ""),
        tags=fields.get("tags", {}),
        run=run_named(asking(request), fields.get("run")),
    )


def gather(request: Request, artifact: str, new: NewVersion) -> Gathered:
    """Bring a new version's bytes into the store, before anything is held."""
    return versions.gather(changeable(asking(request), artifact), new, acting(request))


def create(request: Request, gathered: Gathered) -> Response:
    """Make the version unless its content is there."""
    version, made = versions.put(gathered, acting(request), at_ms=now_ms())
    return tagged(request, shown(version), status=201 if made else 200)


class VersionList(IdempotentPosts, GenericAPIView[ArtifactVersion]):
    """An artifact's versions, and new ones."""

    required_role = reading_and_writing()
    idempotency_required = True
    serializer_class = VersionShown
    page_ordering = ("-number",)
    gathered: Gathered

    @extend_schema(operation_id="versions_list")
    def get(self, request: Request, artifact: str) -> Response:
        """List an artifact's versions, newest first."""
        found = artifacts_for(asking(request)).fetch(artifact)
        page = self.paginate_queryset(ArtifactVersion.objects.for_page().filter(artifact=found))
        return self.get_paginated_response(VersionShown(page, many=True).data)

    def prepare(self, request: Request, artifact: str) -> None:
        """Bring the bytes in before the transaction of the POST: a slow store holds nothing."""
        self.gathered = gather(request, artifact, asked_version(request))

    @extend_schema(
        operation_id="versions_create",
        request=VersionNew,
        responses={200: VersionShown, 201: VersionShown},
        examples=[EXAMPLE],
    )
    def post(self, request: Request, artifact: str) -> Response:
        """Make a version of these files. Needs Idempotency-Key; content that is there already answers 200."""
        return create(request, self.gathered)


class VersionDetail(GenericAPIView[ArtifactVersion]):
    """One version, by number, digest or alias."""

    required_role = reading_and_writing()
    serializer_class = VersionShown

    def find(self, request: Request, artifact: str, version: str) -> ArtifactVersion:
        """Find the version that an address names. Raises NotFound."""
        return ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)

    @extend_schema(operation_id="versions_get")
    def get(self, request: Request, artifact: str, version: str) -> Response:
        """Show a version."""
        return tagged(request, shown(self.find(request, artifact, version)))

    @extend_schema(
        operation_id="versions_put",
        request=VersionNew,
        responses={200: VersionShown, 201: VersionShown},
        examples=[EXAMPLE],
    )
    def put(self, request: Request, artifact: str, version: str) -> Response:
        """Make the version whose files have this digest, unless it is there.

        The digest is the sha256 of the lines `<sha256>  <path>`, as sha256sum prints them, sorted by path.
        """
        return create(request, gather(request, artifact, asked_version(request, digest=version)))

    @extend_schema(operation_id="versions_patch", request=VersionFacts, responses=VersionShown)
    def patch(self, request: Request, artifact: str, version: str) -> Response:
        """Change notes or archive a version. Needs If-Match. Files never change."""
        asked = VersionFacts(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        found = ArtifactVersion.objects.fetch(changeable(asking(request), artifact), version)

        def guard(held: ArtifactVersion) -> None:
            check_match(request, shown(held), required=True)

        versions.change(found, asked.validated_data, acting(request), at_ms=now_ms(), guard=guard)
        return tagged(request, shown(found))

    @extend_schema(operation_id="versions_delete", responses={200: TrashedVersion})
    def delete(self, request: Request, artifact: str, version: str) -> Response:
        """Put a version into the trash, where it can be restored for a while. Needs If-Match; one in use is 409."""
        found = ArtifactVersion.objects.fetch(changeable(asking(request), artifact), version)

        def guard(held: ArtifactVersion) -> None:
            check_match(request, shown(held), required=True)

        gone = version_trash.throw_away(found, acting(request), at_ms=now_ms(), guard=guard)
        return Response(versions_shown([gone])[0])
