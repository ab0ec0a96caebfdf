"""The registry room's admin: the trash of artifacts and versions: what lies there, until when, and back out of it."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.registry.admin.aliases import may_change
from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.scoping import trashed_artifacts, trashed_versions
from apps.registry.trash import artifacts, pruning, versions
from apps.tenants.access.people.principal import acting, looker
from maestro.admin.sites import tenant_site
from maestro.clock import from_ms, now_ms
from maestro.errors import MaestroError, NotFound

SHOWN = 200


def trash(request: HttpRequest) -> HttpResponse:
    """Artifacts in the trash, and versions there whose artifact is not; those that went last first."""
    if not request.user.has_perm("registry.view_artifact"):
        raise PermissionDenied
    who = looker(request)
    whole = trashed_artifacts(who).select_related("project").order_by("-deleted_ms", "-pk")
    alone = trashed_versions(who).filter(artifact__deleted_ms=None).select_related("artifact__project")
    found = list(whole[: SHOWN + 1])
    parts = list(alone.order_by("-deleted_ms", "-pk")[: SHOWN + 1])
    ends = pruning.goes_at([*found, *parts])
    context = {
        "title": "Trash of artifacts",
        "artifacts": [line(request, row, row, ends[row.pk]) for row in found[:SHOWN]],
        "versions": [line(request, row, row.artifact, ends[row.pk]) for row in parts[:SHOWN]],
        "shown": SHOWN,
        "is_cut": max(len(found), len(parts)) > SHOWN,
    }
    return tenant_site.page(request, "admin/registry/trash.html", context)


def line(request: HttpRequest, row: Artifact | ArtifactVersion, home: Artifact, goes_at: Any) -> dict[str, Any]:
    """A row as it is shown, and whether who looks may restore it."""
    deleted_at = from_ms(row.deleted_ms or 0)
    return {"row": row, "deleted_at": deleted_at, "goes_at": goes_at, "may_restore": may_change(request, home)}


@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    """Take an artifact or a version out of the trash, and go to its page."""
    if not looker(request).role and not looker(request).project_roles:
        raise PermissionDenied
    try:
        return HttpResponseRedirect(back_of(request))
    except MaestroError as refusal:
        messages.error(request, refusal.detail)
    return HttpResponseRedirect(reverse("admin:artifact_trash"))


def back_of(request: HttpRequest) -> str:
    """Restore what the button names. Returns the address of its page. Raises NotFound, Conflict, Forbidden."""
    thing = "version" if "version" in request.POST else "artifact"
    who, by, pk = looker(request), acting(request), identity(request.POST.get(thing, ""))
    if thing == "version":
        version = trashed_versions(who, and_others=True).select_related("artifact").filter(pk=pk).first()
        require(request, version.artifact if version else None)
        version = versions.bring_back(version, by, at_ms=now_ms())
        messages.success(request, f"{version} is back.")
        return reverse("admin:registry_artifactversion_change", args=[version.pk])
    artifact = trashed_artifacts(who, and_others=True).filter(pk=pk).first()
    require(request, artifact)
    artifact = artifacts.bring_back(artifact, by, at_ms=now_ms())
    messages.success(request, f"{artifact.name} is back, with the versions that went with it.")
    return reverse("admin:registry_artifact_change", args=[artifact.pk])


def require(request: HttpRequest, artifact: Artifact | None) -> None:
    """Raise NotFound for what is out of reach, PermissionDenied for who may not change it."""
    if artifact is None:
        raise NotFound("that is not in the trash any more")
    if not may_change(request, artifact):
        raise PermissionDenied


def identity(text: str) -> uuid.UUID:
    """The id that a button carries; one that nobody has stands for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


tenant_site.add_page("artifacts/trash/", trash, "artifact_trash", by_project=True)
tenant_site.add_page("artifacts/trash/restore/", restore, "artifact_restore", by_project=True)
