"""The registry room's admin: a version: what is it exactly, and where does it come from."""

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse

from apps.registry.admin import lineage
from apps.registry.models import ArtifactVersion, LoggedModelFile, VersionFile
from apps.tenants.access.people.admin import ByProject
from apps.tenants.access.people.principal import looker
from apps.tracking.files import previews
from apps.tracking.scoping import runs_for
from maestro.admin.sites import LookOnlyAdmin, tenant_site
from maestro.clock import from_ms
from maestro.http.inline import serve


class ArtifactVersionAdmin(ByProject, LookOnlyAdmin):
    """Versions never change; this shows one."""

    project_path = "artifact__project_id"
    list_display = ("artifact", "number", "state", "created_by", "digest_shown")
    list_filter = ("state", "artifact__kind")
    list_select_related = ("artifact",)
    search_fields = ("artifact__name",)

    def digest_shown(self, version: ArtifactVersion) -> str:
        """The start of the digest."""
        return version.digest[:12]

    def get_urls(self) -> list[URLPattern]:
        """The version's files."""
        view = self.admin_site.admin_view(self.file_view)
        return [path("<uuid:pk>/file/", view, name="registry_artifactversion_file"), *super().get_urls()]

    def fetch(self, request: HttpRequest, pk: str | uuid.UUID) -> ArtifactVersion:
        """The version this person may see. Raises Http404."""
        try:
            wanted = uuid.UUID(str(pk))
        except ValueError as error:
            raise Http404 from error
        rows = self.get_queryset(request).select_related("artifact", "logged_model")
        version = rows.filter(pk=wanted).first()
        if version is None or not self.has_view_permission(request, version):
            raise Http404
        return version

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The version's page."""
        version = self.fetch(request, object_id)
        rows = file_rows(version)
        chosen = request.GET.get("file", "")
        found = next((row for row in rows if row.path == chosen), None)
        focus, who = ("v", version.pk), looker(request)
        context = {
            "title": str(version),
            "version": version,
            "run": runs_for(who).filter(pk=version.run_id).first() if version.run_id else None,
            "made_at": from_ms(version.created_ms),
            "aliases": version.aliases.order_by("name"),
            "tags": version.tags.order_by("key")[:50],
            "files": rows,
            "file_count": len(rows),
            "uses": version.usages.count(),
            "fan": lineage.FAN,
            "total_bytes": sum(row.blob.size_bytes for row in rows),
            "file_tree": previews.tree([(row.path, row.blob.size_bytes) for row in rows], chosen),
            "preview": previews.preview(found.path, found.blob) if found else None,
            "chosen_file": chosen,
            "file_url": reverse("admin:registry_artifactversion_file", args=[version.pk]),
            **lineage.drawn(lineage.walk(focus), focus, who),
            **tenant_site.cards(request, "version", version),
        }
        return tenant_site.page(request, "admin/registry/version.html", context)

    def file_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        """One file's bytes."""
        wanted = request.GET.get("path", "")
        row = next((row for row in file_rows(self.fetch(request, pk)) if row.path == wanted), None)
        if row is None:
            raise Http404
        return serve(request, row.path, **previews.served(row.path, row.blob))


def file_rows(version: ArtifactVersion) -> list[VersionFile] | list[LoggedModelFile]:
    """The version's own files, or those of the logged model that it registers."""
    own = list(version.files.select_related("blob").order_by("path")[: previews.MAX_FILES])
    if own or version.logged_model is None:
        return own
    return list(version.logged_model.files.select_related("blob").order_by("path")[: previews.MAX_FILES])


tenant_site.register(ArtifactVersion, ArtifactVersionAdmin)
