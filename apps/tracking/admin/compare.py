"""The tracking room's admin: runs beside each other: what differs and what matters. The address holds all choices."""

import csv
import io
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.tenants.access.people.principal import looker
from apps.tracking.admin.compare_charts import Line, as_values, plot_of
from apps.tracking.admin.curves import MAX_RUNS, chosen_runs
from apps.tracking.admin.run_list import dot_of
from apps.tracking.exports.rows import safe_cell
from apps.tracking.models import LatestMetric, Run
from apps.tracking.runs import differences
from apps.tracking.scoping import runs_for
from apps.tracking.search import key_names
from apps.tracking.search.listing import Column
from maestro import charts
from maestro.admin.sites import tenant_site
from maestro.clock import from_ms

MAX_COMPARED, MAX_CURVES, MAX_CELLS, FEWEST_LINES, MAX_CSV_LINES, CANDIDATES = 60, 12, 800, 12, 5_000, 10


def looks_of(runs: Sequence[Run]) -> dict[uuid.UUID, int]:
    """A look for each run: those that are drawn together differ."""
    slots = charts.slots([run.pk.hex for run in runs[:MAX_RUNS]])
    return {run.pk: (slots if run.pk.hex in slots else charts.slots([run.pk.hex]))[run.pk.hex] for run in runs}


def curve_cards(runs: Sequence[Run], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One overlaid chart a metric, fetched when it is seen."""
    ids = [run.pk.hex for run in runs[:MAX_RUNS]]
    shown = [charts.Curve(run.name, [], run.pk.hex) for run in runs[:MAX_RUNS]]
    url = reverse("admin:curves")
    return [
        {
            "chart": charts.curves(name, shown),
            "id": f"curve-{index}",
            "source": f"{url}?{urlencode({'key': name, 'run': ids}, doseq=True)}",
        }
        for index, name in enumerate(metrics[:MAX_CURVES])
    ]


def candidates(run: Run) -> list[dict[str, Any]]:
    """Runs that this one may be compared with: the best of its experiment by the project's goal, else the newest."""
    project = run.experiment.project
    others = Run.objects.active().filter(experiment=run.experiment_id).exclude(pk=run.pk)
    if project.goal_metric:
        latest = LatestMetric.objects.filter(
            experiment=run.experiment_id, key__name=project.goal_metric, run__deleted_ms=None
        ).exclude(run=run.pk)
        order = "-value" if project.goal_maximize else "value"
        best = latest.exclude(value=float("nan")).order_by(order).select_related("run")[:CANDIDATES]
        found = [{"run": one.run, "value": one.value} for one in best]
        if found:
            return found
    return [{"run": one, "value": None} for one in others.order_by("-start_ms", "id")[:CANDIDATES]]


def compare(request: HttpRequest) -> HttpResponse:
    """`?run=…&run=…`: any runs this person may see, across experiments and projects."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    ids = chosen_runs(request.GET.getlist("run"), MAX_COMPARED)
    found = runs_for(looker(request)).select_related("experiment__project").in_bulk(ids)
    runs = [found[run_id] for run_id in ids if run_id in found]
    if request.GET.get("format") == "csv" and runs:
        return csv_of(request, runs)
    context = {"title": "Compare", "is_wide": True, "runs": run_heads(request, runs)}
    if runs:
        context |= table_of(request, runs) | tenant_site.cards(request, "compare", runs)
    if len(runs) == 1:
        context |= {"candidates": candidates(runs[0]), "goal": runs[0].experiment.project.goal_metric}
    return tenant_site.page(request, "admin/tracking/compare.html", context)


def run_heads(request: HttpRequest, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each run's head: its look, when it began, and the comparison without it."""
    looks = looks_of(runs)
    made = []
    for run in runs:
        query = request.GET.copy()
        query.setlist("run", [other.pk.hex for other in runs if other is not run])
        without = f"?{query.urlencode()}"
        made.append({"run": run, "started_at": from_ms(run.start_ms), "dot": dot_of(looks[run.pk]), "without": without})
    return made


def asked_of(request: HttpRequest, runs: Sequence[Run]) -> tuple[differences.Keys, str, int, int]:
    """The keys that the address asks for, its text, its page, and how many lines a page has."""
    text = request.GET.get("find", "").replace("\x00", "")[:100]
    number = request.GET.get("page", "")
    page = int(number) if number.isascii() and number.isdecimal() and len(number) < 5 else 0
    most = max(MAX_CELLS // len(runs), FEWEST_LINES)
    is_diff_only = request.GET.get("all") != "1" and len(runs) > 1
    ids = [run.pk for run in runs]
    keys = differences.keys_of(ids, differing_only=is_diff_only, most=most, skip=page * most, text=text)
    return keys, text, page, most


def table_of(request: HttpRequest, runs: Sequence[Run]) -> dict[str, Any]:
    """The table, and the charts that its lines can be drawn as."""
    keys, text, page, most = asked_of(request, runs)
    is_diff_only = request.GET.get("all") != "1" and len(runs) > 1
    plot = plot_of(request, runs)
    values = key_names.values([run.pk for run in runs], [*keys.columns, *plot.columns])
    lines = [as_values(column, runs, values, column.key in keys.differing) for column in keys.columns]
    drawn = plot.drawn(runs, lines, values, looks_of(runs))
    total = keys.differing_count if is_diff_only else keys.count
    return {
        "lines": lines,
        "find": text,
        "is_diff_only": is_diff_only,
        "same_count": keys.same_count,
        "line_count": total,
        "pages": pages(request, page, page * most + len(lines) < total),
        "csv_url": f"?{request.GET.urlencode()}&format=csv",
        "more_url": f"{reverse('admin:tracking_run_changelist')}?{chosen_query(runs)}",
        "curves": curve_cards(runs, metric_names(runs, lines)),
        **drawn,
    }


def chosen_query(runs: Sequence[Run]) -> str:
    """The run list's address with these runs ticked."""
    homes = sorted({run.experiment_id for run in runs})
    return urlencode({"experiment": homes, "run": [run.pk.hex for run in runs], "saved": ""}, doseq=True)


def metric_names(runs: Sequence[Run], lines: Sequence[Line]) -> list[str]:
    """The metrics of the table, the goal of the first run's project first."""
    goal = runs[0].experiment.project.goal_metric
    return sorted((line.name for line in lines if line.kind == "metric"), key=lambda name: name != goal)


def pages(request: HttpRequest, page: int, is_more: bool) -> dict[str, str]:
    """The addresses of the lines before and after."""
    query = request.GET.copy()
    made = {"earlier": "", "later": ""}
    for name, number in (("earlier", page - 1), ("later", page + 1)):
        if number >= 0 and (name == "earlier" or is_more):
            query["page"] = str(number)
            made[name] = f"?{query.urlencode()}"
    return made


def csv_of(request: HttpRequest, runs: Sequence[Run]) -> HttpResponse:
    """The table as a file, whole: a line for each key, a column for each run."""
    ids = [run.pk for run in runs]
    is_diff_only = request.GET.get("all") != "1" and len(runs) > 1
    keys = differences.keys_of(ids, differing_only=is_diff_only, most=MAX_CSV_LINES)
    values = key_names.values(ids, keys.columns, chars=1_000)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["kind", "name", *(safe_cell(run.name) for run in runs)])
    for column in keys.columns:
        writer.writerow(csv_line(column, ids, values))
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="comparison.csv"'
    return answer


def csv_line(
    column: Column, ids: Sequence[uuid.UUID], values: dict[tuple[uuid.UUID, str], float | str]
) -> list[object]:
    """One key over the runs."""
    return [column.kind, safe_cell(column.name), *(safe_cell(values.get((run_id, column.key))) for run_id in ids)]
