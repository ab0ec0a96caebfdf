"""The registry room's admin: its cards on the pages of runs and projects."""

from typing import Any

from django.db.models import Count
from django.http import HttpRequest

from apps.registry.models import ArtifactVersion, Usage
from apps.registry.scoping import artifacts_for
from apps.tenants.access.people.principal import looker
from apps.tracking.models import Project, Run
from maestro.admin.sites import Part, tenant_site

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
    return {"used": used, "made": made} if used or made else None


def project_card(request: HttpRequest, project: Project) -> dict[str, Any] | None:
    """The artifacts that the project used, with how often."""
    seen = artifacts_for(looker(request))
    rows = Usage.objects.filter(project=project, version__artifact__in=seen).values(
        "version__artifact_id", "version__artifact__name", "version__artifact__kind"
    )
    used = list(rows.annotate(uses=Count("id")).order_by("-uses", "version__artifact__name")[:SHOWN])
    return {"used": used} if used else None


def reuse(request: HttpRequest, _: None) -> dict[str, Any]:
    """How much of the work reuses something."""
    runs = Run.objects.active().count()
    with_use = Usage.objects.exclude(run=None).values("run").distinct().count()
    return {"runs": runs, "with_use": with_use, "share": with_use / runs if runs else None}


FOLDER = "admin/registry/card_{}.html"
SEE = "registry.view_usage"
tenant_site.add_part("run", Part("Artifacts", FOLDER.format("run"), run_card, "state", 20, SEE, True))
tenant_site.add_part("project", Part("Artifacts used", FOLDER.format("project"), project_card, "state", 30, SEE, True))
tenant_site.add_part("home", Part("Reuse", FOLDER.format("reuse"), reuse, "state", 30, SEE))
