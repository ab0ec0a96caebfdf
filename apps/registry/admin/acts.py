"""The registry room's admin: what people do to an artifact or a version on its page: rename, describe, tag, archive, throw away."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from apps.registry import artifacts, notes, versions
from apps.registry.admin.aliases import may_change
from apps.registry.models import Artifact, ArtifactVersion, Usage
from apps.registry.prompts import KEPT
from apps.registry.scoping import changeable
from apps.registry.trash import artifacts as artifact_trash
from apps.registry.trash import versions as version_trash
from apps.tenants.access.people.principal import acting, looker
from maestro import limits
from maestro.admin.sites import tenant_site
from maestro.clock import now_ms
from maestro.errors import Invalid, MaestroError, NotFound

TAGS_SHOWN = 50
STATES = {"archive": ArtifactVersion.State.ARCHIVED, "unarchive": ArtifactVersion.State.READY}


def tags_card(row: Artifact | ArtifactVersion, *, may_edit: bool) -> dict[str, Any]:
    """The notes on a row, and where its form goes; without the form for who may not."""
    is_version = isinstance(row, ArtifactVersion)
    return {
        "tags": list(row.tags.exclude(key__in=KEPT).order_by("key")[:TAGS_SHOWN]),
        "may_edit": may_edit,
        "act_url": reverse("admin:version_act" if is_version else "admin:artifact_act", args=[row.pk]),
        "key_chars": limits.KEY_CHARS,
        "value_chars": limits.REGISTRY_TAG_VALUE_CHARS,
    }


def acts_for(request: HttpRequest, row: Artifact | ArtifactVersion) -> dict[str, Any] | None:
    """What somebody may do to a row, and why it can't be thrown away or archived; None for who may do nothing."""
    version = row if isinstance(row, ArtifactVersion) else None
    if not may_change(request, row.artifact if isinstance(row, ArtifactVersion) else row):
        return None
    used = Usage.objects.filter(version=row.pk) if version else Usage.objects.filter(version__artifact=row.pk)
    return {
        "url": reverse("admin:version_act" if version else "admin:artifact_act", args=[row.pk]),
        "is_used": used.exists(),
        "is_archived": version is not None and version.state == ArtifactVersion.State.ARCHIVED,
        "name_chars": limits.NAME_CHARS,
        "text_chars": limits.TEXT_CHARS,
    }


def text_of(request: HttpRequest, name: str, most: int) -> str:
    """Read a field of a form. Raises Invalid."""
    text = request.POST.get(name, "").replace("\r\n", "\n").strip()
    if len(text) > most or "\x00" in text:
        raise Invalid(f"{name} is a text of at most {most} characters", f"bad_{name}")
    return text


def note_on(request: HttpRequest, row: Artifact | ArtifactVersion) -> str:
    """Write a note, or take it off. Returns what to say. Raises Invalid."""
    key = text_of(request, "key", limits.KEY_CHARS)
    if not key:
        raise Invalid("name the tag", "bad_key")
    if request.POST.get("do") == "untag":
        notes.untag(row, [key], acting(request))
        return f"The tag {key} is gone."
    notes.tag(row, {key: text_of(request, "value", limits.REGISTRY_TAG_VALUE_CHARS)}, acting(request))
    return f"Tagged with {key}."


def own(request: HttpRequest, reference: str) -> Artifact:
    """Fetch an artifact that somebody may change. Raises NotFound, Forbidden, PermissionDenied."""
    artifact = changeable(looker(request), reference)
    if not may_change(request, artifact):
        raise PermissionDenied
    return artifact


@require_POST
def artifact_act(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Rename an artifact, put a tag on it or take one off, or throw it away."""
    back = reverse("admin:registry_artifact_change", args=[pk])
    try:
        artifact, do = own(request, str(pk)), request.POST.get("do", "")
        if do == "trash":
            gone = artifact_trash.throw_away(artifact, acting(request), at_ms=now_ms())
            messages.success(request, undo(request, f"{gone.name} is in the trash.", "artifact", gone.pk))
            back = reverse("admin:registry_artifact_changelist")
        elif do == "rename":
            name = text_of(request, "name", limits.NAME_CHARS)
            artifacts.rename(artifact, name, acting(request), at_ms=now_ms())
            messages.success(request, f"It is called {name} now.")
        elif do in ("tag", "untag"):
            messages.success(request, note_on(request, artifact))
        else:
            raise Invalid("choose what to do", "bad_act")
    except NotFound as error:
        raise Http404 from error
    except MaestroError as refusal:
        messages.error(request, refusal.detail)
    return HttpResponseRedirect(back)


@require_POST
def version_act(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Describe a version, tag it, archive it or take it out of the archive, or throw it away."""
    back = reverse("admin:registry_artifactversion_change", args=[pk])
    try:
        version, do = own_version(request, pk), request.POST.get("do", "")
        if do == "trash":
            gone = version_trash.throw_away(version, acting(request), at_ms=now_ms())
            messages.success(request, undo(request, f"{gone} is in the trash.", "version", gone.pk))
            back = reverse("admin:registry_artifact_change", args=[gone.artifact_id])
        elif do in STATES:
            versions.change(version, {"state": STATES[do]}, acting(request), at_ms=now_ms())
            messages.success(request, "It is archived." if do == "archive" else "It is ready again.")
        elif do == "describe":
            facts = {"description": text_of(request, "description", limits.TEXT_CHARS)}
            versions.change(version, facts, acting(request), at_ms=now_ms())
            messages.success(request, "The description is changed.")
        elif do in ("tag", "untag"):
            messages.success(request, note_on(request, version))
        else:
            raise Invalid("choose what to do", "bad_act")
    except NotFound as error:
        raise Http404 from error
    except MaestroError as refusal:
        messages.error(request, refusal.detail)
    return HttpResponseRedirect(back)


def own_version(request: HttpRequest, pk: uuid.UUID) -> ArtifactVersion:
    """Fetch a version that somebody may change. Raises NotFound, Forbidden, PermissionDenied."""
    version = ArtifactVersion.objects.select_related("logged_model").filter(pk=pk).first()
    if version is None:
        raise NotFound("there is no such version")
    version.artifact = own(request, str(version.artifact_id))
    return version


def undo(request: HttpRequest, said: str, thing: str, pk: uuid.UUID) -> SafeString:
    """Write a message with a button that takes the act back."""
    return format_html(
        '{} <form method="post" action="{}" class="inline-form"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<button class="link-button" name="{}" value="{}">Undo</button></form>',
        said,
        reverse("admin:artifact_restore"),
        get_token(request),
        thing,
        pk,
    )


tenant_site.add_page("artifacts/<uuid:pk>/act/", artifact_act, "artifact_act", by_project=True)
tenant_site.add_page("versions/<uuid:pk>/act/", version_act, "version_act", by_project=True)
