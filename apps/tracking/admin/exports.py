"""The tracking room's admin: files of runs that a worker writes, Parquet for one: asked for, looked after, downloaded."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from apps.tenants.access.people.principal import acting, looker
from apps.tracking.admin.curves import chosen_runs
from apps.tracking.admin.run_csv import CHOSEN
from apps.tracking.admin.run_search import scope_in
from apps.tracking.exports import orders
from apps.tracking.files import blobs
from apps.tracking.models import Export
from apps.tracking.runs import selection
from apps.tracking.runs.selection import Wanted
from apps.tracking.search import saved_views
from apps.tracking.search.listing import KINDS, filter_text, order_of, parse_columns
from apps.tracking.tasks import TURNS
from maestro.admin.sites import tenant_site
from maestro.errors import MaestroError
from maestro.http.streams import file_response

SHOWN, PARQUET = 50, "parquet"
CARRIED = ("q", "status", "sort", "experiment", "project", "which", "run", "c")


def own(request: HttpRequest) -> Any:
    """One's own exports: others may see less, or more."""
    return Export.objects.select_related("blob").filter(owner=saved_views.owner_of(looker(request)))


def wanted_of(request: HttpRequest, fields: QueryDict) -> Wanted:
    """The runs that are meant: those that were ticked, or what the list's filter finds, in its order."""
    homes = scope_in(request, fields).experiment_ids()
    if fields.get("which") == CHOSEN:
        ids = ", ".join(f"'{one.hex}'" for one in chosen_runs(fields.getlist("run"), selection.MOST_IDS))
        return Wanted(homes, f"attributes.run_id IN ({ids})" if ids else "attributes.run_id = 'none'")
    return Wanted(homes, filter_text(fields.get("q", ""), fields.get("status", "")), order_of(fields.get("sort", "")))


def ask(request: HttpRequest) -> str:
    """Note what is wanted and send it to a worker; what is wrong with it in words, or nothing."""
    columns = [f"{KINDS[column.kind]}.{column.name}" for column in parse_columns(request.POST.getlist("c"))]
    owner = saved_views.owner_of(looker(request))
    try:
        wanted, reach = wanted_of(request, request.POST), looker(request).projects
        orders.ask(PARQUET, wanted, columns, owner=owner, by=acting(request), reach=reach)
        TURNS.send()
    except MaestroError as refusal:
        return refusal.detail
    return ""


def exports(request: HttpRequest) -> HttpResponse:
    """One's own exports, newest first, and the question whether to write one more; with POST it is written."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    if request.method == "POST":
        if problem := ask(request):
            messages.error(request, f"No file is written: {problem}.")
        else:
            messages.success(request, "A worker writes the file; it is listed here when it is ready.")
        return HttpResponseRedirect(reverse("admin:run_exports"))
    rows = list(own(request)[:SHOWN])
    is_live = any(row.is_open for row in rows)
    if request.GET.get("poll") == "1":
        return tenant_site.poll(live=is_live, fields={f"runs-{row.pk.hex}": row.runs for row in rows if row.is_open})
    kept = [(name, value) for name in CARRIED for value in request.GET.getlist(name) if value]
    is_chosen = request.GET.get("which") == CHOSEN
    context = {
        "title": "Exports",
        "rows": rows,
        "is_live": is_live,
        "kept": kept,
        "chosen": len(chosen_runs(request.GET.getlist("run"), selection.MOST_IDS)) if is_chosen else None,
        "filter": filter_text(request.GET.get("q", ""), request.GET.get("status", "")),
        "back_url": f"{reverse('admin:tracking_run_changelist')}?{urlencode(kept)}",
    }
    return tenant_site.page(request, "admin/tracking/exports.html", context)


def export_file(request: HttpRequest, export: uuid.UUID) -> HttpResponse:
    """The bytes of one's own export."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    found = own(request).filter(pk=export).first()
    if found is None or found.blob is None:
        raise Http404
    orders.require_reach(found, looker(request).projects)
    blob = found.blob
    return file_response(  # type: ignore[return-value]  # a stream, which is an answer too
        request,
        name=f"runs.{found.format}",
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
        read=lambda start, stop: blobs.read(blob, start, stop),
    )
