"""The registry room's admin: a version: what is it exactly, and where does it come from."""

import uuid
from typing import Any

from django.db.models import Sum
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
        chosen = request.GET.get("file", "")
        rows, count, found = previews.files_shown(files_of(version), chosen)
        focus, who = ("v", version.pk), looker(request)
        context = {
            "title": str(version),
            "version": version,
            "run": runs_for(who).filter(pk=version.run_id).first() if version.run_id else None,
            "made_at": from_ms(version.created_ms),
            "aliases": version.aliases.order_by("name"),
            "tags": version.tags.order_by("key")[:50],
            "files": rows,
            "file_count": count,
            "uses": version.usages.count(),
            "fan": lineage.FAN,
            "total_bytes": files_of(version).aggregate(bytes=Sum("blob__size_bytes"))["bytes"] or 0,
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
        files = files_of(self.fetch(request, pk))
        row = files.select_related("blob").filter(path=request.GET.get("path", "")).first()
        if row is None:
            raise Http404
        return serve(request, row.path, **previews.served(row.path, row.blob))


def files_of(version: ArtifactVersion) -> Any:
    """The version's own files, or those of the logged model that it registers."""
    own = VersionFile.objects.filter(version=version)
    if version.logged_model is None or own.exists():
        return own
    return LoggedModelFile.objects.filter(model=version.logged_model)


tenant_site.register(ArtifactVersion, ArtifactVersionAdmin)
