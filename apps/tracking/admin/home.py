"""The tracking room's admin: its cards on the home page."""

import uuid
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse

from apps.tenants.access.people.principal import looker
from apps.tracking.models import Run
from apps.tracking.scoping import projects_for, runs_for
from maestro.admin.sites import Part, tenant_site
from maestro.clock import from_ms, now_ms

FEW, RECENT_MS = 8, 7 * 86_400_000
SNIPPET = """export MLFLOW_TRACKING_URI={url}
export MLFLOW_TRACKING_TOKEN=<your key>
python -c "import mlflow; mlflow.start_run(); mlflow.log_metric('loss', 0.1)\""""


def runs_now(request: HttpRequest, _: None) -> dict[str, Any]:
    """The newest runs, those that are at work first."""
    runs = runs_for(looker(request)).active().select_related("experiment__project")
    live = list(runs.filter(status=Run.Status.RUNNING).order_by("-last_write_ms")[:FEW])
    ended = list(runs.exclude(status=Run.Status.RUNNING).order_by("-id")[: FEW - len(live)])
    return {
        "runs": [{"run": run, "started_at": from_ms(run.start_ms)} for run in [*live, *ended]],
        "snippet": SNIPPET.format(url=f"{request.scheme}://{request.get_host()}"),
        "more_url": reverse("admin:tracking_run_changelist"),
        "more_text": "All runs",
    }


def projects_now(request: HttpRequest, _: None) -> dict[str, Any]:
    """This person's projects, or the newest of all for who has none."""
    projects = projects_for(looker(request)).annotate(experiments_n=Count("experiments", distinct=True))
    mine = list(projects.filter(members__user_id=request.user.pk or 0)[:FEW])
    return {
        "projects": mine or list(projects.order_by("-created_at")[:FEW]),
        "is_mine": bool(mine),
        "more_url": reverse("admin:tracking_project_changelist"),
        "more_text": "All projects",
    }


def run_states(request: HttpRequest, _: None) -> dict[str, Any]:
    """Runs of the last days by state: what failed or went silent wants a look. Ids begin with their time."""
    since = uuid.UUID(int=(now_ms() - RECENT_MS) << 80)
    recent = runs_for(looker(request)).active().filter(pk__gte=since)
    counted = recent.values_list("status").annotate(n=Count("id")).order_by("-n")
    url = reverse("admin:tracking_run_changelist")
    return {"states": [(status.lower(), count, f"{url}?status={status}") for status, count in counted]}


FLOOR = "admin/tracking/home_{}.html"
tenant_site.add_part("home", Part("Runs now", FLOOR.format("runs"), runs_now, "work", 20, "tracking.view_run", True))
tenant_site.add_part(
    "home", Part("Projects", FLOOR.format("projects"), projects_now, "work", 30, "tracking.view_project", True)
)
tenant_site.add_part(
    "home", Part("Runs of the last 7 days", FLOOR.format("states"), run_states, "state", 20, "tracking.view_run", True)
)
