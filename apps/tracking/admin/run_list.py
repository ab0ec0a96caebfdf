"""The tracking room's admin: the run list: which run is best. The address holds the whole state of the page."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse

from apps.tracking.admin import saved_views
from apps.tracking.admin.curves import MAX_RUNS, chosen_runs
from apps.tracking.admin.run_bulk import may
from apps.tracking.admin.run_columns import as_number
from apps.tracking.admin.run_csv import file_response
from apps.tracking.admin.run_search import MAX_COUNTED, PAGE, Scope, find, scope_of
from apps.tracking.exports import rows as exports_rows
from apps.tracking.models import Project, Run
from apps.tracking.search import key_names
from apps.tracking.search.listing import KINDS, Column, parse_columns
from maestro import charts
from maestro.admin.sites import tenant_site
from maestro.clock import from_ms
from maestro.errors import Invalid

DEFAULTS = {"m": 4, "p": 4, "t": 0}
NAMES_EACH, MAX_CHOICES, MAX_WORDS, DRAWN, MAX_FIGURES = 60, 20, 60, 10, 24


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a chosen column; None where the run has none."""

    value: float | str | None
    is_metric: bool
    is_number: bool = False
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A run with the cells of the chosen columns, and how it looks in charts."""

    run: Run
    started_at: Any
    seconds: float | None
    cells: tuple[Cell, ...]
    slot: int
    is_chosen: bool
    is_hidden: bool

    @property
    def dot(self) -> str:
        """The class of its colour's dot."""
        return dot_of(self.slot)


def dot_of(slot: int) -> str:
    """A look as a class: the colour, and a ring or a square where the line is dashed or dotted."""
    shape = ("", " dot-dashed", " dot-dotted")[slot // charts.SERIES_COLORS % 3]
    return f"dot dot-{slot % charts.SERIES_COLORS + 1}{shape}"


def rows_of(
    runs: Sequence[Run],
    columns: Sequence[Column],
    values: key_names.Values,
    chosen: Sequence[uuid.UUID],
    hidden: Sequence[uuid.UUID],
) -> list[Row]:
    """Runs with their cells. Runs that are drawn together have looks of their own; the others the one they ask for."""
    drawn = charts.slots([run_id.hex for run_id in (chosen or [run.pk for run in runs[:DRAWN]])])
    return [
        Row(
            run,
            from_ms(run.start_ms),
            None if run.end_ms is None else max(run.end_ms - run.start_ms, 0) / 1000,
            tuple(cell_of(values.get((run.pk, column.key)), column) for column in columns),
            (drawn if run.pk.hex in drawn else charts.slots([run.pk.hex]))[run.pk.hex],
            run.pk in chosen,
            run.pk in hidden,
        )
        for run in runs
    ]


def cell_of(value: float | str | None, column: Column) -> Cell:
    """A metric's number, or a text as it was logged, which stands right where it is a number."""
    is_number = not isinstance(value, str) or isinstance(as_number(value), float)
    return Cell(value, column.kind == "m", is_number and value is not None)


def with_best(rows: list[Row], columns: Sequence[Column], project: Project | None) -> list[Row]:
    """Mark the best value of the project's goal metric on this page."""
    place = next((i for i, one in enumerate(columns) if project and one == Column("m", project.goal_metric)), None)
    if place is None or project is None:
        return rows
    values = [cell.value for row in rows for cell in (row.cells[place],) if isinstance(cell.value, int | float)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return rows
    best = max(finite) if project.goal_maximize else min(finite)
    return [
        replace(row, cells=tuple(replace(c, is_best=i == place and c.value == best) for i, c in enumerate(row.cells)))
        for row in rows
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
        url = with_query(request, sort=following, after="")
        made.append({"column": column, "url": url, "order": "descending" if is_down else "ascending" if is_up else ""})
    return made


def fetch_in_order(ids: Sequence[uuid.UUID]) -> list[Run]:
    """The runs of a page, in its order, with the names of what they logged."""
    found = key_names.with_names(Run.objects.select_related("experiment"), each=NAMES_EACH).in_bulk(ids)
    return [found[run_id] for run_id in ids if run_id in found]


def run_list(request: HttpRequest) -> HttpResponseBase:
    """The page, or with `format=csv` the same rows as a file."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    scope = scope_of(request)
    if (kind := request.GET.get("format", "")) in exports_rows.TYPES:
        try:
            columns = parse_columns(request.GET.getlist("c"))
            return file_response(request, scope, columns, kind)
        except Invalid as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(with_query(request, format=""))
    if url := saved_views.opening(request, scope):
        return HttpResponseRedirect(f"{request.path}{url}")
    context = page_context(request, scope) | saved_views.menu(request, scope)
    return tenant_site.page(request, "admin/tracking/run_list.html", context)


def page_context(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    """What the page shows of its runs."""
    after = request.GET.get("after", "")
    found = find(request, scope, after=after)
    page = fetch_in_order(found.ids)
    names = key_names.common(page, most=MAX_WORDS)
    columns = chosen_columns(request, names, scope.project)
    chosen, hidden = (chosen_runs(request.GET.getlist(name), PAGE) for name in ("run", "hide"))
    is_charts = request.GET.get("view") == "charts"
    values, count = key_names.values_and_count(found.ids, columns, found.counted, most=MAX_COUNTED + 1)
    rows = with_best(rows_of(page, columns, values, chosen, hidden), columns, scope.project)
    cards = tenant_site.cards(request, "experiment", scope.experiment)["work_cards"] if scope.experiment else []
    return {
        "title": "Runs",
        "work_cards": cards,
        "has_pictures": is_charts or any(card.context.get("chart") for card in cards),
        "problem": found.problem,
        "rows": rows,
        "is_charts": is_charts,
        "chosen_count": len(chosen),
        "kept_runs": [run_id.hex for run_id in chosen if run_id not in set(found.ids)],
        "hidden_runs": [run_id.hex for run_id in hidden],
        "curves": curve_cards(page, chosen, columns, names["m"]) if is_charts else [],
        "scope": scope,
        "experiment": scope.experiment,
        "project": scope.project,
        "statuses": Run.Status.values,
        "may_change": may(request, "contributor"),
        "keys_url": keys_url(scope),
        **column_context(request, columns, names),
        **pager(request, count if found.counted else None, found.following, after),
    }


def keys_url(scope: Scope) -> str:
    """Where names are asked for: those of what is looked at."""
    query: list[tuple[str, Any]] = [("experiment", experiment.pk) for experiment in scope.experiments]
    if not query and scope.project is not None:
        query = [("project", scope.project.pk)]
    return f"{reverse('admin:keys')}?{urlencode(query)}"


def column_context(request: HttpRequest, columns: Sequence[Column], names: dict[str, list[str]]) -> dict[str, Any]:
    """The heads, the picker and the words that the filter box completes."""
    sort = request.GET.get("sort", "") or "-start"
    chosen = {column.key for column in columns}
    offered = {kind: [name for name in names[kind] if f"{kind}.{name}" not in chosen][:MAX_CHOICES] for kind in KINDS}
    return {
        "sort": sort,
        "columns": columns,
        "heads": heads(request, columns, sort),
        "offered": [(kind, KINDS[kind], offered[kind]) for kind in KINDS],
        "words": [f"{KINDS[kind]}.{name}" for kind in KINDS for name in names[kind]],
        "name_url": with_query(request, sort="-name" if sort == "name" else "name", after=""),
        "start_url": with_query(request, sort="start" if sort == "-start" else "-start", after=""),
        "csv_url": with_query(request, format="csv", c="", which="")
        + "".join(f"&{urlencode({'c': c.key})}" for c in columns),
    }


def pager(request: HttpRequest, count: int | None, following: str, after: str) -> dict[str, Any]:
    """How many there are, and the pages before and after."""
    return {
        "count": count,
        "is_more": count is not None and count > MAX_COUNTED,
        "most_counted": MAX_COUNTED,
        "unfiltered_url": with_query(request, q="", status="", after="", saved="") + "&saved=",
        "first_url": with_query(request, after="") if after else "",
        "later_url": with_query(request, after=following) if following else "",
    }


def chosen_columns(request: HttpRequest, names: dict[str, list[str]], project: Project | None) -> list[Column]:
    """The address's columns, or the most common names before anything was chosen, the goal metric first."""
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
    ids = ([run_id.hex for run_id in chosen] or [run.pk.hex for run in page[:DRAWN]])[:MAX_RUNS]
    keys = ([column.name for column in columns if column.kind == "m"] or list(metrics[:6]))[:MAX_FIGURES]
    lines = [charts.Curve(run_id, []) for run_id in ids]
    url = reverse("admin:curves")
    return [
        {
            "chart": charts.curves(key, lines),
            "id": f"curve-{index}",
            "source": f"{url}?{urlencode({'key': key, 'run': ids}, doseq=True)}",
        }
        for index, key in enumerate(keys)
    ]
