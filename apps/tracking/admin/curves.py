"""The tracking room's admin: metric curves as JSON, for the run page, lists and comparisons."""

import uuid
from collections.abc import Iterable, Sequence

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from apps.tenants.access.standing import looker
from apps.tracking.models import MetricChunk, MetricKey, MetricPoint, Run
from apps.tracking.scoping import runs_for
from maestro import charts

MAX_RUNS, MAX_TOTAL = 20, 12_000


def chosen_runs(values: Iterable[str], limit: int = MAX_RUNS) -> list[uuid.UUID]:
    """The run ids of an address, in order, once each; what is no id is left out."""
    found: dict[uuid.UUID, None] = {}
    for value in values:
        try:
            found[uuid.UUID(value)] = None
        except ValueError:
            continue
    return list(found)[:limit]


def read_series(run_ids: Sequence[uuid.UUID], key: MetricKey) -> dict[uuid.UUID, list[tuple[int, int, float]]]:
    """Every distinct (step, timestamp, value) of one metric, by run, in order of step and time."""
    series: dict[uuid.UUID, set[tuple[int, int, float]]] = {run_id: set() for run_id in run_ids}
    chunks = MetricChunk.objects.filter(run_id__in=run_ids, key=key)
    for run_id, *arrays in chunks.values_list("run_id", "steps", "timestamps_ms", "values"):
        series[run_id].update(zip(*arrays, strict=True))
    points = MetricPoint.objects.filter(run_id__in=run_ids, key=key)
    for run_id, step, timestamp_ms, value in points.values_list("run_id", "step", "timestamp_ms", "value"):
        series[run_id].add((step, timestamp_ms, value))
    return {run_id: sorted(found, key=lambda point: point[:2]) for run_id, found in series.items()}


def curve_chart(runs: Sequence[Run], key: MetricKey) -> charts.Chart:
    """One metric of some runs. Many runs share the points that a page may carry."""
    series = read_series([run.pk for run in runs], key)
    lines = [
        charts.Curve(
            run.name,
            [charts.Point(step, value, (ms - run.start_ms) / 1000) for step, ms, value in series[run.pk]],
            run.pk.hex,
            run.start_ms,
        )
        for run in runs
    ]
    limit = min(charts.MAX_POINTS, max(MAX_TOTAL // max(len(lines), 1), 200))
    return charts.curves(key.name, lines, limit=limit)


def curves(request: HttpRequest) -> JsonResponse:
    """`?key=loss&run=…&run=…`: the options of one curve chart, and whether to ask again."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    ids = chosen_runs(request.GET.getlist("run"))
    found = runs_for(looker(request)).in_bulk(ids)
    runs = [found[run_id] for run_id in ids if run_id in found]
    key = MetricKey.objects.filter(name=request.GET.get("key", "")).first()
    if key is None or not runs:
        return JsonResponse({"detail": "there is no such metric of these runs"}, status=404)
    chart = curve_chart(runs, key)
    live = any(run.status == Run.Status.RUNNING for run in runs)
    return JsonResponse({"options": chart.options, "live": live, "summary": chart.summary})
