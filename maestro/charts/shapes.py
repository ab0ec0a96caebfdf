"""FLOOR: what every chart is made of: the Chart itself, names of colours, axes. Pure."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
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


def slots(ids: Sequence[str]) -> dict[str, int]:
    """Give each of some things its own look: a colour that follows from its id, then a dash, 24 in all.

    Where two want one colour, the lesser id keeps it, so the same things always look the same together.
    """
    taken: Counter[int] = Counter()
    found: dict[str, int] = {}
    for one in sorted(set(ids)):
        wanted = hashlib.sha256(one.encode()).digest()[0] % SERIES_COLORS
        turns = [(wanted + step) % SERIES_COLORS for step in range(SERIES_COLORS)]
        color = min(turns, key=taken.__getitem__)
        found[one] = color + SERIES_COLORS * (taken[color] % len(DASHES))
        taken[color] += 1
    return found


def slot_dash(slot: int) -> str:
    """The dash of a look."""
    return DASHES[slot // SERIES_COLORS % len(DASHES)]


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
