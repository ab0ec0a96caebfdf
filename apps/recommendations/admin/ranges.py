"""The recommendations room's admin: ranges of forecasts as pictures, in units that can be read."""

from maestro import charts
from maestro.clock import span_unit

UNITS_OF_TARGETS = {"success": "points of success", "duration": "days", "cost": "cost", "effort": "hours"}
# Low, middle, high, and what came of it if known.
Spread = tuple[float, float, float, float | None]


def range_chart(target: str, spread: Spread) -> charts.Chart:
    """One forecast's range; a duration of seconds is not shown in days."""
    many, unit = 1.0, UNITS_OF_TARGETS.get(target, "")
    if unit == "days":
        many, unit = span_unit(spread[1])
    low, middle, high = (one * many for one in spread[:3])
    actual = None if spread[3] is None else spread[3] * many
    return charts.intervals(f"Expected {target}", [(target, low, middle, high, actual)], unit)


def reasons_unit(target: str) -> str:
    """What the parts of a forecast add up in: time, money and effort are learnt as logarithms."""
    return UNITS_OF_TARGETS["success"] if target == "success" else "log scale"
