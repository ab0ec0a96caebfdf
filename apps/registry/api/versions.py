"""The registry room's REST door: immutable versions and what may change about them."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.actions import Act
from apps.registry.api.serializers import VersionFacts, VersionNew, VersionShown
from apps.registry.models import ArtifactVersion
from apps.registry.scoping import artifacts_for, changeable, run_named
from apps.registry.versions import NewVersion, digest_of, make_version, resolve_files, set_tags
from apps.tenants.access.audit.recording import record
from apps.tenants.access.idempotency import IdempotentPosts
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.clock import now_ms
from maestro.errors import Conflict, Invalid

EXAMPLE = OpenApiExample(
    "one file",
    value={"files": [{"path": "pipeline.json", "text": '{"smoothing": 10}\n'}], "tags": {"author": "ana"}},
    request_only=True,
)


def shown(version: ArtifactVersion) -> dict[str, Any]:
    """Show a version as it is stored now."""
    return dict(VersionShown(ArtifactVersion.objects.for_page().get(pk=version.pk)).data)


def asked_version(request: Request) -> NewVersion:
    """Read a version to be made."""
    asked = VersionNew(data=request.data)
    asked.is_valid(raise_exception=True)
    fields = asked.validated_data
    return NewVersion(
        files=fields["files"],
        description=fields.get("description", ""),
        tags=fields.get("tags", {}),
        run=run_named(asking(request), fields.get("run")),
    )


def create(request: Request, artifact: str, new: NewVersion) -> Response:
    """Make the version unless its content is there, and write down who did."""
    found = changeable(asking(request), artifact)
    with transaction.atomic():
        version, made = make_version(found, new, by=asking(request), at_ms=now_ms())
        answer = shown(version)
        if made:
            record(request, Act.VERSION_CREATE, subject=version, after=answer)
    return tagged(request, answer, status=201 if made else 200)


class VersionList(IdempotentPosts, GenericAPIView[ArtifactVersion]):
    """An artifact's versions, and new ones."""

    required_role = reading_and_writing()
    idempotency_required = True
    serializer_class = VersionShown
    page_ordering = ("-number",)

    @extend_schema(operation_id="versions_list")
    def get(self, request: Request, artifact: str) -> Response:
        """List an artifact's versions, newest first."""
        found = artifacts_for(asking(request)).fetch(artifact)
        page = self.paginate_queryset(ArtifactVersion.objects.for_page().filter(artifact=found))
        return self.get_paginated_response(VersionShown(page, many=True).data)

    @extend_schema(
        operation_id="versions_create",
        request=VersionNew,
        responses={200: VersionShown, 201: VersionShown},
        examples=[EXAMPLE],
    )
    def post(self, request: Request, artifact: str) -> Response:
        """Make a version of these files. Needs Idempotency-Key; content that is there already answers 200."""
        return create(request, artifact, asked_version(request))


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
        new = asked_version(request)
        files = resolve_files(new.files, by=asking(request))
        digest = digest_of((path, blob.sha256) for path, blob in files.items())
        if digest != version:
            raise Invalid(f"these files have the digest {digest}, not {version[:100]}", "digest_mismatch")
        return create(request, artifact, new)

    @extend_schema(operation_id="versions_patch", request=VersionFacts, responses=VersionShown)
    def patch(self, request: Request, artifact: str, version: str) -> Response:
        """Change notes or archive a version. Needs If-Match. Files never change."""
        asked = VersionFacts(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        with transaction.atomic():
            found = ArtifactVersion.objects.fetch(changeable(asking(request), artifact), version)
            ArtifactVersion.objects.select_for_update().get(pk=found.pk)
            before = shown(found)
            check_match(request, before, required=True)
            if fields.get("state") == ArtifactVersion.State.ARCHIVED and before["aliases"]:
                raise Conflict("an alias points at this version; move it first", "aliased")
            if "tags" in fields:
                found.tags.all().delete()
                set_tags(found, fields.pop("tags"))
            ArtifactVersion.objects.filter(pk=found.pk).update(**fields, updated_ms=now_ms())
            answer = shown(found)
            record(request, Act.VERSION_CHANGE, subject=found, before=before, after=answer)
        return tagged(request, answer)
