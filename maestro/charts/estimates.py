"""FLOOR: what is estimated, with its interval: effects, forecasts, their reasons and their record. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maestro.charts.shapes import FRAME_PX, ROW_PX, Chart, Options, number, value_axis, zero_line


@dataclass(frozen=True, slots=True)
class Effect:
    """An artifact's adjusted effect with its interval and the raw difference beside it."""

    name: str
    effect: float
    low: float
    high: float
    raw: float | None
    n: int
    url: str = ""
    is_early: bool = False


def forest(title: str, effects: Sequence[Effect], unit: str) -> Chart:
    """Adjusted effects with intervals, the raw difference as a hollow mark; best on top."""
    ranked = sorted(effects, key=lambda item: item.effect)
    raws = [[number(item.raw), row] for row, item in enumerate(ranked) if item.raw is not None]
    marks = [
        {"value": [number(item.effect), row], "url": item.url, "itemStyle": {"color": _tone(item)}}
        for row, item in enumerate(ranked)
    ]
    adjusted = _marks("adjusted effect", marks, "text") | {"markLine": zero_line("xAxis"), "z": 4}
    series = [adjusted, _marks("raw difference", raws, "muted", is_hollow=True)]
    options = _rows_of_intervals(ranked, unit, series)
    best_first = tuple(reversed(ranked))
    rows = tuple((i.name, i.effect, i.low, i.high, i.raw, i.n, "early" if i.is_early else "full") for i in best_first)
    columns = ("Artifact", f"Effect ({unit})", "Low", "High", "Raw difference", "n", "Evidence")
    summary = f"{title}: {len(ranked)} artifacts; intervals that leave out zero: {sum(map(_is_clear, ranked))}."
    return Chart("forest", title, summary, options, columns, rows, FRAME_PX + ROW_PX * max(len(ranked), 2))


def _rows_of_intervals(items: Sequence[Effect], unit: str, series: list[Options]) -> Options:
    """A row for each item, the last on top: its interval, and the marks of `series` over it."""
    bars = [[number(item.low), number(item.high), row] for row, item in enumerate(items)]
    return {
        "grid": {"left": 8, "right": 24, "top": 34, "bottom": 30, "containLabel": True},
        "legend": {"top": 0, "left": 0, "data": [one["name"] for one in series if one["data"]]},
        "xAxis": value_axis(unit, nameGap=24),
        "yAxis": {"type": "category", "data": [item.name for item in items], "axisTick": {"show": False}},
        "tooltip": {"trigger": "item"},
        "series": [_interval_series("interval", bars), *series],
    }


def _marks(name: str, data: list[Any], token: str, *, is_hollow: bool = False) -> Options:
    """One kind of mark over the intervals."""
    return {
        "type": "scatter",
        "name": name,
        "symbol": "circle",
        "symbolSize": 9,
        "data": data,
        # ECharts fills its own hollow circle with white, whatever the page's colour.
        "itemStyle": {"color": "token:surface", "borderColor": f"token:{token}", "borderWidth": 1.5}
        if is_hollow
        else {"color": f"token:{token}"},
        "z": 3,
    }


def _is_clear(item: Effect) -> bool:
    return item.low > 0 or item.high < 0


def _tone(item: Effect) -> str:
    if not _is_clear(item):
        return "token:muted"
    return "token:good" if item.low > 0 else "token:bad"


def _interval_series(name: str, bars: list[list[Any]]) -> Options:
    """Horizontal bars with caps: data are [low, high, row]."""
    return {
        "type": "custom",
        "name": name,
        "renderItem": "interval",
        "dimensions": ["low", "high", "row"],
        "encode": {"x": [0, 1], "y": 2},
        "data": bars,
        "itemStyle": {"color": "token:muted"},
        "silent": True,
        "z": 2,
    }


def intervals(title: str, ranges: Sequence[tuple[str, float, float, float, float | None]], unit: str) -> Chart:
    """Ranges with the median, and the actual as a hollow mark: (name, low, mid, high, actual)."""
    items = [Effect(name, mid, low, high, actual, 0) for name, low, mid, high, actual in reversed(ranges)]
    actual = [[number(item.raw), row] for row, item in enumerate(items) if item.raw is not None]
    expected = [[number(item.effect), row] for row, item in enumerate(items)]
    series = [_marks("expected", expected, "accent"), _marks("actual", actual, "text", is_hollow=True)]
    options = _rows_of_intervals(items, unit, series)
    if not actual:
        options["legend"]["show"], options["grid"]["top"] = False, 12
    columns = ("What", "Low", "Median", "High", "Actual")
    rows = tuple((name, low, mid, high, came) for name, low, mid, high, came in ranges)
    height_px = FRAME_PX + ROW_PX * len(rows)
    return Chart("interval", title, f"{title}: {len(rows)} ranges.", options, columns, rows, height_px)


def contributions(title: str, parts: Sequence[tuple[str, float]], unit: str) -> Chart:
    """What raised and what lowered a forecast, strongest on top."""
    ranked = sorted(parts, key=lambda part: abs(part[1]))
    data = [
        {"value": number(value), "itemStyle": {"color": "token:good" if value >= 0 else "token:bad"}}
        for _, value in ranked
    ]
    options = {
        "grid": {"left": 8, "right": 24, "top": 8, "bottom": 30, "containLabel": True},
        "xAxis": value_axis(unit, nameGap=24, scale=False),
        "yAxis": {"type": "category", "data": [name for name, _ in ranked], "axisTick": {"show": False}},
        "tooltip": {"trigger": "item"},
        "series": [{"type": "bar", "name": unit, "barMaxWidth": 14, "data": data, "markLine": zero_line("xAxis")}],
    }
    rows = tuple(reversed(ranked))
    top = ", ".join(f"{name} {value:+.3g}" for name, value in rows[:3])
    return Chart("bars", title, f"{title}: {top}.", options, ("Reason", unit), rows, 52 + ROW_PX * max(len(rows), 2))


@dataclass(frozen=True, slots=True)
class Share:
    """What a part accounts for, with its interval."""

    name: str
    value: float
    low: float
    high: float
    is_clear: bool


def shares(title: str, parts: Sequence[Share], unit: str) -> Chart:
    """Bars with intervals, strongest on top; grey where the interval holds zero. The caller brings the table."""
    ranked = list(reversed(parts))
    data = [
        {
            "value": number(part.value),
            "itemStyle": {"color": "token:accent" if part.is_clear else "token:muted", "opacity": 0.75},
        }
        for part in ranked
    ]
    bars = [[number(part.low), number(part.high), row] for row, part in enumerate(ranked)]
    drawn = {"type": "bar", "name": unit, "barMaxWidth": 14, "data": data, "markLine": zero_line("xAxis")}
    options = {
        "grid": {"left": 8, "right": 24, "top": 8, "bottom": 30, "containLabel": True},
        "xAxis": value_axis(unit, nameGap=24, scale=False),
        "yAxis": {"type": "category", "data": [part.name for part in ranked], "axisTick": {"show": False}},
        "tooltip": {"trigger": "item"},
        "series": [drawn, _interval_series("interval", bars)],
    }
    columns = ("What", unit, "Low", "High", "Interval leaves out zero")
    rows = tuple((part.name, part.value, part.low, part.high, part.is_clear) for part in parts)
    top = ", ".join(f"{part.name} {part.value:.2g}" for part in parts[:3])
    return Chart("bars", title, f"{title}: {top}.", options, columns, rows, 52 + ROW_PX * max(len(ranked), 2))


def calibration(title: str, bins: Sequence[tuple[float, float, int]]) -> Chart:
    """Claimed coverage against what happened: (claimed share, observed share, n)."""
    data = [
        {"value": [number(claimed), number(seen)], "symbolSize": 6 + min(n, 400) ** 0.5} for claimed, seen, n in bins
    ]
    share = {"min": 0, "max": 1, "scale": False}
    diagonal = {
        "silent": True,
        "symbol": "none",
        "lineStyle": {"color": "token:muted", "type": "dashed"},
        "data": [[{"coord": [0, 0]}, {"coord": [1, 1]}]],
    }
    options = {
        "grid": {"left": 30, "right": 20, "top": 16, "bottom": 34, "containLabel": True},
        "xAxis": value_axis("claimed share", nameGap=26) | share,
        "yAxis": value_axis("observed share", nameGap=36) | share,
        "tooltip": {"trigger": "item"},
        "series": [
            {
                "type": "scatter",
                "name": "observed",
                "data": data,
                "color": "token:series-1",
                "markLine": diagonal,
            }
        ],
    }
    total = sum(n for _, _, n in bins)
    columns = ("Claimed share", "Observed share", "n")
    return Chart("scatter", title, f"{title}: {total} past claims.", options, columns, tuple(bins), 300)
