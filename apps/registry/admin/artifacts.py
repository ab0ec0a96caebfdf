"""The registry room's admin: an artifact: is it worth reusing, and how."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apps.registry.actions import Act
from apps.registry.models import Alias, Artifact, ArtifactVersion, Usage
from apps.tenants.access.audit.admin import Acts, AuditedAdmin
from apps.tenants.access.people.admin import ChangedByProject
from apps.tenants.access.people.principal import looker
from apps.tracking.scoping import projects_for, runs_for
from maestro.admin.sites import tenant_site
from maestro.clock import from_ms
from maestro.principals import Principal

VERSIONS_SHOWN, PROJECTS_SHOWN = 50, 20


class ArtifactAdmin(ChangedByProject, AuditedAdmin):
    """The list, the form for words about it, and the artifact's own page."""

    acts = Acts(Act.ARTIFACT_CREATE, Act.ARTIFACT_CHANGE, Act.ARTIFACT_DELETE)
    list_display = ("name", "kind", "owner", "latest", "project_count")
    list_filter = ("kind", "owner")
    search_fields = ("name", "description")
    show_full_result_count = False
    fields = ("name", "kind", "owner", "description", "card")
    readonly_fields = ("name", "kind")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An artifact comes with its first version, through the API or the MLflow client."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Artifact | None = None) -> bool:
        """What others reuse does not vanish by a click."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Artifact]:
        """Artifacts with their newest version and the number of projects that use them."""
        counted = (
            super()
            .get_queryset(request)
            .annotate(newest=Max("versions__number"), projects=Count("versions__usages__project", distinct=True))
        )
        return counted.order_by("name")

    @admin.display(description="Newest", ordering="newest", empty_value="–")
    def latest(self, artifact: Any) -> str | None:
        """The newest version's number."""
        return f"v{artifact.newest}" if artifact.newest else None

    @admin.display(description="Projects", ordering="projects")
    def project_count(self, artifact: Any) -> int:
        """How many projects use it."""
        return int(artifact.projects)

    def get_urls(self) -> list[URLPattern]:
        """The form moves to /edit/, because the artifact's own page is what links lead to."""
        edit = self.admin_site.admin_view(self.edit_view)
        return [path("<uuid:pk>/edit/", edit, name="registry_artifact_edit"), *super().get_urls()]

    def edit_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The stock form."""
        return super().change_view(request, str(pk))

    def response_post_save_change(self, request: HttpRequest, obj: Artifact) -> HttpResponseRedirect:
        """After saving, back to the artifact's page."""
        return HttpResponseRedirect(reverse("admin:registry_artifact_change", args=[obj.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The artifact's page."""
        try:
            artifact = self.get_queryset(request).filter(pk=uuid.UUID(object_id)).first()
        except ValueError as error:
            raise Http404 from error
        if artifact is None or not self.has_view_permission(request, artifact):
            raise Http404
        who = looker(request)
        versions = versions_of(artifact, who)
        context = {
            "title": artifact.name,
            "artifact": artifact,
            "may_edit": self.has_change_permission(request, artifact),
            "versions": versions,
            "used_by": used_by(artifact, who),
            "snippet": snippet_for(artifact, versions),
            "tags": artifact.tags.order_by("key")[:50],
            **tenant_site.cards(request, "artifact", artifact),
        }
        return tenant_site.page(request, "admin/registry/artifact.html", context)


def versions_of(artifact: Artifact, who: Principal) -> list[dict[str, Any]]:
    """The newest versions with their aliases, how many runs used each, and the run that made it, if it is within reach."""
    rows = list(artifact.versions.annotate(uses=Count("usages")).order_by("-number")[:VERSIONS_SHOWN])
    runs = runs_for(who).in_bulk([row.run_id for row in rows if row.run_id])
    aliases: dict[Any, list[str]] = {}
    for version_id, name in Alias.objects.filter(artifact=artifact).order_by("name").values_list("version_id", "name"):
        aliases.setdefault(version_id, []).append(name)
    return [
        {
            "version": row,
            "run": runs.get(row.run_id),
            "made_at": from_ms(row.created_ms),
            "aliases": aliases.get(row.pk, []),
        }
        for row in rows
    ]


def used_by(artifact: Artifact, who: Principal) -> list[Any]:
    """The projects within reach that used any version, with how often and how they went."""
    within = Usage.objects.filter(version__artifact=artifact, project__in=projects_for(who).values("pk"))
    usages = within.values("project_id", "project__name", "project__success", "project__problem_class")
    counted = usages.annotate(uses=Count("id"), last=Max("at")).order_by("-last")
    return list(counted[:PROJECTS_SHOWN])


def snippet_for(artifact: Artifact, versions: list[dict[str, Any]]) -> str:
    """How to use it from code that trains, so that Maestro sees the use."""
    newest: ArtifactVersion | None = versions[0]["version"] if versions else None
    alias = next((row["aliases"][0] for row in versions if row["aliases"]), "")
    version = alias or (str(newest.number) if newest else "1")
    if artifact.kind == Artifact.Kind.MODEL:
        separator = "@" if alias else "/"
        return f'model = mlflow.pyfunc.load_model("models:/{artifact.name}{separator}{version}")'
    return f'mlflow.set_tag("maestro.uses", "{artifact.name}@{version}")'


tenant_site.register(Artifact, ArtifactAdmin)
