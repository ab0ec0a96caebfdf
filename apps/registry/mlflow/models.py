"""The registry room's MLflow door: registered models and their aliases."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from apps.registry import aliases, artifacts, prompts, stages
from apps.registry.artifacts import NewArtifact
from apps.registry.mlflow.base import RegistryView, read_tags, searched, version_of
from apps.registry.mlflow.notes import DeleteNote, OwnedView, SetNote
from apps.registry.mlflow.shapes import model_json, version_json
from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.scoping import artifacts_for
from apps.registry.search.lists import Asked, search_artifacts
from apps.registry.trash import artifacts as artifact_trash
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.api.permissions import asking
from maestro.clock import now_ms
from maestro.errors import Invalid, NotFound
from maestro.mlflow import fields as read
from maestro.mlflow import paging
from maestro.principals import home_of

PURPOSE = "registered-models"
MOST = 1_000


def shown(artifact: Artifact) -> dict[str, Any]:
    """Show a registered model as it is stored now."""
    fresh = Artifact.objects.prefetch_related("tags", "aliases__version").get(pk=artifact.pk)
    return {"registered_model": model_json(fresh, artifacts.latest_by_stage([fresh]).get(fresh.pk, []))}


class CreateModel(RegistryView):
    """POST registered-models/create"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Make a registered model, or the prompt that a note says it is."""
        fields = self.fields(request)
        tags = read_tags(fields, limits.REGISTRY_TAG_VALUE_CHARS)
        new = NewArtifact(
            read.text(fields, "name", limits.NAME_CHARS),
            kind=Artifact.Kind.PROMPT if prompts.is_said(tags) else Artifact.Kind.MODEL,
            description=read.text_or(fields, "description"),
            tags=tags,
            project_id=home_of(asking(request).projects, "make it over REST, which can name the project"),
        )
        return shown(artifacts.make(new, acting(request), at_ms=now_ms()))


class RenameModel(RegistryView):
    """POST registered-models/rename"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Give a model another name."""
        fields = self.fields(request)
        name = read.text(fields, "new_name", limits.NAME_CHARS)
        return shown(artifacts.rename(self.own_model(request, fields), name, acting(request), at_ms=now_ms()))


class DeleteModel(RegistryView):
    """DELETE registered-models/delete"""

    def delete(self, request: HttpRequest) -> dict[str, Any]:
        """Put a model and its versions into the trash, unless one is in use. Its name is free."""
        artifact_trash.throw_away(self.own_model(request, self.fields(request)), acting(request), at_ms=now_ms())
        return {}


class GetModel(RegistryView):
    """GET registered-models/get"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Show a model."""
        return shown(self.model(request, self.fields(request)))


class SearchModels(RegistryView):
    """GET registered-models/search"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Search models."""
        fields = self.fields(request)
        asked = Asked(
            filter=read.text_or(fields, "filter"),
            order_by=read.texts(fields, "order_by"),
            most=paging.page_size(fields, 100, MOST),
        )
        visible = artifacts_for(asking(request))
        page, token = searched(fields, asked, PURPOSE, lambda asked: search_artifacts(visible, asked))
        latest = artifacts.latest_by_stage(page.rows)
        models = [model_json(row, latest.get(row.pk, [])) for row in page.rows]
        return ({"registered_models": models} if models else {}) | token


class LatestVersions(RegistryView):
    """POST and GET registered-models/get-latest-versions"""

    required_role = {"GET": "viewer", "POST": "viewer"}

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Show the highest version of each stage."""
        fields = self.fields(request)
        found = self.model(request, fields)
        wanted = {stages.read(text) for text in read.texts(fields, "stages")}
        rows = artifacts.latest_by_stage([found]).get(found.pk, [])
        shown = [version_json(row) for row in rows if not wanted or row.stage in wanted]
        return {"model_versions": shown} if shown else {}

    post = get


class ModelRow(OwnedView):
    """A call on a registered model."""

    def own(self, request: HttpRequest, fields: dict[str, Any]) -> Artifact:
        """Fetch the model to be changed. Raises NotFound or Forbidden."""
        return self.own_model(request, fields)


class UpdateModel(ModelRow):
    """PATCH registered-models/update"""

    def patch(self, request: HttpRequest) -> dict[str, Any]:
        """Change the description."""
        fields = self.fields(request)
        facts = {"description": read.text_or(fields, "description")}
        return shown(artifacts.change(self.own(request, fields), facts, acting(request), at_ms=now_ms()))


class SetModelTag(ModelRow, SetNote):
    """POST registered-models/set-tag"""


class DeleteModelTag(ModelRow, DeleteNote):
    """DELETE registered-models/delete-tag"""


class ModelAlias(RegistryView):
    """POST, DELETE and GET registered-models/alias"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Point an alias at a version."""
        fields = self.fields(request)
        name = read.text(fields, "alias", 255)
        found = self.own_model(request, fields)
        version = version_of(found, read.text(fields, "version", 20))
        aliases.point(found, name, version, acting(request), at=timezone.now())
        return {}

    def delete(self, request: HttpRequest) -> dict[str, Any]:
        """Take an alias away; a missing one is no error."""
        fields = self.fields(request)
        name = read.text(fields, "alias", 255)
        aliases.take_away(self.own_model(request, fields), name, acting(request), at=timezone.now())
        return {}

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Show the version that an alias points at; `latest` is the highest."""
        fields = self.fields(request)
        found = self.model(request, fields)
        name = read.text(fields, "alias", 255)
        versions = ArtifactVersion.objects.for_page().filter(artifact=found).order_by("-number")
        if name.lower() == "latest":
            version = versions.first()
            if version is None:
                raise NotFound(f"Latest version not found for model {found.name}.")
        else:
            version = versions.filter(aliases__name=name).first()
            if version is None:
                raise Invalid(f"Registered model alias {name} not found.", "no_alias")
        return {"model_version": version_json(version)}
