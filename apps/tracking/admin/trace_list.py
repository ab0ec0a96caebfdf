"""The tracking room's admin: the list of traces: the address holds its filter, its order and its page."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse

from apps.tracking.admin.run_search import Scope
from apps.tracking.models import Trace
from apps.tracking.search.listing import name_clause
from apps.tracking.search.pages import Search
from apps.tracking.traces import search
from maestro.admin.sites import tenant_site
from maestro.api.pagination import sign, unsign
from maestro.clock import from_ms, is_uuid
from maestro.errors import Invalid
from maestro.filters import Field, parse, parse_order
from maestro.filters.vocabulary import LISTED

PURPOSE = "tracking.trace_list"
PAGE, TAGS_SHOWN, MOST_WORDS = 50, 3, 40
ORDERS = {"time": "timestamp_ms", "duration": "execution_time_ms", "name": "name", "state": "status"}
WORDS_OFFERED = ("name", "status", "timestamp_ms", "execution_time_ms", "run_id", "trace_id", "client_request_id")
OURS = "mlflow."
NAMED = Field("attribute", "name", LISTED | {"CONTAINS"})
LISTED_TRACES = replace(search.VOCABULARY, attributes={**search.VOCABULARY.attributes, "name": NAMED})


@dataclass(frozen=True, slots=True)
class Line:
    """A trace of the list."""

    trace: Any
    begun_at: datetime
    seconds: float | None
    tags: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """Some traces, the place where the next ones begin, and what is wrong with the address."""

    ids: list[str]
    following: str = ""
    problem: str = ""


def filter_text(request: HttpRequest) -> str:
    """The address's filter in the grammar: bare words look for a name; the state and the run add their clauses."""
    text, state, run = (request.GET.get(name, "").strip() for name in ("q", "state", "run"))
    text = name_clause(text, LISTED_TRACES, "name")
    clauses = [f"({text})"] if text else []
    if state in Trace.State.values:
        clauses.append(f"status = '{state}'")
    if run and is_uuid(run):
        clauses.append(f"run_id = '{uuid.UUID(run).hex}'")
    return " AND ".join(clauses)


def order_of(sort: str) -> list[str]:
    """The address's order in the grammar; the newest first without one."""
    name = ORDERS.get(sort.removeprefix("-"))
    return [f"{name} {'DESC' if sort.startswith('-') else 'ASC'}"] if name else []


def find(request: HttpRequest, scope: Scope) -> Page:
    """One page of traces. A filter that does not parse is a problem to show, not a page of nothing."""
    after = request.GET.get("after", "")
    try:
        tree = parse(filter_text(request), LISTED_TRACES)
        terms = parse_order(order_of(request.GET.get("sort", "")), search.VOCABULARY)
        token = unsign(after, PURPOSE) if after else None
        ids, place = search.traces(Search(tree, terms), scope.experiment_ids(), most=PAGE, token=token)
    except Invalid as problem:
        return Page([], problem=problem.detail)
    return Page(ids, sign(place, PURPOSE) if place else "")


def lines(ids: list[str]) -> list[Line]:
    """The traces of a page, in its order, in one statement."""
    rows = Trace.objects.select_related("experiment").annotate(said=Count("assessments"))
    found = rows.defer("metadata", "response_preview").in_bulk(ids)
    return [line_of(found[one]) for one in ids if one in found]


def line_of(trace: Trace) -> Line:
    """A trace with what its maker noted; what the client notes by itself is left out."""
    own = [(key, str(value)) for key, value in sorted(trace.tags.items()) if not key.startswith(OURS)]
    seconds = None if trace.duration_ms is None else trace.duration_ms / 1000
    return Line(trace, from_ms(trace.request_ms), seconds, own[:TAGS_SHOWN])


def heads(request: HttpRequest) -> dict[str, dict[str, str]]:
    """How a click on each column's head sorts, and how it is sorted now."""
    sort = request.GET.get("sort", "") or "-time"
    made = {}
    for name in ORDERS:
        order = "descending" if sort == f"-{name}" else "ascending" if sort == name else ""
        following = name if order == "descending" or (not order and name in {"name", "state"}) else f"-{name}"
        made[name] = {"url": changed(request, sort=following, after=""), "order": order}
    return made


def changed(request: HttpRequest, **changes: str) -> str:
    """This page's address with some of its parts changed; an empty value leaves the part out."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}"


def trace_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The page."""
    found = find(request, scope)
    rows = lines(found.ids)
    noted = sorted({key for row in rows for key in row.trace.tags if not key.startswith(OURS)})[:MOST_WORDS]
    run = request.GET.get("run", "")
    context = {
        "title": "Traces",
        "is_wide": True,
        "scope": scope,
        "experiment": scope.experiment,
        "project": scope.project,
        "run_id": run if is_uuid(run) else "",
        "rows": rows,
        "problem": found.problem,
        "states": Trace.State.choices,
        "heads": heads(request),
        "words": [*WORDS_OFFERED, *(f"tags.{key}" for key in noted)],
        "unfiltered_url": changed(request, q="", state="", run="", after=""),
        "first_url": changed(request, after="") if request.GET.get("after") else "",
        "later_url": changed(request, after=found.following) if found.following else "",
    }
    return tenant_site.page(request, "admin/tracking/trace_list.html", context)
