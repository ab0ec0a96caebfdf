"""The tracking room's admin: the lines of a comparison, and the charts over them: parallel coordinates and scatter."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.tracking.admin.run_columns import as_number
from apps.tracking.models import Run
from apps.tracking.search.listing import Column, parse_columns
from maestro import charts

MAX_AXES, MAX_OFFERED = 8, 60
WORDS = {"m": "metric", "p": "param", "t": "tag"}
Value = float | str | None
Values = Mapping[tuple[uuid.UUID, str], float | str]


@dataclass(frozen=True, slots=True)
class Line:
    """One param, metric or tag over the compared runs."""

    kind: str
    name: str
    key: str
    values: tuple[Value, ...]  # to be drawn by
    shown: tuple[Value, ...]  # as they were logged
    differs: bool

    @property
    def is_numeric(self) -> bool:
        """Whether it can be an axis of numbers: numbers, or nothing."""
        given = [value for value in self.values if value is not None]
        return bool(given) and all(isinstance(value, int | float) and math.isfinite(value) for value in given)


def as_values(column: Column, runs: Sequence[Run], values: Values, differs: bool) -> Line:
    """One column's values over the runs."""
    shown = tuple(values.get((run.pk, column.key)) for run in runs)
    drawn = tuple(as_number(value) if isinstance(value, str) else value for value in shown)
    return Line(WORDS[column.kind], column.name, column.key, drawn, shown, differs)


@dataclass(frozen=True, slots=True)
class Plot:
    """What the address asks to be drawn: axes, the one that colours, x and y. Empty parts are chosen from the lines."""

    axes: tuple[Column, ...]
    color: str
    x: str
    y: str
    goal: str

    @property
    def columns(self) -> list[Column]:
        """The columns whose values are needed, whether the table shows them or not."""
        return [*self.axes, *parse_columns([key for key in (self.color, self.x, self.y) if key])]

    def drawn(
        self, runs: Sequence[Run], lines: Sequence[Line], values: Values, looks: Mapping[uuid.UUID, int]
    ) -> dict[str, Any]:
        """The charts, and what their controls offer."""
        known = {line.key: line for line in lines} | {
            column.key: as_values(column, runs, values, True) for column in self.columns
        }
        numeric = [line for line in known.values() if line.is_numeric]
        axes = [known[column.key] for column in self.axes] or self.default_axes(lines)
        x, y = self.default_scatter(numeric)
        color = self.color if self.color in {axis.key for axis in axes} else self.default_color(axes)
        offered = [line for line in known.values() if line.differs][:MAX_OFFERED]
        return {
            "parallel": parallel_chart(runs, axes, color),
            "scatter": scatter_chart(runs, known.get(x), known.get(y), looks),
            "axes": {axis.key for axis in axes},
            "axis_lines": axes,
            "color": color,
            "offered": offered,
            "numeric": [line for line in numeric if line.differs or line.key in {x, y}][:MAX_OFFERED],
            "x": x,
            "y": y,
        }

    def default_axes(self, lines: Sequence[Line]) -> list[Line]:
        """Params that differ and then metrics, the goal last."""
        params = [line for line in lines if line.kind == "param" and line.differs][: MAX_AXES - 2]
        metrics = [line for line in lines if line.kind == "metric" and line.differs and line.is_numeric]
        chosen = sorted(metrics, key=lambda line: line.key != self.goal)[: MAX_AXES - len(params)]
        return [*params, *reversed(chosen)]

    def default_color(self, axes: Sequence[Line]) -> str:
        """The goal, or the last axis of numbers."""
        numeric = [axis.key for axis in axes if axis.is_numeric]
        return self.goal if self.goal in numeric else (numeric or [""])[-1]

    def default_scatter(self, numeric: Sequence[Line]) -> tuple[str, str]:
        """What the address names, else the goal against the first param that differs."""
        varied = [line for line in numeric if line.differs and sum(value is not None for value in line.values) > 1]
        metrics = sorted((line for line in varied if line.kind == "metric"), key=lambda line: line.key != self.goal)
        y = self.y or (metrics[0].key if metrics else "")
        others = sorted((line for line in varied if line.key != y), key=lambda line: line.kind != "param")
        return self.x or (others[0].key if others else ""), y


def plot_of(request: HttpRequest, runs: Sequence[Run]) -> Plot:
    """The address's choices; the goal is that of the first run's project."""
    goal = runs[0].experiment.project.goal_metric
    # `x` is the axis of curves: step, time or clock.
    single = {name: key_of(request.GET.get(name, "")) for name in ("color", "sx", "sy")}
    axes = parse_columns([key for key in request.GET.getlist("axis") if "\x00" not in key])[:MAX_AXES]
    return Plot(tuple(axes), single["color"], single["sx"], single["sy"], f"m.{goal}" if goal else "")


def key_of(text: str) -> str:
    """A column's key, or nothing for what is none."""
    return text if "\x00" not in text and parse_columns([text]) else ""


def parallel_chart(runs: Sequence[Run], axes: Sequence[Line], color: str) -> charts.Chart | None:
    """The runs over the axes, coloured by one of them."""
    if len(axes) < 2 or len(runs) < 2:
        return None
    rows = [(run.name, [axis.values[index] for axis in axes]) for index, run in enumerate(runs)]
    place = next((index for index, axis in enumerate(axes) if axis.key == color), len(axes) - 1)
    return charts.parallel("Params and metrics", [axis.name for axis in axes], rows, place)


def scatter_chart(
    runs: Sequence[Run], x: Line | None, y: Line | None, looks: Mapping[uuid.UUID, int]
) -> charts.Chart | None:
    """One numeric line against another, each run in its own colour; a click opens it."""
    if x is None or y is None or not (x.is_numeric and y.is_numeric):
        return None
    points, marks = [], []
    for run, a, b in zip(runs, x.values, y.values, strict=True):
        if isinstance(a, int | float) and isinstance(b, int | float):
            points.append((run.name, a, b))
            url = reverse("admin:tracking_run_change", args=[run.pk])
            marks.append(charts.Mark(charts.series_color(looks[run.pk]), url))
    return charts.scatter(f"{y.name} against {x.name}", points, x=x.name, y=y.name, marks=marks)
