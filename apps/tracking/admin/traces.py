"""The tracking room's admin: traces: which requests were slow or failed, and what happened within one of them."""

import csv
import io
import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse

from apps.tenants.access.people.admin import ByProject
from apps.tenants.access.people.principal import looker
from apps.tracking.admin.run_search import scope_of
from apps.tracking.admin.trace_list import trace_list
from apps.tracking.exports.rows import safe_cell
from apps.tracking.files import previews
from apps.tracking.models import Run, Trace
from apps.tracking.scoping import runs_for, traces_for
from apps.tracking.traces import spans, waterfall
from maestro import limits
from maestro.admin.sites import LookOnlyAdmin, Part, tenant_site
from maestro.clock import from_ms, is_uuid
from maestro.errors import MaestroError
from maestro.http.heavy import LARGE_BYTES, turn
from maestro.http.inline import serve

MOST_RUNS, MOST_SAID, MOST_NOTES, OF_A_RUN, MOST_FILES = 20, 50, 60, 6, 20
COLUMNS = ("span", "parent", "depth", "name", "kind", "state", "began_ms", "lasted_ms")


@admin.register(Trace, site=tenant_site)
class TraceAdmin(ByProject, LookOnlyAdmin):
    """Applications record their requests; people look for what went wrong."""

    project_path = "experiment__project_id"

    def get_urls(self) -> list[URLPattern]:
        """A trace's own addresses before the stock ones."""
        view = self.admin_site.admin_view
        return [
            path("<str:pk>/spans.csv", view(self.csv_view), name="tracking_trace_spans"),
            path("<str:pk>/file/", view(self.file_view), name="tracking_trace_file"),
            *super().get_urls(),
        ]

    def changelist_view(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """The list."""
        if not self.has_view_permission(request):
            raise Http404
        return trace_list(request, scope_of(request))

    def fetch(self, request: HttpRequest, pk: str) -> Trace:
        """The trace this person may see. Raises Http404."""
        wanted = pk if len(pk) <= limits.TRACE_ID_CHARS and "\x00" not in pk else ""
        trace: Trace | None = self.get_queryset(request).select_related("experiment__project").filter(pk=wanted).first()
        if trace is None or not self.has_view_permission(request, trace):
            raise Http404
        return trace

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One trace's page."""
        trace = self.fetch(request, object_id)
        find, chosen = (request.GET.get(name, "").replace("\x00", "")[:100] for name in ("find", "span"))
        said = list(trace.assessments.order_by("-created_ms", "-id")[: MOST_SAID + 1])
        files = list(trace.files.order_by("path")[:MOST_FILES])
        context = {
            "title": str(trace)[:200],
            "trace": trace,
            "begun_at": from_ms(trace.request_ms),
            "seconds": None if trace.duration_ms is None else trace.duration_ms / 1000,
            "runs": runs_of(request, trace),
            "said": [(one, waterfall.written(one.value, waterfall.PAIR_CHARS)) for one in said[:MOST_SAID]],
            "is_said_cut": len(said) > MOST_SAID,
            "tags": notes(trace.tags),
            "metadata": notes(trace.metadata),
            "files": files,
            "file_url": reverse("admin:tracking_trace_file", args=[trace.pk]),
            "find": find,
            "is_table": request.GET.get("as") == "table",
            **fallen(trace, chosen, find, has_spans=any(row.path == spans.FILE for row in files)),
        }
        return tenant_site.page(request, "admin/tracking/trace.html", context)

    def csv_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Every span as a line of a file."""
        try:
            rows = waterfall.lines(read(self.fetch(request, pk)))
        except MaestroError as refusal:
            return HttpResponse(f"{refusal.detail}.", status=refusal.status, content_type="text/plain")
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for row in rows:
            cells = (row.identity, row.parent, row.depth, row.name, row.kind, row.state, row.began_ms, row.lasted_ms)
            writer.writerow([safe_cell(cell) for cell in cells])
        answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="spans.csv"'
        return answer

    def file_view(self, request: HttpRequest, pk: str) -> HttpResponseBase:
        """One file's bytes."""
        trace = self.fetch(request, pk)
        row = trace.files.select_related("blob").filter(path=request.GET.get("path", "").replace("\x00", "")).first()
        if row is None:
            raise Http404
        return serve(request, row.path, **previews.served(row.path, row.blob))


def fallen(trace: Trace, chosen: str, find: str, *, has_spans: bool) -> dict[str, Any]:
    """The waterfall, or why there is none."""
    if not has_spans:
        return {"fall": None, "problem": ""}
    try:
        fall = waterfall.lay_out(read(trace), chosen=chosen, find=find)
    except MaestroError as refusal:
        return {"fall": None, "problem": refusal.detail}
    return {"fall": fall, "problem": ""}


def read(trace: Trace) -> list[dict[str, Any]]:
    """A trace's spans; large ones are read one after the other. Raises MaestroError."""
    if spans.weight([trace]) > LARGE_BYTES:
        turn.take()
    return spans.read(trace)


def runs_of(request: HttpRequest, trace: Trace) -> list[Run]:
    """The runs that a trace belongs to, as far as who looks may see them."""
    ids = [uuid.UUID(text) for text in trace.run_ids[:MOST_RUNS] if is_uuid(text)]
    found = runs_for(looker(request)).in_bulk(ids) if ids else {}
    return [found[run_id] for run_id in ids if run_id in found]


def notes(given: dict[str, str]) -> list[tuple[str, str]]:
    """Tags or metadata by name."""
    return sorted((str(key), str(value)) for key, value in given.items())[:MOST_NOTES]


def run_card(request: HttpRequest, run: Run) -> dict[str, Any] | None:
    """The newest traces of a run."""
    found = traces_for(looker(request)).filter(run_ids__contains=[run.pk.hex])
    rows = list(found.annotate(said=Count("assessments")).order_by("-request_ms")[:OF_A_RUN])
    if not rows:
        return None
    query = urlencode({"experiment": run.experiment_id, "run": run.pk.hex})
    return {"traces": rows, "more_url": f"{reverse('admin:tracking_trace_changelist')}?{query}"}


tenant_site.add_part(
    "run", Part("Traces", "admin/tracking/card_traces.html", run_card, "state", 10, "tracking.view_run", True)
)
