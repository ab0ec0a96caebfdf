"""The registry room's admin: its cards on the pages of runs and projects."""

from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse

from apps.registry.models import ArtifactVersion, Usage
from apps.registry.models.usages import REUSE_AFTER_DAYS, REUSE_AFTER_MS
from apps.registry.scoping import artifacts_for
from apps.tenants.access.people.principal import looker
from apps.tracking.models import Project, Run
from apps.tracking.models.measures import FEWEST
from maestro.admin.sites import Part, tenant_site
from maestro.clock import now_ms

SHOWN = 30


def run_card(request: HttpRequest, run: Run) -> dict[str, Any] | None:
    """What the run used, and what it produced."""
    seen = artifacts_for(looker(request))
    used = list(
        Usage.objects.filter(run=run, version__artifact__in=seen)
        .select_related("version__artifact")
        .order_by("version__artifact__name")[:SHOWN]
    )
    made = list(
        ArtifactVersion.objects.filter(run=run, artifact__in=seen)
        .select_related("artifact")
        .order_by("artifact__name")[:SHOWN]
    )
    more = {"more_url": reverse("admin:run_lineage", args=[run.pk]), "more_text": "Lineage"}
    return {"used": used, "made": made, **more} if used or made else None


def project_card(request: HttpRequest, project: Project) -> dict[str, Any] | None:
    """The artifacts that the project used, with how often."""
    seen = artifacts_for(looker(request))
    rows = Usage.objects.filter(project=project, version__artifact__in=seen).values(
        "version__artifact_id", "version__artifact__name", "version__artifact__kind"
    )
    used = list(rows.annotate(uses=Count("id")).order_by("-uses", "version__artifact__name")[:SHOWN])
    if not used:
        return None
    within = Usage.objects.visible_to(looker(request).projects)
    borrowed = within.borrowed(ArtifactVersion.objects.filter(artifact__in=seen), project.pk)
    return {"used": used, "borrowed": borrowed, "fewest": FEWEST}


def reuse(request: HttpRequest, _: None) -> dict[str, Any]:
    """How much of the work reuses something, and how much of what was made a while ago is reused elsewhere."""
    runs = Run.objects.active().count()
    with_use = Usage.objects.exclude(run=None).values("run").distinct().count()
    old = Usage.objects.all().reuse(ArtifactVersion.objects.all(), before_ms=now_ms() - REUSE_AFTER_MS)
    share = with_use / runs if runs else None
    return {"runs": runs, "share": share, "old": old, "days": REUSE_AFTER_DAYS, "fewest": FEWEST}


FOLDER = "admin/registry/card_{}.html"
SEE = "registry.view_usage"
tenant_site.add_part("run", Part("Artifacts", FOLDER.format("run"), run_card, "state", 20, SEE, True))
tenant_site.add_part("project", Part("Artifacts used", FOLDER.format("project"), project_card, "state", 30, SEE, True))
tenant_site.add_part("home", Part("Reuse", FOLDER.format("reuse"), reuse, "state", 30, SEE))
