"""The tracking room's admin: one run: what happened here."""

import re
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse

from apps.tenants.access.people.admin import ByProject
from apps.tracking.admin.run_list import run_list
from apps.tracking.files import archives, previews
from apps.tracking.models import LatestMetric, Run, RunFile
from apps.tracking.runs import summary
from maestro import charts
from maestro.admin.sites import LookOnlyAdmin, tenant_site
from maestro.clock import from_ms
from maestro.http.inline import serve, serve_archive

MAX_CURVES, MAX_LISTED = 50, 100
HEXES = re.compile(r"[0-9a-f]{7,64}")


def curve_cards(run: Run, names: Sequence[str]) -> list[dict[str, Any]]:
    """An empty chart for each metric with more than one point; charts.js fetches the points when it is seen."""
    url = reverse("admin:curves")
    return [
        {
            "chart": charts.curves(name, [charts.Curve(run.name, [], run.pk.hex)]),
            "id": f"curve-{index}",
            "source": f"{url}?{urlencode({'key': name, 'run': run.pk.hex})}",
        }
        for index, name in enumerate(names)
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
            path("<uuid:pk>/archive.<str:kind>", view(self.archive_view), name="tracking_run_archive"),
            path("<uuid:pk>/state/", view(self.state_view), name="tracking_run_state"),
            *super().get_urls(),
        ]

    def changelist_view(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
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
        find, wanted = (request.GET.get(name, "").replace("\x00", "")[:100] for name in ("find", "metric"))
        told = summary.read(run.pk, most=MAX_LISTED, text=find, curve_text=wanted, most_curves=MAX_CURVES + 1)
        context = {
            "title": run.name,
            "run": run,
            "started_at": from_ms(run.start_ms),
            "written_at": from_ms(run.last_write_ms),
            "seconds": seconds_of(run),
            "is_live": run.status == Run.Status.RUNNING,
            "find": find,
            "metrics": told.metrics,
            "metric_filter": wanted,
            "curves": curve_cards(run, told.curves[:MAX_CURVES]),
            "is_curves_cut": len(told.curves) > MAX_CURVES,
            "params": told.params,
            "tags": told.tags,
            "environment": environment_of(told.noted),
            "note": told.noted.get("mlflow.note.content", ""),
            "datasets": told.datasets.rows,
            **self.file_context(run, request.GET.get("file", "")),
            **tenant_site.cards(request, "run", run),
        }
        return tenant_site.page(request, "admin/tracking/run.html", context)

    def file_context(self, run: Run, chosen: str) -> dict[str, Any]:
        """The tree of the run's files, and a preview of the chosen one."""
        rows, count, found = previews.files_shown(RunFile.objects.filter(run=run), chosen)
        return {
            "file_count": count,
            "file_tree": previews.tree([(row.path, row.blob.size_bytes) for row in rows], chosen),
            "preview": previews.preview(found.path, found.blob) if found else None,
            "chosen_file": chosen,
            "file_url": reverse("admin:tracking_run_file", args=[run.pk]),
            "zip_url": reverse("admin:tracking_run_archive", args=[run.pk, "zip"]),
            "tar_url": reverse("admin:tracking_run_archive", args=[run.pk, "tar"]),
        }

    def file_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        """One file's bytes."""
        run = self.fetch(request, pk)
        row = RunFile.objects.select_related("blob").filter(run=run, path=request.GET.get("path", "")).first()
        if row is None:
            raise Http404
        return serve(request, row.path, **previews.served(row.path, row.blob))

    def archive_view(self, request: HttpRequest, pk: uuid.UUID, kind: str) -> HttpResponseBase:
        """All of the run's files as one, or, with `?folder=`, those in a folder."""
        files = RunFile.objects.filter(run=self.fetch(request, pk))
        folder = request.GET.get("folder", "").replace("\x00", "")
        name = f"{pk.hex}.{kind}"
        return serve_archive(request, name, lambda: archives.archive(kind, archives.members_of(files, folder)))

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
    "mlflow.project.entryPoint": "Entry point",
    "mlflow.databricks.cluster.id": "Cluster",
}
COMMIT, PARENT, FORGES = "mlflow.source.git.commit", "mlflow.parentRunId", ("github.com", "gitlab.com")


def environment_of(tags: dict[str, str]) -> list[tuple[str, str, str]]:
    """What the client said of where it ran, in words, with the address of what can be opened."""
    urls = {COMMIT: commit_url(tags), PARENT: parent_url(tags.get(PARENT, ""))}
    return [(label, tags[key], urls.get(key, "")) for key, label in ENVIRONMENT.items() if tags.get(key)]


def commit_url(tags: dict[str, str]) -> str:
    """The commit's page on a forge that we know, if the client named one; other addresses are not made into links."""
    address = (
        tags.get("mlflow.source.git.repoURL", "").removesuffix(".git").replace("git@github.com:", "https://github.com/")
    )
    try:
        commit, parts = tags.get(COMMIT, ""), urlsplit(address)
    except ValueError:
        return ""
    is_known = parts.scheme == "https" and parts.hostname in FORGES and parts.netloc == parts.hostname
    return f"https://{parts.hostname}{parts.path}/commit/{commit}" if is_known and HEXES.fullmatch(commit) else ""


def parent_url(run_id: str) -> str:
    """The page of the run that started this one."""
    try:
        return reverse("admin:tracking_run_change", args=[uuid.UUID(run_id)])
    except ValueError:
        return ""


tenant_site.register(Run, RunAdmin)
