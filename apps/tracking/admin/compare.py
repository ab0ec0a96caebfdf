"""The tracking room's admin: runs beside each other: what differs and what matters."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.tenants.access.standing import looker
from apps.tracking.admin.columns import as_number
from apps.tracking.admin.curves import MAX_RUNS, chosen_runs
from apps.tracking.models import LatestMetric, Param, Run, Tag
from apps.tracking.scoping import runs_for
from maestro import charts
from maestro.admin import tenant_site
from maestro.clock import from_ms

MAX_COMPARED, MAX_LINES, MAX_CURVES, MAX_AXES = 60, 600, 12, 8
Value = float | str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One param, metric or tag over the compared runs."""

    kind: str
    name: str
    values: tuple[Value, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs do not all say the same."""
        return len({repr(value) for value in self.values}) > 1

    @property
    def is_numeric(self) -> bool:
        """Whether it can be an axis: numbers, or nothing."""
        given = [value for value in self.values if value is not None]
        return bool(given) and all(isinstance(value, int | float) and math.isfinite(value) for value in given)


def lines_of(runs: Sequence[Run]) -> list[Line]:
    """Every metric, param and tag of the runs, a line each: three queries."""
    ids = [run.pk for run in runs]
    found: dict[tuple[str, str], dict[uuid.UUID, Value]] = {}
    latest = LatestMetric.objects.filter(run_id__in=ids).order_by("key__name")
    for run_id, name, value in latest.values_list("run_id", "key__name", "value")[: MAX_LINES * len(ids)]:
        found.setdefault(("metric", name), {})[run_id] = value
    for kind, model in (("param", Param), ("tag", Tag)):
        rows = model.objects.filter(run_id__in=ids).order_by("key").values_list("run_id", "key", "value")
        for run_id, name, text in rows[: MAX_LINES * len(ids)]:
            if not name.startswith("mlflow."):
                found.setdefault((kind, name), {})[run_id] = as_number(text)
    lines = [Line(kind, name, tuple(by_run.get(pk) for pk in ids)) for (kind, name), by_run in found.items()]
    return lines[:MAX_LINES]


def axes_of(request: HttpRequest, lines: Sequence[Line]) -> list[Line]:
    """The axes of the parallel coordinates: the address's, or params that differ and then metrics."""
    wanted = request.GET.getlist("axis")
    if wanted:
        return [line for line in lines if f"{line.kind}.{line.name}" in wanted][:MAX_AXES]
    params = [line for line in lines if line.kind == "param" and line.differs][: MAX_AXES - 2]
    metrics = [line for line in lines if line.kind == "metric" and line.differs][: MAX_AXES - len(params)]
    return [*params, *metrics]


def parallel_chart(runs: Sequence[Run], axes: Sequence[Line]) -> charts.Chart | None:
    """The runs over the axes, coloured by the last one."""
    if len(axes) < 2 or len(runs) < 2:
        return None
    rows = [(run.name, [axis.values[index] for axis in axes]) for index, run in enumerate(runs)]
    return charts.parallel("Params and metrics", [axis.name for axis in axes], rows, len(axes) - 1)


def scatter_chart(runs: Sequence[Run], numeric: Sequence[Line], x: str, y: str) -> charts.Chart | None:
    """One numeric line against another."""
    by_key = {f"{line.kind}.{line.name}": line for line in numeric}
    left, right = by_key.get(x), by_key.get(y)
    if left is None or right is None:
        return None
    points = [
        (run.name, a, b)
        for run, a, b in zip(runs, left.values, right.values, strict=True)
        if isinstance(a, int | float) and isinstance(b, int | float)
    ]
    return charts.scatter(f"{right.name} against {left.name}", points, x=left.name, y=right.name)


def curve_cards(runs: Sequence[Run], lines: Sequence[Line]) -> list[dict[str, Any]]:
    """One overlaid chart a metric, fetched when it is seen."""
    ids = [run.pk.hex for run in runs[:MAX_RUNS]]
    shown = [charts.Curve(run.name, []) for run in runs[:MAX_RUNS]]
    metrics = [line.name for line in lines if line.kind == "metric"][:MAX_CURVES]
    url = reverse("admin:curves")
    return [
        {
            "chart": charts.curves(name, shown),
            "id": f"curve-{index}",
            "source": f"{url}?{urlencode({'key': name, 'run': ids}, doseq=True)}",
        }
        for index, name in enumerate(metrics)
    ]


def default_axes(runs: Sequence[Run], numeric: Sequence[Line]) -> tuple[str, str]:
    """What to draw first: the goal metric of the first run's project against the first numeric param that differs."""
    varied = [line for line in numeric if line.differs and sum(value is not None for value in line.values) > 1]
    goal = runs[0].experiment.project.goal_metric if runs else ""
    metrics = sorted((line for line in varied if line.kind == "metric"), key=lambda line: line.name != goal)
    y = metrics[0] if metrics else None
    others = sorted((line for line in varied if line is not y), key=lambda line: line.kind != "param")
    x = others[0] if others else None
    return (f"{x.kind}.{x.name}" if x else "", f"{y.kind}.{y.name}" if y else "")


def compare(request: HttpRequest) -> HttpResponse:
    """`?run=…&run=…`: any runs this person may see, across experiments and projects."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    ids = chosen_runs(request.GET.getlist("run"), MAX_COMPARED)
    found = runs_for(looker(request)).select_related("experiment__project").in_bulk(ids)
    runs = [found[run_id] for run_id in ids if run_id in found]
    lines = lines_of(runs) if runs else []
    numeric = [line for line in lines if line.is_numeric]
    defaults = default_axes(runs, numeric)
    x, y = (request.GET.get(name, "") or default for name, default in zip(("x", "y"), defaults, strict=True))
    axes = axes_of(request, lines)
    context = {
        "title": "Compare",
        "is_wide": True,
        "runs": [
            {"run": run, "started_at": from_ms(run.start_ms), "color": index % 8 + 1} for index, run in enumerate(runs)
        ],
        "lines": lines,
        "same_count": sum(not line.differs for line in lines),
        "is_diff_only": request.GET.get("all") != "1",
        "numeric": [f"{line.kind}.{line.name}" for line in numeric],
        "x": x,
        "y": y,
        "parallel": parallel_chart(runs, axes),
        "scatter": scatter_chart(runs, numeric, x, y),
        "curves": curve_cards(runs, lines),
    }
    return tenant_site.page(request, "admin/tracking/compare.html", context)
