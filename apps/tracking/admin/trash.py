"""The tracking room's admin: the trash: what is in it, and when it goes for ever."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.tenants.access.people.principal import looker
from apps.tracking.admin.run_bulk import may
from apps.tracking.admin.run_search import MAX_COUNTED
from apps.tracking.retention import rules as retention_rules
from apps.tracking.scoping import projects_for, runs_for
from maestro.admin.sites import tenant_site
from maestro.clock import from_ms

PAGE = 200


def trash(request: HttpRequest) -> HttpResponse:
    """The runs in the trash, the newest there first, of one project if the address names it."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    runs = runs_for(looker(request)).exclude(deleted_ms=None)
    project = projects_for(looker(request)).filter(slug=request.GET.get("project", "").replace("\x00", "")).first()
    if project is not None:
        runs = runs.filter(experiment__project=project)
    rows = list(runs.select_related("experiment__project").order_by("-deleted_ms", "-pk")[:PAGE])
    projects = {run.experiment.project for run in rows}
    said = retention_rules.said_of(projects)
    rules = {one: retention_rules.combined(said, one.pk) for one in projects}
    context: dict[str, Any] = {
        "title": "Trash",
        "rows": [
            {
                "run": run,
                "deleted_at": from_ms(run.deleted_ms or 0),
                "goes_at": from_ms(run.deleted_ms or 0) + timedelta(days=rules[run.experiment.project].trash_days),
            }
            for run in rows
        ],
        "count": runs.order_by().values("pk")[: MAX_COUNTED + 1].count(),
        "most_counted": MAX_COUNTED,
        "page": PAGE,
        "project": project,
        "may_restore": may(request, "contributor"),
        "may_delete": may(request, "admin"),
    }
    return tenant_site.page(request, "admin/tracking/run_trash.html", context)
