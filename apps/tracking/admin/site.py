"""The tracking room's admin: its lines of the navigation, its own pages, and how its things are found."""

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from apps.tracking.admin.columns import keys
from apps.tracking.admin.compare import compare
from apps.tracking.admin.curves import curves
from apps.tracking.admin.saved_views import views
from apps.tracking.models import Experiment, Project, Run
from maestro.admin import Hit, Task, tenant_site

FEW = 8


def find(request: HttpRequest, text: str) -> Iterator[Hit]:
    """Projects, experiments and runs whose name holds the text, newest first."""
    if request.user.has_perm("tracking.view_project"):
        for project in Project.objects.filter(name__icontains=text)[:FEW]:
            yield Hit(
                "project", project.name, reverse("admin:tracking_project_change", args=[project.pk]), project.slug
            )
    if request.user.has_perm("tracking.view_experiment"):
        for experiment in Experiment.objects.active().filter(name__icontains=text)[:FEW]:
            yield Hit("experiment", experiment.name, reverse("admin:tracking_experiment_change", args=[experiment.pk]))
    if request.user.has_perm("tracking.view_run"):
        for run in Run.objects.active().filter(name__icontains=text).order_by("-id")[:FEW]:
            yield Hit("run", run.name, reverse("admin:tracking_run_change", args=[run.pk]), run.status.lower())


tenant_site.add_page("curves/", curves, "curves")
tenant_site.add_page("compare/", compare, "compare")
tenant_site.add_page("keys/", keys, "keys")
tenant_site.add_page("views/", views, "saved_views")
tenant_site.add_task(
    Task("Projects", "admin:tracking_project_changelist", "projects", 10, permission="tracking.view_project")
)
tenant_site.add_task(
    Task(
        "Runs",
        "admin:tracking_run_changelist",
        "runs",
        20,
        covers=("admin:tracking_experiment_changelist",),
        permission="tracking.view_run",
    )
)
tenant_site.add_task(Task("Compare", "admin:compare", "compare", 30, permission="tracking.view_run"))
tenant_site.add_search(find)
