"""The registry room's admin: an artifact's aliases: where they point, what protects them, moved and rolled back."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.registry import aliases
from apps.registry.gates import promotions, rules
from apps.registry.models import Alias, AliasMove, Artifact, ArtifactVersion, Gate, Promotion, Target
from apps.registry.scoping import changeable
from apps.tenants.access.people.principal import acting, looker
from maestro import limits
from maestro.admin.sites import Part, tenant_site
from maestro.errors import Conflict, Invalid, MaestroError
from maestro.principals import RANK

VERSIONS_OFFERED, MOVES_SHOWN, WAITING_SHOWN = 50, 12, 10


def may_change(request: HttpRequest, artifact: Artifact) -> bool:
    """Say whether somebody may move an artifact's aliases: the contributors of its home."""
    who = looker(request)
    if who.projects is not None and artifact.project_id not in who.projects:
        return False
    role = who.project_roles.get(artifact.project_id, "") if artifact.project_id else ""
    return max(RANK.get(who.role, -1), RANK.get(role, -1)) >= RANK["contributor"]


def aliases_card(request: HttpRequest, artifact: Artifact) -> dict[str, Any]:
    """Where an artifact's aliases point, what waits, and what moved."""
    gates = list(Gate.objects.over(artifact))
    rows = Alias.objects.select_related("version").filter(artifact=artifact).order_by("name")
    named = [(row, [one.name for one in gates if one.protects(Target("alias", row.name))]) for row in rows]
    versions = ArtifactVersion.objects.ready().filter(artifact=artifact).order_by("-number")[:VERSIONS_OFFERED]
    return {
        "artifact": artifact,
        "rows": named,
        "protected": sorted({name for gate in gates for name in (*gate.aliases, *gate.stages)}),
        "waiting": Promotion.objects.for_page().waiting().filter(artifact=artifact)[:WAITING_SHOWN],
        "moves": AliasMove.objects.filter(artifact=artifact)[:MOVES_SHOWN],
        "versions": versions if may_change(request, artifact) else [],
        "stages": rules.STAGES,
        "why_chars": limits.WHY_CHARS,
    }


@require_POST
def act(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Move an alias, roll it back or take it away; what is protected is asked for."""
    if not looker(request).role and not looker(request).project_roles:
        raise PermissionDenied
    back = reverse("admin:registry_artifact_change", args=[pk])
    try:
        artifact = changeable(looker(request), str(pk))
        if not may_change(request, artifact):
            raise PermissionDenied
        found = carry_out(request, artifact)
    except MaestroError as refusal:
        messages.error(request, refusal.detail)
        return HttpResponseRedirect(back)
    return HttpResponseRedirect(found or back)


def carry_out(request: HttpRequest, artifact: Artifact) -> str:
    """Do what the form says. Returns the address of a promotion that waits. Raises Invalid, Conflict, Forbidden, NotFound."""
    fields, by, now = request.POST, acting(request), timezone.now()
    why, seen = fields.get("why", "").strip().replace("\x00", "")[: limits.WHY_CHARS], fields.get("seen", "")

    def guard(held: Alias) -> None:
        if str(held.version.number) != seen:
            raise Conflict(f"@{held.name} points at v{held.version.number} by now; look again", "moved")

    name = fields.get("name", "").strip().lstrip("@").replace("\x00", "")[: limits.ALIAS_CHARS]
    if fields.get("do") == "roll_back":
        alias, before = aliases.roll_back(artifact, name, by, at=now, why=why, guard=guard)
        messages.success(request, f"@{name} points at v{alias.version.number} again, and at v{before} no more.")
        return ""
    if fields.get("do") == "take_away":
        aliases.take_away(artifact, name, by, at=now, why=why, guard=guard)
        messages.success(request, f"@{name} is gone.")
        return ""
    return promote(request, artifact, name, why)


def promote(request: HttpRequest, artifact: Artifact, name: str, why: str) -> str:
    """Move an alias or stage, or ask for it. Returns the address of what waits."""
    number, stage = request.POST.get("version", ""), request.POST.get("stage", "")
    if not number.isascii() or not number.isdecimal():
        raise Invalid("choose a version", "bad_version")
    rows = ArtifactVersion.objects.select_related("artifact", "logged_model")
    version = rows.fetch(artifact, number)
    target = promotions.read_target(alias="" if stage else name, stage=stage)
    made = promotions.move_or_ask(version, target, acting(request), at=timezone.now(), why=why)
    if made is not None and made.state == Promotion.State.WAITING:
        messages.success(request, f"v{number} waits for approval to get {target}.")
        return reverse("admin:registry_promotion_change", args=[made.pk])
    messages.success(request, f"v{number} has {target} now.")
    return ""


tenant_site.add_part(
    "artifact",
    Part(
        "Aliases", "admin/registry/card_aliases.html", aliases_card, "work", 10, "registry.view_alias", by_project=True
    ),
)
tenant_site.add_page("artifacts/<uuid:pk>/aliases/", act, "alias_act", by_project=True)
