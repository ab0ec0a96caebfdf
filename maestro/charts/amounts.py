"""The floor: charts of amounts: one bar a thing, in a unit that can be read. Pure."""

from collections.abc import Sequence

from maestro.charts.shapes import ROW_PX, Chart, value_axis

SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def byte_bars(title: str, parts: Sequence[tuple[str, int, int]]) -> Chart:
    """How many bytes each of some things has, the first on top: (name, bytes, files)."""
    most, power = max((size for _, size, _ in parts), default=0), 0
    while most >= 1000 ** (power + 1) and power < len(SIZES) - 1:
        power += 1
    unit, scale = SIZES[power], 1000**power
    shown = [(name, float(f"{size / scale:.4g}"), files) for name, size, files in parts]
    options = {
        "grid": {"left": 20, "right": 24, "top": 8, "bottom": 30, "containLabel": True},
        "xAxis": value_axis(unit, nameGap=24, scale=False, min=0),
        "yAxis": {"type": "category", "data": [name for name, _, _ in reversed(shown)], "axisTick": {"show": False}},
        "tooltip": {"trigger": "item"},
        "series": [
            {
                "type": "bar",
                "name": unit,
                "barMaxWidth": 14,
                "color": "token:series-1",
                "data": [size for _, size, _ in reversed(shown)],
            }
        ],
    }
    told = ", ".join(f"{name} {size:g} {unit}" for name, size, _ in shown[:3])
    height_px = 52 + ROW_PX * max(len(shown), 2)
    return Chart("bars", title, f"{title}: {told}.", options, ("What", unit, "Files"), tuple(shown), height_px)
