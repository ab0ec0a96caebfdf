"""FLOOR: what every chart is made of: the Chart itself, names of colours, axes. Pure."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

SERIES_COLORS = 8
DASHES = ("solid", "dashed", "dotted")
ROW_PX, FRAME_PX = 26, 76

Options: TypeAlias = dict[str, Any]
Cell: TypeAlias = str | int | float | bool | None
Row: TypeAlias = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure: what to draw, what to read instead, and one sentence for who sees neither."""

    kind: str
    title: str
    summary: str
    options: Options
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    height_px: int = 260
    min_width_px: int = 0


def number(value: float | None) -> float | None:
    """A value JSON can carry: nothing for NaN and infinities."""
    return None if value is None or not math.isfinite(value) else value


def series_color(index: int) -> str:
    """The name of the colour of the `index`-th series."""
    return f"token:series-{index % SERIES_COLORS + 1}"


def dash(index: int) -> str:
    """Solid, dashed, dotted in turn, so that no line is told by colour alone."""
    return DASHES[index % len(DASHES)]


def value_axis(name: str = "", **more: Any) -> Options:
    """A numeric axis that does not force zero."""
    return {"type": "value", "name": name, "nameLocation": "middle", "nameGap": 28, "scale": True} | more


def zero_line(axis: str, at: float = 0.0) -> Options:
    """A dashed line at `at` across `xAxis` or `yAxis`."""
    return {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": "token:muted", "type": "dashed"},
        "data": [{axis: at}],
    }
