"""The registry room's REST door: the trash: what lies in it, and back out of it."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.api import artifacts as artifact_door
from apps.registry.api import versions as version_door
from apps.registry.api.serializers import ArtifactShown, VersionShown
from apps.registry.api.trashed import TrashedArtifact, TrashedVersion, artifacts_shown, versions_shown
from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.scoping import trashed_artifacts, trashed_versions
from apps.registry.trash import artifacts, versions
from apps.tenants.access.people.principal import acting
from maestro.api.etags import tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.clock import now_ms
from maestro.errors import NotFound


class TrashedArtifacts(GenericAPIView[Artifact]):
    """Artifacts in the trash."""

    required_role = reading_and_writing()
    serializer_class = TrashedArtifact
    page_ordering = ("-deleted_ms", "-id")

    @extend_schema(operation_id="trash_artifacts_list")
    def get(self, request: Request) -> Response:
        """List artifacts in the trash, those that went last first."""
        page = self.paginate_queryset(trashed_artifacts(asking(request)).select_related("project"))
        return self.get_paginated_response(artifacts_shown(page or []))


class TrashedVersions(GenericAPIView[ArtifactVersion]):
    """Versions in the trash whose artifacts are not."""

    required_role = reading_and_writing()
    serializer_class = TrashedVersion
    page_ordering = ("-deleted_ms", "-id")

    @extend_schema(operation_id="trash_versions_list")
    def get(self, request: Request) -> Response:
        """List versions in the trash, those that went last first."""
        found = trashed_versions(asking(request)).filter(artifact__deleted_ms=None)
        page = self.paginate_queryset(found.select_related("artifact__project"))
        return self.get_paginated_response(versions_shown(page or []))


class ArtifactRestored(GenericAPIView[Artifact]):
    """An artifact that comes back."""

    required_role = reading_and_writing()
    serializer_class = ArtifactShown

    @extend_schema(operation_id="trash_artifacts_restore", request=None, responses=ArtifactShown)
    def post(self, request: Request, trashed: uuid.UUID) -> Response:
        """Restore an artifact and the versions that went with it. A taken name is 409; a second time changes nothing."""
        found = trashed_artifacts(asking(request), and_others=True).filter(pk=trashed).first()
        if found is None:
            raise NotFound("there is no such artifact in the trash")
        return tagged(request, artifact_door.shown(artifacts.bring_back(found, acting(request), at_ms=now_ms())))


class VersionRestored(GenericAPIView[ArtifactVersion]):
    """A version that comes back."""

    required_role = reading_and_writing()
    serializer_class = VersionShown

    @extend_schema(operation_id="trash_versions_restore", request=None, responses=VersionShown)
    def post(self, request: Request, trashed_version: uuid.UUID) -> Response:
        """Restore a version under its number. 409 while its artifact is in the trash; a second time changes nothing."""
        rows = trashed_versions(asking(request), and_others=True).select_related("artifact")
        found = rows.filter(pk=trashed_version).first()
        if found is None:
            raise NotFound("there is no such version in the trash")
        return tagged(request, version_door.shown(versions.bring_back(found, acting(request), at_ms=now_ms())))
