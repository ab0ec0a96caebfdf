"""FLOOR: what came from what, and when. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from maestro.charts.shapes import Chart, Options

BOX_PX, COLUMN_PX, LAYER_PX = 168, 210, 56


@dataclass(frozen=True, slots=True)
class Node:
    """A box of a lineage graph; layer 0 is leftmost."""

    key: str
    label: str
    kind: str
    layer: int
    place: int
    url: str = ""
    is_focus: bool = False


def lineage(title: str, nodes: Sequence[Node], edges: Sequence[tuple[str, str, str]]) -> Chart:
    """Boxes in layers, left to right; `edges` are (from key, to key, what)."""
    tallest = max((node.place for node in nodes), default=0) + 1
    layers = max((node.layer for node in nodes), default=0) + 1
    names = {node.key: node.label for node in nodes}
    hidden = {"type": "value", "show": False, "min": -0.5}
    options = {
        "grid": {"left": 0, "right": 0, "top": 0, "bottom": 0},
        "xAxis": hidden | {"max": layers - 0.5},
        "yAxis": hidden | {"max": tallest - 0.5, "inverse": True},
        "tooltip": {"show": False},
        "series": [_boxes(nodes, edges)],
    }
    rows = tuple((names.get(start, start), what, names.get(end, end)) for start, end, what in edges)
    summary = f"{len(nodes)} things and {len(edges)} links between them, left to right."
    return Chart(
        "graph",
        title,
        summary,
        options,
        ("From", "How", "To"),
        rows,
        height_px=max(120, LAYER_PX * tallest),
        min_width_px=COLUMN_PX * layers,
    )


def _boxes(nodes: Sequence[Node], edges: Sequence[tuple[str, str, str]]) -> Options:
    """The graph series: boxes of one size, arrows between them."""
    data = [
        {
            "id": node.key,
            "name": node.key,
            "value": [node.layer, node.place],
            "url": node.url,
            "label": {"formatter": node.label},
            "itemStyle": {"borderColor": "token:accent" if node.is_focus else "token:border"},
        }
        for node in nodes
    ]
    return {
        "type": "graph",
        "coordinateSystem": "cartesian2d",
        "symbol": "rect",
        "symbolSize": [BOX_PX, 34],
        "edgeSymbol": ["none", "arrow"],
        "edgeSymbolSize": 7,
        "label": {"show": True, "width": BOX_PX - 14, "overflow": "truncate", "color": "token:text"},
        "itemStyle": {"color": "token:surface", "borderWidth": 1.5},
        "lineStyle": {"color": "token:muted", "curveness": 0.05},
        "data": data,
        "links": [{"source": start, "target": end} for start, end, _ in edges],
    }


def timeline(title: str, events: Sequence[tuple[str, int, int]], lanes: Sequence[str]) -> Chart:
    """Marks over time: (lane, epoch milliseconds, how many)."""
    place = {lane: index for index, lane in enumerate(lanes)}
    data = [
        {"value": [at_ms, place[lane], count], "symbolSize": 6 + min(count, 100) ** 0.5}
        for lane, at_ms, count in events
    ]
    options = {
        "grid": {"left": 8, "right": 24, "top": 8, "bottom": 24, "containLabel": True},
        "xAxis": {"type": "time"},
        "yAxis": {"type": "category", "data": list(lanes), "axisTick": {"show": False}},
        "tooltip": {"trigger": "item"},
        "series": [{"type": "scatter", "name": title, "data": data, "color": "token:series-1"}],
    }
    rows = tuple(events)
    columns = ("What", "Time (epoch ms)", "How many")
    return Chart("scatter", title, f"{title}: {len(rows)} marks.", options, columns, rows, 60 + 36 * len(lanes))
