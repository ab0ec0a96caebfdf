"""The tracking room's admin: metric curves as JSON, for the run page, lists and comparisons: many in one request."""

import uuid
from collections.abc import Iterable, Sequence

import orjson
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.tenants.access.people.principal import looker
from apps.tracking.metrics import history
from apps.tracking.models import Run
from apps.tracking.scoping import runs_for
from maestro import charts, limits

MAX_RUNS, MAX_KEYS, MAX_TOTAL, FEWEST = 20, 50, 16_000, 200


def chosen_runs(values: Iterable[str], limit: int = MAX_RUNS) -> list[uuid.UUID]:
    """The run ids of an address, in order, once each; what is no id is left out."""
    found: dict[uuid.UUID, None] = {}
    for value in values:
        try:
            found[uuid.UUID(value)] = None
        except ValueError:
            continue
    return list(found)[:limit]


def curve_charts(runs: Sequence[Run], keys: Sequence[str]) -> dict[str, charts.Chart]:
    """A chart for each metric that one of the runs has. Runs and metrics share the points that an answer may carry."""
    most = max(MAX_TOTAL // max(len(runs) * len(keys), 1), FEWEST)
    series = history.curves([run.pk for run in runs], keys, most=min(most, limits.CURVE_POINTS))
    found = {key for _, key in series}
    return {
        key: charts.curves(key, [curve_of(run, series.get((run.pk, key))) for run in runs])
        for key in keys
        if key in found
    }


def curve_of(run: Run, points: history.Points | None) -> charts.Curve:
    """A run's line; one that never logged the metric keeps its place in the legend without points."""
    if points is None:
        return charts.Curve(run.name, [], run.pk.hex, run.start_ms)
    columns = zip(list(points.steps), list(points.values), list(points.times), strict=True)
    drawn = [charts.Point(int(step), float(value), (int(ms) - run.start_ms) / 1000) for step, value, ms in columns]
    return charts.Curve(run.name, drawn, run.pk.hex, run.start_ms)


def curves(request: HttpRequest) -> HttpResponse:
    """`?key=loss&key=auc&run=…&run=…`: the options of a chart for each metric, and whether to ask again."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    ids = chosen_runs(request.GET.getlist("run"))
    keys = [key for key in dict.fromkeys(request.GET.getlist("key")) if "\x00" not in key][:MAX_KEYS]
    found = runs_for(looker(request)).in_bulk(ids)
    runs = [found[run_id] for run_id in ids if run_id in found]
    made = curve_charts(runs, keys) if runs and keys else {}
    if not made:
        return JsonResponse({"detail": "there is no such metric of these runs"}, status=404)
    live = any(run.status == Run.Status.RUNNING for run in runs)
    shown = {key: {"options": chart.options, "summary": chart.summary} for key, chart in made.items()}
    return HttpResponse(orjson.dumps({"charts": shown, "live": live}), content_type="application/json")
