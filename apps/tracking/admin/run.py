"""The tracking room's admin: one run: what happened here."""

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from apps.tenants.access.scoped_admin import ByProject
from apps.tracking import previews
from apps.tracking.admin.run_list import run_list
from apps.tracking.models import LatestMetric, MetricChunk, MetricPoint, Run, RunFile
from maestro import charts
from maestro.admin import LookOnlyAdmin, tenant_site
from maestro.clock import from_ms

MAX_CURVES, MAX_LISTED = 24, 500


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a run: its latest value, and how many points are behind it."""

    name: str
    value: float
    step: int
    points: int


def metrics_of(run: Run) -> list[Metric]:
    """Every metric's latest value and number of points, by name: three queries whatever the number of points."""
    counts: dict[int, int] = {}
    for key, count in MetricChunk.objects.filter(run=run).values_list("key").annotate(n=Sum("count")):
        counts[key] = counts.get(key, 0) + count
    for key, count in MetricPoint.objects.filter(run=run).values_list("key").annotate(n=Count("step")):
        counts[key] = counts.get(key, 0) + count
    latest = LatestMetric.objects.filter(run=run).order_by("key__name")
    rows = latest.values_list("key_id", "key__name", "value", "step")
    return [Metric(name, value, step, counts.get(key, 1)) for key, name, value, step in rows]


def curve_cards(run: Run, metrics: list[Metric], wanted: str) -> list[dict[str, Any]]:
    """An empty chart for each metric with more than one point; charts.js fetches the points when it is seen."""
    lines = [metric for metric in metrics if metric.points > 1 and wanted.lower() in metric.name.lower()]
    url = reverse("admin:curves")
    return [
        {
            "chart": charts.curves(metric.name, [charts.Curve(run.name, [])]),
            "id": f"curve-{index}",
            "source": f"{url}?{urlencode({'key': metric.name, 'run': run.pk.hex})}",
        }
        for index, metric in enumerate(lines[:MAX_CURVES])
    ]


class RunAdmin(ByProject, LookOnlyAdmin):
    """Runs are written by the code that trains; people read, compare and annotate them."""

    project_path = "experiment__project_id"
    search_fields = ("name",)

    def get_urls(self) -> list[URLPattern]:
        """The run's own addresses before the stock ones."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/file/", view(self.file_view), name="tracking_run_file"),
            path("<uuid:pk>/state/", view(self.state_view), name="tracking_run_state"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The run list."""
        return run_list(request)

    def fetch(self, request: HttpRequest, pk: str | uuid.UUID) -> Run:
        """The run this person may see. Raises Http404."""
        try:
            wanted = uuid.UUID(str(pk))
        except ValueError as error:
            raise Http404 from error
        run = self.get_queryset(request).select_related("experiment__project").filter(pk=wanted).first()
        if run is None or not self.has_view_permission(request, run):
            raise Http404
        return run

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The run page."""
        run = self.fetch(request, object_id)
        metrics = metrics_of(run)
        wanted = request.GET.get("metric", "")[:100]
        tags = dict(run.tags.order_by("key").values_list("key", "value")[:MAX_LISTED])
        context = {
            "title": run.name,
            "run": run,
            "started_at": from_ms(run.start_ms),
            "written_at": from_ms(run.last_write_ms),
            "seconds": seconds_of(run),
            "is_live": run.status == Run.Status.RUNNING,
            "metrics": metrics[:MAX_LISTED],
            "metric_count": len(metrics),
            "metric_filter": wanted,
            "curves": curve_cards(run, metrics, wanted),
            "params": run.params.order_by("key").values_list("key", "value")[:MAX_LISTED],
            "tags": {key: value for key, value in tags.items() if not key.startswith("mlflow.")},
            "environment": environment_of(tags),
            "note": tags.get("mlflow.note.content", ""),
            "inputs": run.inputs.select_related("dataset")[:50],
            **self.file_context(run, request.GET.get("file", "")),
            **tenant_site.cards(request, "run", run),
        }
        return tenant_site.page(request, "admin/tracking/run.html", context)

    def file_context(self, run: Run, chosen: str) -> dict[str, Any]:
        """The tree of the run's files, and a preview of the chosen one."""
        rows = list(RunFile.objects.filter(run=run).select_related("blob").order_by("path")[: previews.MAX_FILES])
        found = next((row for row in rows if row.path == chosen), None)
        return {
            "file_count": len(rows),
            "file_tree": previews.tree([(row.path, row.blob.size_bytes) for row in rows], chosen),
            "preview": previews.preview(found.path, found.blob) if found else None,
            "chosen_file": chosen,
            "file_url": reverse("admin:tracking_run_file", args=[run.pk]),
        }

    def file_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """One file's bytes."""
        run = self.fetch(request, pk)
        row = RunFile.objects.select_related("blob").filter(run=run, path=request.GET.get("path", "")).first()
        if row is None:
            raise Http404
        return previews.serve(row.path, row.blob, inline="inline" in request.GET)

    def state_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What of a live run's facts changes, for polling."""
        run = self.fetch(request, pk)
        return tenant_site.poll(
            live=run.status == Run.Status.RUNNING,
            fields={"status": run.status.lower(), "metrics": LatestMetric.objects.filter(run=run).count()},
        )


def seconds_of(run: Run) -> float | None:
    """How long the run took, or has taken by its last word."""
    end = run.end_ms if run.end_ms is not None else run.last_write_ms
    return max(end - run.start_ms, 0) / 1000


ENVIRONMENT = {
    "mlflow.source.git.commit": "Git commit",
    "mlflow.source.git.branch": "Git branch",
    "mlflow.source.git.repoURL": "Repository",
    "mlflow.source.name": "Source",
    "mlflow.source.type": "Source type",
    "mlflow.user": "User",
    "mlflow.parentRunId": "Parent run",
}


def environment_of(tags: dict[str, str]) -> list[tuple[str, str]]:
    """What the client said of where it ran, in words."""
    return [(label, tags[key]) for key, label in ENVIRONMENT.items() if tags.get(key)]


tenant_site.register(Run, RunAdmin)
