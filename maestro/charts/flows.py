"""FLOOR: what came from what, and when. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from maestro.charts.shapes import Chart, Options

COLUMN_PX, LAYER_PX, LABEL_CHARS = 232, 60, 24


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
        "tooltip": {"trigger": "item", "formatter": "{b}"},
        "series": [_links(nodes, edges), _boxes(nodes)],
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


def _boxes(nodes: Sequence[Node]) -> Options:
    """Boxes of one size: data are [layer, place, label, colour of the border, kind]."""
    data = [
        {
            "name": node.label,
            "value": [node.layer, node.place, shortened(node.label), border_of(node), node.kind],
            "url": node.url,
        }
        for node in nodes
    ]
    words = {"type": "ordinal"}
    return {
        "type": "custom",
        "name": "things",
        "renderItem": "box",
        "dimensions": ["layer", "place", *({"name": name, **words} for name in ("label", "border", "kind"))],
        "encode": {"x": 0, "y": 1},
        "data": data,
        "z": 3,
    }


def shortened(label: str, most: int = LABEL_CHARS) -> str:
    """Cut a label in its middle: what tells two names apart stands at their ends as often as at their beginnings."""
    if len(label) <= most:
        return label
    tail = (most - 1) // 2
    return f"{label[: most - 1 - tail].rstrip()}…{label[-tail:].lstrip()}"


def border_of(node: Node) -> str:
    """The colour of a box's border: the page's own thing stands out."""
    return "accent" if node.is_focus else "border"


def _links(nodes: Sequence[Node], edges: Sequence[tuple[str, str, str]]) -> Options:
    """Arrows from the right of one box to the left of another: data are [layer, place, to layer, to place]."""
    places = {node.key: (node.layer, node.place) for node in nodes}
    data = [[*places[start], *places[end]] for start, end, _ in edges if start in places and end in places]
    return {
        "type": "custom",
        "name": "links",
        "renderItem": "link",
        "dimensions": ["layer", "place", "to_layer", "to_place"],
        "encode": {"x": [0, 2], "y": [1, 3]},
        "itemStyle": {"color": "token:muted"},
        "data": data,
        "silent": True,
        "z": 2,
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
