"""The tracking room's admin: the run list: which run is best. The address holds the whole state of the page."""

import csv
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from apps.tracking.admin.columns import KINDS, Column, names_seen, parse_columns, values_of
from apps.tracking.admin.curves import MAX_RUNS, chosen_runs
from apps.tracking.admin.finding import PAGE, Scope, find, scope_of
from apps.tracking.models import Project, Run
from maestro import charts
from maestro.admin import tenant_site
from maestro.clock import from_ms

MAX_CSV, CSV_PAGE = 10_000, 500
DEFAULTS = {"m": 4, "p": 4, "t": 0}


@dataclass(frozen=True, slots=True)
class Row:
    """A run with the cells of the chosen columns; None where it has no such value."""

    run: Run
    started_at: Any
    seconds: float | None
    cells: tuple[tuple[str, float | str | None], ...]
    is_chosen: bool


def rows_of(runs: Sequence[Run], columns: Sequence[Column], chosen: Sequence[uuid.UUID]) -> list[Row]:
    """Runs with their cells."""
    values = values_of([run.pk for run in runs], columns)
    return [
        Row(
            run,
            from_ms(run.start_ms),
            None if run.end_ms is None else max(run.end_ms - run.start_ms, 0) / 1000,
            tuple((column.kind, values.get((run.pk, column.key))) for column in columns),
            run.pk in chosen,
        )
        for run in runs
    ]


def with_query(request: HttpRequest, **changes: str) -> str:
    """This page's address with some of its parts changed; an empty value leaves the part out."""
    query: QueryDict = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}"


def heads(request: HttpRequest, columns: Sequence[Column], sort: str) -> list[dict[str, Any]]:
    """Each chosen column's head: its name, how a click sorts, how it is sorted now."""
    made = []
    for column in columns:
        is_down, is_up = sort == f"-{column.key}", sort == column.key
        following = column.key if is_down else f"-{column.key}"
        made.append(
            {
                "column": column,
                "url": with_query(request, sort=following, after=""),
                "order": "descending" if is_down else "ascending" if is_up else "",
            }
        )
    return made


def fetch_in_order(ids: Sequence[uuid.UUID]) -> list[Run]:
    """The runs of a page, in its order."""
    found = Run.objects.select_related("experiment__project").in_bulk(ids)
    return [found[run_id] for run_id in ids if run_id in found]


def run_list(request: HttpRequest) -> HttpResponse:
    """The page, or with `format=csv` the same rows as a file."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    scope = scope_of(request)
    if request.GET.get("format") == "csv":
        return csv_response(request, scope, parse_columns(request.GET.getlist("c")))
    after = request.GET.get("after", "")
    found = find(request, scope, after=after)
    page = fetch_in_order(found.ids)
    names = names_seen(found.ids)
    columns = chosen_columns(request, names, scope.project)
    chosen = chosen_runs(request.GET.getlist("run"), PAGE)
    is_charts = request.GET.get("view") == "charts"
    sort = request.GET.get("sort", "") or "-start"
    context = {
        "title": "Runs",
        "problem": found.problem,
        "rows": rows_of(page, columns, chosen),
        "heads": heads(request, columns, sort),
        "names": [(kind, KINDS[kind], names[kind]) for kind in KINDS],
        "words": [f"{KINDS[kind]}.{name}" for kind in KINDS for name in names[kind]],
        "column_keys": {column.key for column in columns},
        "statuses": Run.Status.values,
        "sort": sort,
        "count": found.count,
        "first_url": with_query(request, after="") if after else "",
        "later_url": with_query(request, after=found.following) if found.following else "",
        "name_url": with_query(request, sort="-name" if sort == "name" else "name", after=""),
        "csv_url": with_query(request, format="csv", c="") + "".join(f"&{urlencode({'c': c.key})}" for c in columns),
        "is_charts": is_charts,
        "kept_runs": [run_id.hex for run_id in chosen if run_id not in set(found.ids)],
        "chosen_count": len(chosen),
        "curves": curve_cards(page, chosen, columns, names["m"]) if is_charts else [],
        "experiment": scope.experiment,
        "project": scope.project,
    }
    return tenant_site.page(request, "admin/tracking/run_list.html", context)


def chosen_columns(request: HttpRequest, names: dict[str, list[str]], project: Project | None) -> list[Column]:
    """The address's columns, or the most common names before anything was chosen."""
    if "cols" in request.GET or "c" in request.GET:
        return parse_columns(request.GET.getlist("c"))
    goal = project.goal_metric if project else ""
    metrics = sorted(names["m"], key=lambda name: name != goal)
    ordered_names = {**names, "m": metrics}
    return [Column(kind, name) for kind, most in DEFAULTS.items() for name in ordered_names[kind][:most]]


def curve_cards(
    page: Sequence[Run], chosen: Sequence[uuid.UUID], columns: Sequence[Column], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """A chart for each chosen metric over the selected runs, or over the first of the page."""
    ids = [run_id.hex for run_id in chosen] or [run.pk.hex for run in page[:10]]
    keys = [column.name for column in columns if column.kind == "m"] or list(metrics[:6])
    lines = [charts.Curve(str(index), []) for index in range(min(len(ids), MAX_RUNS))]
    url = reverse("admin:curves")
    return [
        {
            "chart": charts.curves(key, lines),
            "id": f"curve-{index}",
            "source": f"{url}?{urlencode({'key': key, 'run': ids[:MAX_RUNS]}, doseq=True)}",
        }
        for index, key in enumerate(keys)
    ]


class Echo:
    """A file that hands back what is written to it, for csv.writer."""

    def write(self, line: str) -> str:
        """Answer the line."""
        return line


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is made text."""
    is_formula = isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}
    return f"'{value}" if is_formula else value


def csv_lines(request: HttpRequest, scope: Scope, columns: Sequence[Column]) -> Iterator[str]:
    """The rows of the list as CSV, a page of runs at a time."""
    writer = csv.writer(Echo())
    heads = ["run_id", "name", "experiment", "status", "started", "seconds"]
    yield writer.writerow([*heads, *(column.key for column in columns)])
    after, left = "", MAX_CSV
    while left > 0:
        found = find(request, scope, most=min(left, CSV_PAGE), after=after)
        for row in rows_of(fetch_in_order(found.ids), columns, ()):
            run = row.run
            facts = [run.pk.hex, run.name, run.experiment.name, run.status, row.started_at.isoformat(), row.seconds]
            yield writer.writerow([safe_cell(value) for value in (*facts, *(value for _, value in row.cells))])
        after, left = found.following, left - len(found.ids)
        if not after:
            return


def csv_response(request: HttpRequest, scope: Scope, columns: Sequence[Column]) -> HttpResponse:
    """The list as a file, at most 10,000 runs."""
    answer = HttpResponse("".join(csv_lines(request, scope, columns)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="runs.csv"'
    return answer
