"""The tracking room's admin: the run list: which run is best. The address holds the whole state of the page."""

import csv
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.urls import reverse

from apps.tracking.admin.columns import KINDS, Column, names_seen, parse_columns, values_of
from apps.tracking.admin.curves import MAX_RUNS, chosen_runs
from apps.tracking.models import Experiment, Project, Run
from apps.tracking.models.runs import RunQuerySet
from maestro import charts
from maestro.admin import tenant_site
from maestro.clock import from_ms
from maestro.errors import Invalid

PAGE, MAX_PAGE, MAX_CSV = 50, 400, 10_000
DEFAULTS = {"m": 4, "p": 4, "t": 0}


@dataclass(frozen=True, slots=True)
class Row:
    """A run with the cells of the chosen columns; None where it has no such value."""

    run: Run
    started_at: Any
    seconds: float | None
    cells: tuple[tuple[str, float | str | None], ...]
    is_chosen: bool


def filtered(request: HttpRequest) -> tuple[RunQuerySet, str]:
    """The runs that the address asks for, and what is wrong with its filter, if anything."""
    runs = Run.objects.active()
    query = request.GET
    if query.get("experiment", "").isdecimal():
        runs = runs.filter(experiment_id=int(query["experiment"]) % 2**63)
    if is_uuid(query.get("project", "")):
        runs = runs.filter(experiment__project_id=query["project"])
    if query.get("status") in Run.Status.values:
        runs = runs.filter(status=query["status"])
    text = query.get("q", "").strip()[:2000]
    try:
        return apply_filter(runs, text), ""
    except Invalid as problem:
        return runs.none(), problem.detail


def apply_filter(runs: RunQuerySet, text: str) -> RunQuerySet:
    """Keep the runs whose name holds the text."""
    return runs.filter(name__icontains=text) if text else runs


def is_uuid(text: str) -> bool:
    """Whether an address names an id."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def ordered(runs: RunQuerySet, sort: str) -> RunQuerySet:
    """Sort by start, name or a column; by a column only runs that have it are listed, so that an index can serve."""
    descending, key = sort.startswith("-"), sort.lstrip("-")
    sign = "-" if descending else ""
    columns = parse_columns([key])
    if not columns:
        return (
            runs.order_by(f"{sign}name", "-id")
            if key == "name"
            else runs.order_by("id" if key == "start" and not descending else "-id")
        )
    column = columns[0]
    if column.kind == "m":
        return runs.filter(latest__key__name=column.name).order_by(f"{sign}latest__value", "-id")
    relation = KINDS[column.kind]
    return runs.filter(**{f"{relation}__key": column.name}).order_by(f"{sign}{relation}__value", "-id")


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
                "url": with_query(request, sort=following, page=""),
                "order": "descending" if is_down else "ascending" if is_up else "",
            }
        )
    return made


def run_list(request: HttpRequest) -> HttpResponse:
    """The page, or with `format=csv` the same rows as a file."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    matching, problem = filtered(request)
    sort = request.GET.get("sort", "-start")
    runs = ordered(matching, sort).select_related("experiment__project")
    if request.GET.get("format") == "csv":
        return csv_response(runs, parse_columns(request.GET.getlist("c")))
    number = (
        min(max(int(request.GET.get("page", "1") or 1), 1), MAX_PAGE) if request.GET.get("page", "1").isdecimal() else 1
    )
    shown = list(runs[(number - 1) * PAGE : number * PAGE + 1])
    page, has_more = shown[:PAGE], len(shown) > PAGE
    names = names_seen([run.pk for run in page])
    within = scope(request)
    columns = chosen_columns(request, names, within["project"])
    chosen = chosen_runs(request.GET.getlist("run"), MAX_PAGE)
    is_charts = request.GET.get("view") == "charts"
    context = {
        "title": "Runs",
        "is_wide": True,
        "problem": problem,
        "rows": rows_of(page, columns, chosen),
        "heads": heads(request, columns, sort),
        "names": [(kind, KINDS[kind], names[kind]) for kind in KINDS],
        "column_keys": {column.key for column in columns},
        "statuses": Run.Status.values,
        "sort": sort,
        "count": matching.count(),
        "number": number,
        "earlier_url": with_query(request, page=str(number - 1)) if number > 1 else "",
        "later_url": with_query(request, page=str(number + 1)) if has_more and number < MAX_PAGE else "",
        "csv_url": with_query(request, format="csv", c="") + "".join(f"&{urlencode({'c': c.key})}" for c in columns),
        "is_charts": is_charts,
        "kept_runs": [run_id.hex for run_id in chosen if run_id not in {run.pk for run in page}],
        "chosen_count": len(chosen),
        "curves": curve_cards(page, chosen, columns, names["m"]) if is_charts else [],
        **within,
    }
    return tenant_site.page(request, "admin/tracking/run_list.html", context)


def scope(request: HttpRequest) -> dict[str, Any]:
    """The experiment or project that the list is cut down to."""
    query = request.GET
    if query.get("experiment", "").isdecimal():
        found = Experiment.objects.select_related("project").filter(pk=int(query["experiment"]) % 2**63).first()
        return {"experiment": found, "project": found.project if found else None}
    if is_uuid(query.get("project", "")):
        return {"experiment": None, "project": Project.objects.filter(pk=query["project"]).first()}
    return {"experiment": None, "project": None}


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


def csv_lines(runs: RunQuerySet, columns: Sequence[Column]) -> Iterator[str]:
    """The rows of the list as CSV, a page of runs at a time."""
    writer = csv.writer(Echo())
    yield writer.writerow(
        ["run_id", "name", "experiment", "status", "started", "seconds", *(column.key for column in columns)]
    )
    for start in range(0, MAX_CSV, 500):
        page = list(runs[start : start + 500])
        for row in rows_of(page, columns, ()):
            run = row.run
            facts = [run.pk.hex, run.name, run.experiment.name, run.status, row.started_at.isoformat(), row.seconds]
            yield writer.writerow([safe_cell(value) for value in (*facts, *(value for _, value in row.cells))])
        if len(page) < 500:
            return


def csv_response(runs: RunQuerySet, columns: Sequence[Column]) -> StreamingHttpResponse:
    """The list as a file, at most 10,000 runs."""
    answer = StreamingHttpResponse(csv_lines(runs, columns), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="runs.csv"'
    return answer
