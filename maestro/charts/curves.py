"""FLOOR: metrics over steps, at most 2,000 points a line. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maestro.charts.shapes import Chart, number, series_color, slot_dash, slots, value_axis

MAX_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Point:
    """A metric's value. `seconds` counts from the run's start."""

    step: int
    value: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: a run's points of one metric."""

    name: str
    points: Sequence[Point]
    run_id: str = ""
    start_ms: int = 0


def thin(points: Sequence[Point], limit: int = MAX_POINTS) -> list[Point]:
    """At most `limit` points, keeping each bucket's least and greatest value, the first and the last point.

    NaN has no extremes: a bucket of NaN alone keeps its first point, so a gap stays visible.
    """
    if len(points) <= limit:
        return list(points)
    buckets = max((limit - 2) // 2, 1)
    inner = len(points) - 2
    kept = [0]
    for bucket in range(buckets):
        start, stop = 1 + bucket * inner // buckets, 1 + (bucket + 1) * inner // buckets
        finite = [index for index in range(start, stop) if not math.isnan(points[index].value)]
        chosen = finite or [start]
        least = min(chosen, key=lambda index: points[index].value)
        most = max(chosen, key=lambda index: points[index].value)
        kept += sorted({least, most})
    return [points[index] for index in [*kept, len(points) - 1]]


def curves(metric: str, lines: Sequence[Curve], *, limit: int = MAX_POINTS) -> Chart:
    """One metric of one or more runs. Data: [step, value, seconds]; charts.js picks the x axis, smooths."""
    series = []
    looks = slots([line.run_id or line.name for line in lines])
    for line in lines:
        shown, slot = thin(line.points, limit), looks[line.run_id or line.name]
        series.append(
            {
                "type": "line",
                "name": line.name,
                "id": line.run_id or line.name,
                "data": [[point.step, number(point.value), round(point.seconds, 3)] for point in shown],
                "lineStyle": {"color": series_color(slot), "type": slot_dash(slot), "width": 1.5},
                "itemStyle": {"color": series_color(slot)},
                "showSymbol": len(shown) < 2,
                "startMs": line.start_ms,
            }
        )
    options = {
        "grid": {
            "left": 8,
            "right": 28,
            "top": 12,
            "bottom": 26 if len(lines) < 2 else 52,
            "containLabel": True,
        },
        "xAxis": value_axis("step", nameGap=22, scale=False, min="dataMin", max="dataMax"),
        "yAxis": value_axis(),
        "legend": {"show": len(lines) > 1, "type": "scroll", "bottom": 2},
        "tooltip": {"trigger": "axis", "order": "valueDesc"},
        "series": series,
    }
    return Chart("curve", metric, _curves_summary(metric, lines), options, height_px=220 if len(lines) < 2 else 280)


def _curves_summary(metric: str, lines: Sequence[Curve]) -> str:
    """First, last, least and greatest value of each line, in words."""
    parts = []
    for line in lines[:5]:
        values = [point.value for point in line.points if math.isfinite(point.value)]
        if values:
            parts.append(
                f"{line.name}: {len(line.points)} points, from {values[0]:.4g} to {values[-1]:.4g}, "
                f"least {min(values):.4g}, greatest {max(values):.4g}"
            )
    return f"{metric} by step. " + ("; ".join(parts) or "No finite value yet") + "."
