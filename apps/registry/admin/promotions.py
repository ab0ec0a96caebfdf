"""The registry room's admin: a promotion: what its gates ask, what was found, and an approver's word."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.registry.gates import passage, promotions, telling
from apps.registry.models import ArtifactVersion, Evidence, Promotion
from apps.registry.scoping import artifacts_for
from apps.tenants.access.people.admin import ByProject
from apps.tenants.access.people.principal import acting, looker
from maestro import limits
from maestro.admin.sites import LookOnlyAdmin, Part, tenant_site
from maestro.errors import Conflict, MaestroError

WAITING_SHOWN = 10


@admin.register(Promotion, site=tenant_site)
class PromotionAdmin(ByProject, LookOnlyAdmin):
    """What was asked for: the list, and each one's page."""

    project_path = "artifact__project_id"
    list_display = ("version", "target_shown", "state", "asked_by", "asked_at", "ended_by")
    list_filter = ("state",)
    list_select_related = ("version__artifact", "artifact")
    search_fields = ("artifact__name", "name")

    @admin.display(description="To", ordering="name")
    def target_shown(self, promotion: Promotion) -> str:
        """The alias or stage."""
        return f"@{promotion.name}" if promotion.what == "alias" else promotion.name

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The promotion's page."""
        try:
            wanted = uuid.UUID(object_id)
        except ValueError as error:
            raise Http404 from error
        rows = self.get_queryset(request).select_related("artifact", "version__logged_model")
        promotion = rows.filter(pk=wanted).first()
        if promotion is None or not self.has_view_permission(request, promotion):
            raise Http404
        promotion.version.artifact = promotion.artifact
        now = timezone.now()
        context = {
            "title": str(promotion),
            "promotion": promotion,
            "told": telling.whole(promotion, now),
            "is_waiting": promotion.state == Promotion.State.WAITING,
            "evidence": Evidence.objects.filter(artifact=promotion.artifact_id, promotion_id=promotion.pk).first(),
            "why_chars": limits.WHY_CHARS,
            **rights(request, promotion),
        }
        return tenant_site.page(request, "admin/registry/promotion.html", context)


def rights(request: HttpRequest, promotion: Promotion) -> dict[str, Any]:
    """What somebody may do with a promotion, why not, and the digest of what they look at."""
    by, refusal = acting(request), ""
    if promotion.state != Promotion.State.WAITING:
        return {"may_speak": False, "may_withdraw": False}
    try:
        passage.require_approver(by, promotion.artifact.project_id, "who approves is an approver")
        may_speak = by.projects is None or promotion.artifact.project_id in by.projects
        promotions.require_other(promotion, by)
    except MaestroError as error:
        may_speak, refusal = False, error.detail
    verdict = passage.look(promotion.version, promotion.target, timezone.now(), promotion=promotion)
    return {
        "may_speak": may_speak,
        "why_not": refusal,
        "may_withdraw": promotion.asked_by == by.name[:250] or may_speak,
        "seen": verdict.seen,
        "is_ready": verdict.passes,
    }


@require_POST
def decide(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Take an approver's word, or take a promotion back."""
    rows = Promotion.objects.for_page().filter(artifact__in=artifacts_for(looker(request)))
    promotion, fields = rows.filter(pk=pk).first(), request.POST
    if promotion is None:
        raise Http404
    why = fields.get("why", "").strip().replace("\x00", "")[: limits.WHY_CHARS]

    def guard(held: Promotion) -> None:
        verdict = passage.look(held.version, held.target, timezone.now(), promotion=held)
        if verdict.seen != fields.get("seen"):
            raise Conflict("the version, a gate, a figure or the alias changed since you looked; look again", "changed")

    try:
        messages.success(request, spoken(request, promotion, fields.get("do", ""), why, guard))
    except MaestroError as refusal:
        messages.error(request, refusal.detail)
    return HttpResponseRedirect(reverse("admin:registry_promotion_change", args=[pk]))


def spoken(request: HttpRequest, promotion: Promotion, word: str, why: str, guard: promotions.Guard) -> str:
    """Do what the form says, and say what came of it. Raises Conflict, Forbidden, NotFound."""
    by, now = acting(request), timezone.now()
    if word == "withdraw":
        promotions.withdraw(promotion, by, at=now)
        return "Taken back."
    if word == "decline":
        promotions.decline(promotion, by, at=now, guard=guard, why=why)
        return "Declined."
    if word == "again":
        done = promotions.ask(promotion.version, promotion.target, by, at=now)
    else:
        done = promotions.approve(promotion, by, at=now, guard=guard, why=why)
    return "Done: it moved." if done.state == Promotion.State.DONE else "Your word is kept; something is still missing."


def waiting(request: HttpRequest, _: None) -> dict[str, Any] | None:
    """What waits for the word of who looks; nothing for who approves nothing."""
    by = acting(request)
    within = by.reach_with("approver")
    if within == [] or (not looker(request).role and not looker(request).project_roles):
        return None
    rows = list(promotions.waiting_for(by)[:WAITING_SHOWN])
    more = f"{reverse('admin:registry_promotion_changelist')}?state__exact=waiting"
    return {"rows": rows, "more_url": more, "more_text": "All that waits"} if rows else None


def evidence_card(request: HttpRequest, version: ArtifactVersion) -> dict[str, Any] | None:
    """What let a version through, newest first."""
    rows = Evidence.objects.filter(artifact=version.artifact_id, version_id=version.pk)[:WAITING_SHOWN]
    return {"rows": rows} if rows else None


FOLDER = "admin/registry/card_{}.html"
tenant_site.add_part(
    "version",
    Part("Gates passed", FOLDER.format("evidence"), evidence_card, "state", 10, "registry.view_evidence", True),
)
tenant_site.add_part(
    "home", Part("Waiting for you", FOLDER.format("waiting"), waiting, "work", 5, "registry.view_promotion", True)
)
tenant_site.add_page("promotions/<uuid:pk>/decide/", decide, "promotion_decide", by_project=True)
