"""The tracking room's admin: its lines of the navigation, its own pages, and how its things are found."""

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from apps.tenants.access.people.principal import looker
from apps.tracking.admin.compare import compare
from apps.tracking.admin.curves import curves
from apps.tracking.admin.exports import export_file, exports
from apps.tracking.admin.run_bulk import act
from apps.tracking.admin.run_columns import keys
from apps.tracking.admin.saved_views import views
from apps.tracking.admin.trash import trash
from apps.tracking.scoping import experiments_for
from apps.tracking.search.names import find_projects, find_runs
from maestro.admin.sites import Hit, Task, tenant_site

FEW = 8


def find(request: HttpRequest, text: str) -> Iterator[Hit]:
    """Projects, experiments and runs by name, id or its beginning, and runs by their notes; newest first."""
    who = looker(request)
    if request.user.has_perm("tracking.view_project"):
        for project in find_projects(who, text, FEW):
            yield Hit(
                "project", project.name, reverse("admin:tracking_project_change", args=[project.pk]), project.slug
            )
    if request.user.has_perm("tracking.view_experiment"):
        for experiment in experiments_for(who).active().filter(name__icontains=text)[:FEW]:
            yield Hit("experiment", experiment.name, reverse("admin:tracking_experiment_change", args=[experiment.pk]))
    if request.user.has_perm("tracking.view_run"):
        for run in find_runs(who, text, FEW):
            yield Hit("run", run.name, reverse("admin:tracking_run_change", args=[run.pk]), run.status.lower())


tenant_site.add_page("runs/act/", act, "run_act", by_project=True)
tenant_site.add_page("runs/trash/", trash, "run_trash", by_project=True)
tenant_site.add_page("runs/exports/", exports, "run_exports", by_project=True)
tenant_site.add_page("runs/exports/<uuid:export>/file/", export_file, "run_export_file", by_project=True)
tenant_site.add_page("curves/", curves, "curves", by_project=True)
tenant_site.add_page("compare/", compare, "compare", by_project=True)
tenant_site.add_page("keys/", keys, "keys", by_project=True)
tenant_site.add_page("views/", views, "saved_views", by_project=True)
tenant_site.add_task(
    Task(
        "Projects",
        "admin:tracking_project_changelist",
        "projects",
        10,
        permission="tracking.view_project",
        by_project=True,
    )
)
tenant_site.add_task(
    Task(
        "Runs",
        "admin:tracking_run_changelist",
        "runs",
        20,
        covers=(
            "admin:tracking_experiment_changelist",
            "admin:tracking_trace_changelist",
            "admin:run_act",
            "admin:run_trash",
            "admin:run_exports",
        ),
        permission="tracking.view_run",
        by_project=True,
    )
)
tenant_site.add_task(Task("Compare", "admin:compare", "compare", 30, permission="tracking.view_run", by_project=True))
tenant_site.add_task(
    Task(
        "Team",
        "admin:team",
        "team",
        60,
        covers=("admin:connections",),
        permission="tracking.view_project",
        by_project=True,
    )
)
tenant_site.add_search(find)
