"""The registry room's admin: a version: what is it exactly, and where does it come from."""

import uuid
from typing import Any

from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse

from apps.registry.admin import lineage, prompts
from apps.registry.admin.acts import acts_for, tags_card
from apps.registry.admin.aliases import may_change
from apps.registry.contents import files_of
from apps.registry.lineage.built_on import built_on
from apps.registry.lineage.walking import key_of
from apps.registry.models import ArtifactVersion
from apps.registry.prompts import of
from apps.tenants.access.people.admin import ByProject
from apps.tenants.access.people.principal import looker
from apps.tracking.files import archives, previews
from apps.tracking.scoping import runs_for
from maestro.admin.sites import LookOnlyAdmin, tenant_site
from maestro.clock import from_ms
from maestro.http.inline import serve, serve_archive

BUILT_SHOWN = 300


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
        """The version's files, its lineage and what was built on it."""
        views = {"file": self.file_view, "lineage": self.lineage_view, "built-on": self.built_on_view}
        own = [
            path(
                f"<uuid:pk>/{word}/",
                self.admin_site.admin_view(view),
                name=f"registry_artifactversion_{word.replace('-', '_')}",
            )
            for word, view in views.items()
        ]
        archive = self.admin_site.admin_view(self.archive_view)
        own.append(path("<uuid:pk>/archive.<str:kind>", archive, name="registry_artifactversion_archive"))
        return [*own, *super().get_urls()]

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
        who = looker(request)
        context = {
            "title": str(version),
            "version": version,
            "run": runs_for(who).filter(pk=version.run_id).first() if version.run_id else None,
            "made_at": from_ms(version.created_ms),
            "aliases": version.aliases.order_by("name"),
            "other": neighbour(version),
            "acts": acts_for(request, version),
            "tags_card": tags_card(version, may_edit=may_change(request, version.artifact)),
            "prompt": prompts.card(template) if (template := of(version)) else None,
            "files": rows,
            "file_count": count,
            "total_bytes": files_of(version).aggregate(bytes=Sum("blob__size_bytes"))["bytes"] or 0,
            "file_tree": previews.tree([(row.path, row.blob.size_bytes) for row in rows], chosen),
            "preview": previews.preview(found.path, found.blob) if found else None,
            "chosen_file": chosen,
            "file_url": reverse("admin:registry_artifactversion_file", args=[version.pk]),
            "zip_url": reverse("admin:registry_artifactversion_archive", args=[version.pk, "zip"]),
            "tar_url": reverse("admin:registry_artifactversion_archive", args=[version.pk, "tar"]),
            **lineage.on_card(key_of(version), who),
            **tenant_site.cards(request, "version", version),
        }
        return tenant_site.page(request, "admin/registry/version.html", context)

    def lineage_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the version came from, and what came of it."""
        version = self.fetch(request, pk)
        return lineage.on_page(request, key_of(version), f"Lineage of {version}", place_of(version))

    def built_on_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What was built on the version: flat, nearest first, with counts."""
        version = self.fetch(request, pk)
        found = built_on(version, looker(request))
        rows = [(one, lineage.url_of(one.thing.key)) for one in found.items[:BUILT_SHOWN]]
        context = {"title": f"Built on {version}", "version": version, "found": found, "rows": rows}
        context["projects"] = found.projects[:BUILT_SHOWN]
        return tenant_site.page(request, "admin/registry/built_on.html", context | place_of(version))

    def file_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        """One file's bytes."""
        files = files_of(self.fetch(request, pk))
        row = files.select_related("blob").filter(path=request.GET.get("path", "")).first()
        if row is None:
            raise Http404
        return serve(request, row.path, **previews.served(row.path, row.blob))

    def archive_view(self, request: HttpRequest, pk: uuid.UUID, kind: str) -> HttpResponseBase:
        """All files as one."""
        version = self.fetch(request, pk)
        name = f"{version.artifact.name}-{version.number}.{kind}"
        return serve_archive(request, name, lambda: archives.archive(kind, archives.members_of(files_of(version))))


def neighbour(version: ArtifactVersion) -> int | None:
    """The number of the version before, else of the one after; None if there is no other."""
    others = ArtifactVersion.objects.filter(artifact=version.artifact_id).values_list("number", flat=True)
    before = others.filter(number__lt=version.number).order_by("-number").first()
    return before or others.filter(number__gt=version.number).order_by("number").first()


def place_of(version: ArtifactVersion) -> dict[str, Any]:
    """Where a page about a version stands."""
    return {
        "version": version,
        "back": str(version),
        "back_url": reverse("admin:registry_artifactversion_change", args=[version.pk]),
        "list": "Artifacts",
        "list_url": reverse("admin:registry_artifact_changelist"),
    }


tenant_site.register(ArtifactVersion, ArtifactVersionAdmin)
