"""The registry room's MLflow door: model versions."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from apps.registry import stages, versions
from apps.registry.mlflow.base import RegistryView, read_tags, run_or_none, searched, version_of
from apps.registry.mlflow.logged import model_for
from apps.registry.mlflow.notes import DeleteNote, OwnedView, SetNote
from apps.registry.mlflow.shapes import version_json
from apps.registry.models import ArtifactVersion
from apps.registry.scoping import artifacts_for
from apps.registry.search.lists import Asked, search_versions
from apps.registry.trash import versions as version_trash
from apps.registry.usages import RUN_HEADER, note_download
from apps.registry.versions import NewVersion
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.api.permissions import asking
from maestro.clock import now_ms
from maestro.mlflow import fields as read
from maestro.mlflow import paging

PURPOSE = "model-versions"
MOST = 200_000


def shown(version: ArtifactVersion) -> dict[str, Any]:
    """Show a version as it is stored now."""
    return {"model_version": version_json(ArtifactVersion.objects.for_page().get(pk=version.pk))}


class VersionView(RegistryView):
    """A call that names a model and a version of it."""

    def version(self, request: HttpRequest, fields: dict[str, Any]) -> ArtifactVersion:
        """Fetch the version. Raises NotFound."""
        return version_of(self.model(request, fields), self.number(fields))

    def own_version(self, request: HttpRequest, fields: dict[str, Any]) -> ArtifactVersion:
        """Fetch a version to be changed. Raises NotFound or Forbidden."""
        return version_of(self.own_model(request, fields), self.number(fields))

    def number(self, fields: dict[str, Any]) -> str:
        """Read the version, which travels as text or as a number."""
        value = fields.get("version")
        return (
            str(value) if isinstance(value, int) and not isinstance(value, bool) else read.text(fields, "version", 20)
        )


class CreateVersion(RegistryView):
    """POST model-versions/create"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Make the next version of a model."""
        fields = self.fields(request)
        source = read.text(fields, "source", 2_000)
        run_id = read.text_or(fields, "run_id", most=64)
        model_id = read.text_or(fields, "model_id", most=64)
        found = self.own_model(request, fields)
        new = NewVersion(
            source=source,
            run=run_or_none(request, run_id),
            run_hex=run_id,
            model=model_for(request, model_id) if model_id else None,
            description=read.text_or(fields, "description"),
            run_link=read.text_or(fields, "run_link", most=2_000),
            tags=read_tags(fields, limits.REGISTRY_TAG_VALUE_CHARS),
        )
        made, _ = versions.make(found, new, acting(request), at_ms=now_ms())
        return shown(made)


class TransitionStage(VersionView):
    """POST model-versions/transition-stage"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Move a version to a stage."""
        fields = self.fields(request)
        archive = fields.get("archive_existing_versions", False)
        if not isinstance(archive, bool):
            raise read.refuse("archive_existing_versions", archive, "it must be true or false")
        found, stage = self.own_version(request, fields), stages.read(read.text(fields, "stage", 60))
        return shown(stages.move(found, stage, acting(request), at_ms=now_ms(), archive_others=archive))


class DeleteVersion(VersionView):
    """DELETE model-versions/delete"""

    def delete(self, request: HttpRequest) -> dict[str, Any]:
        """Put a version into the trash, without its aliases, unless it is in use."""
        version_trash.throw_away(self.own_version(request, self.fields(request)), acting(request), at_ms=now_ms())
        return {}


class GetVersion(VersionView):
    """GET model-versions/get"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Show a version."""
        return {"model_version": version_json(self.version(request, self.fields(request)))}


class GetDownloadUri(VersionView):
    """GET model-versions/get-download-uri"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Say where a client downloads a version from. A run named in X-Maestro-Run is recorded as using it."""
        found = self.version(request, self.fields(request))
        note_download(asking(request), found, request.headers.get(RUN_HEADER), timezone.now())
        return {"artifact_uri": found.download_uri or found.source}


class SearchVersions(RegistryView):
    """GET model-versions/search"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Search versions."""
        fields = self.fields(request)
        asked = Asked(
            filter=read.text_or(fields, "filter"),
            order_by=read.texts(fields, "order_by"),
            most=paging.page_size(fields, 10_000, MOST),
        )
        visible = artifacts_for(asking(request))
        page, token = searched(fields, asked, PURPOSE, lambda asked: search_versions(visible, asked))
        return ({"model_versions": [version_json(row) for row in page.rows]} if page.rows else {}) | token


class VersionRow(VersionView, OwnedView):
    """A call on a version."""

    def own(self, request: HttpRequest, fields: dict[str, Any]) -> ArtifactVersion:
        """Fetch the version to be changed. Raises NotFound or Forbidden."""
        return self.own_version(request, fields)


class UpdateVersion(VersionRow):
    """PATCH model-versions/update"""

    def patch(self, request: HttpRequest) -> dict[str, Any]:
        """Change the description."""
        fields = self.fields(request)
        facts = {"description": read.text_or(fields, "description")}
        return shown(versions.change(self.own(request, fields), facts, acting(request), at_ms=now_ms()))


class SetVersionTag(VersionRow, SetNote):
    """POST model-versions/set-tag"""


class DeleteVersionTag(VersionRow, DeleteNote):
    """DELETE model-versions/delete-tag"""
