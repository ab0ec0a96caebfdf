"""FLOOR: rows -> ECharts options, pure. Colours are names (`token:series-1`) that the browser puts in.

Every function answers a Chart: options for charts.js, and the same facts as rows for the table and CSV twin.
Options hold no functions; charts.js knows the few named ones (`interval`, `sig`).
"""

from maestro.charts.amounts import byte_bars
from maestro.charts.comparisons import Mark, parallel, scatter
from maestro.charts.curves import MAX_POINTS, Curve, Point, curves, thin
from maestro.charts.estimates import Effect, Share, calibration, contributions, forest, intervals, shares
from maestro.charts.flows import Node, lineage, timeline
from maestro.charts.shapes import SERIES_COLORS, Cell, Chart, Options, Row, series_color, slots
from maestro.charts.trends import trend

__all__ = [
    "MAX_POINTS",
    "SERIES_COLORS",
    "Cell",
    "Chart",
    "Curve",
    "Effect",
    "Mark",
    "Node",
    "Options",
    "Point",
    "Row",
    "Share",
    "byte_bars",
    "calibration",
    "contributions",
    "curves",
    "forest",
    "intervals",
    "lineage",
    "parallel",
    "scatter",
    "series_color",
    "shares",
    "slots",
    "thin",
    "timeline",
    "trend",
]
