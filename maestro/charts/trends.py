"""The floor: a small line of one figure over time, to stand below the figure itself. Pure."""

from collections.abc import Sequence

from maestro.charts.shapes import Chart, number


def trend(title: str, unit: str, points: Sequence[tuple[str, float | None, int]]) -> Chart:
    """One figure over time: (when it begins, the figure or None, of how many things). A gap is a gap."""
    known = [value for _, value, _ in points if value is not None]
    options = {
        "grid": {"left": 4, "right": 8, "top": 8, "bottom": 4},
        "xAxis": {"type": "category", "data": [when for when, _, _ in points], "show": False, "boundaryGap": False},
        "yAxis": {"type": "value", "show": False, "min": 0},
        "tooltip": {"trigger": "axis"},
        "series": [
            {
                "type": "line",
                "name": unit or title,
                "data": [number(value) for _, value, _ in points],
                "color": "token:series-1",
                "symbolSize": 5,
                "showAllSymbol": True,
                "connectNulls": False,
            }
        ],
    }
    first, last = (f"{known[0]:.4g}", f"{known[-1]:.4g}") if known else ("", "")
    told = f"from {first} to {last} {unit}".rstrip() if known else "too few things in each stretch"
    columns = ("From", unit or "Figure", "Of how many")
    return Chart("trend", title, f"{title}: {told}.", options, columns, tuple(points), 72)
