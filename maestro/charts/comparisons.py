"""FLOOR: many runs in one picture. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maestro.charts.shapes import Cell, Chart, Options, number, value_axis


@dataclass(frozen=True, slots=True)
class Mark:
    """How a point looks, and what a click on it opens."""

    color: str
    url: str = ""


def scatter(
    title: str, points: Sequence[tuple[str, float, float]], *, x: str, y: str, marks: Sequence[Mark] = ()
) -> Chart:
    """One mark a run: (name, x, y), all alike or each with a look of its own."""
    data: list[Options] = [{"name": name, "value": [number(left), number(right)]} for name, left, right in points]
    for item, mark in zip(data, marks, strict=False):
        item |= {"itemStyle": {"color": mark.color}, "url": mark.url}
    options = {
        "grid": {"left": 30, "right": 20, "top": 16, "bottom": 34, "containLabel": True},
        "xAxis": value_axis(x, nameGap=26),
        "yAxis": value_axis(y, nameGap=44),
        "tooltip": {"trigger": "item"},
        "series": [{"type": "scatter", "name": y, "symbolSize": 8, "data": data, "color": "token:series-1"}],
    }
    return Chart("scatter", title, f"{y} against {x} for {len(data)} runs.", options, ("Run", x, y), tuple(points), 320)


def parallel(title: str, axes: Sequence[str], runs: Sequence[tuple[str, Sequence[Cell]]], color_axis: int) -> Chart:
    """Parallel coordinates, one line a run, coloured by one axis. Text axes become categories."""
    columns = [[values[index] for _, values in runs] for index in range(len(axes))]
    shapes = [_parallel_axis(index, axes[index], column) for index, column in enumerate(columns)]
    data = [{"name": name, "value": [_parallel_value(item) for item in values]} for name, values in runs]
    colored = [float(value) for value in columns[color_axis] if isinstance(value, int | float) and _is_real(value)]
    options: Options = {
        "parallel": {"left": 48, "right": 64, "top": 40, "bottom": 28},
        "parallelAxis": shapes,
        "tooltip": {"trigger": "item"},
        "series": [{"type": "parallel", "name": title, "lineStyle": {"width": 1.5, "opacity": 0.6}, "data": data}],
    }
    if colored:
        options["visualMap"] = {
            "show": False,
            "dimension": color_axis,
            "min": min(colored),
            "max": max(colored),
            "inRange": {"color": ["token:series-1", "token:series-5", "token:series-2"]},
        }
    rows = tuple((name, *values) for name, values in runs)
    summary = f"{len(runs)} runs over {', '.join(axes)}, coloured by {axes[color_axis]}."
    return Chart("parallel", title, summary, options, ("Run", *axes), rows, 340)


def _is_real(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _parallel_axis(index: int, name: str, column: list[Cell]) -> Options:
    if all(value is None or _is_real(value) for value in column):
        return {"dim": index, "name": name, "scale": True}
    words = sorted({str(value) for value in column if value is not None})
    return {"dim": index, "name": name, "type": "category", "data": words}


def _parallel_value(value: Cell) -> Cell:
    if value is None:
        return "-"  # how ECharts writes a missing value
    return value if _is_real(value) else str(value)
