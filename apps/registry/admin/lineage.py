"""The registry room's admin: what came from what, a few steps each way, as boxes and as a nested list."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.urls import reverse

from apps.registry.models import ArtifactVersion, Edge, LoggedModel, Usage
from apps.registry.scoping import artifacts_for
from apps.tracking.scoping import experiments_for, runs_for
from maestro import charts
from maestro.principals import Principal

UP, DOWN, FAN, MOST = 3, 2, 8, 40
Key = tuple[str, Any]
Link = tuple[Key, Key, str]


@dataclass(slots=True)
class Graph:
    """Things by layer (0 is the page's own; before it negative) and the links between them."""

    layers: dict[Key, int] = field(default_factory=dict)
    links: dict[tuple[Key, Key], str] = field(default_factory=dict)

    def add(self, key: Key, layer: int) -> bool:
        """Whether the thing is new, and there is room for it."""
        if key in self.layers or len(self.layers) >= MOST:
            return False
        self.layers[key] = layer
        return True


def ends_of(edge: Edge) -> tuple[Key | None, Key | None]:
    """The two things that an edge joins."""
    start = pick(v=edge.from_version_id, r=edge.from_run_id, m=edge.from_model_id)
    return start, pick(v=edge.to_version_id, r=edge.to_run_id, m=edge.to_model_id)


def pick(**ids: Any) -> Key | None:
    """The one id that is set, with its kind."""
    return next(((kind, value) for kind, value in ids.items() if value is not None), None)


def parted(keys: Iterable[Key]) -> dict[str, list[Any]]:
    """Ids by kind."""
    found: dict[str, list[Any]] = {"v": [], "r": [], "m": []}
    for kind, value in keys:
        found[kind].append(value)
    return found


def links_of(frontier: list[Key], *, upward: bool) -> list[Link]:
    """Every link into (or out of) the things of a frontier: recorded edges, producers and observed use."""
    ids, side = parted(frontier), "to" if upward else "from"
    touching = (
        Q(**{f"{side}_version__in": ids["v"]})
        | Q(**{f"{side}_run__in": ids["r"]})
        | Q(**{f"{side}_model__in": ids["m"]})
    )
    links: list[Link] = []
    for edge in Edge.objects.filter(touching)[: FAN * len(frontier)]:
        start, end = ends_of(edge)
        if start and end:
            links.append((start, end, edge.kind))
    made = ArtifactVersion.objects.exclude(run=None).filter(Q(pk__in=ids["v"]) if upward else Q(run__in=ids["r"]))
    links += [(("r", run), ("v", pk), "produced") for pk, run in made.values_list("pk", "run")[: FAN * len(frontier)]]
    uses = Usage.objects.exclude(run=None).filter(Q(run__in=ids["r"]) if upward else Q(version__in=ids["v"]))
    rows = uses.order_by("-at").values_list("version", "run")[: FAN * len(frontier)]
    links += [(("v", version), ("r", run), "used by") for version, run in rows]
    return links


def walk(focus: Key) -> Graph:
    """Parents three steps up, children two steps down, the newest few of each thing."""
    graph = Graph({focus: 0})
    for upward, steps in ((True, UP), (False, DOWN)):
        frontier = [focus]
        for step in range(1, steps + 1):
            frontier = spread(graph, frontier, -step if upward else step)
    return graph


def spread(graph: Graph, frontier: list[Key], layer: int) -> list[Key]:
    """Add one layer; returns what is new in it."""
    upward, following = layer < 0, []
    taken: dict[Key, int] = {}
    for start, end, kind in links_of(frontier, upward=upward) if frontier else []:
        near, far = (end, start) if upward else (start, end)
        is_new = far not in graph.layers
        if is_new and taken.get(near, 0) < FAN and graph.add(far, layer):
            taken[near] = taken.get(near, 0) + 1
            following.append(far)
        if near in graph.layers and far in graph.layers:
            graph.links.setdefault((start, end), kind)
    return following


def named(graph: Graph, who: Principal) -> dict[Key, tuple[str, str]]:
    """The name and address of each thing within reach: a query a kind."""
    ids = parted(graph.layers)
    names: dict[Key, tuple[str, str]] = {}
    for version in ArtifactVersion.objects.filter(pk__in=ids["v"], artifact__in=artifacts_for(who)).select_related(
        "artifact"
    ):
        url = reverse("admin:registry_artifactversion_change", args=[version.pk])
        names["v", version.pk] = (f"{version.artifact.name} v{version.number}", url)
    for pk, name, place in runs_for(who).filter(pk__in=ids["r"]).values_list("pk", "name", "experiment__name"):
        names["r", pk] = (f"{name}, {place}", reverse("admin:tracking_run_change", args=[pk]))
    models = LoggedModel.objects.filter(pk__in=ids["m"], experiment__in=experiments_for(who))
    for pk, name in models.values_list("pk", "name"):
        names["m", pk] = (f"model {name}", "")
    return names


def drawn(graph: Graph, focus: Key, who: Principal) -> dict[str, Any]:
    """The chart and the nested list of a walked graph."""
    names = named(graph, who)
    first = min(graph.layers.values())
    places: dict[int, int] = {}
    nodes = []
    for key, layer in sorted(graph.layers.items(), key=lambda item: (item[1], names.get(item[0], ("",))[0])):
        if key in names:
            place = places[layer] = places.get(layer, -1) + 1
            label, url = names[key]
            nodes.append(charts.Node(label_key(key), label, key[0], layer - first, place, url, key == focus))
    known = {node.key for node in nodes}
    edges = [(label_key(a), label_key(b), kind) for (a, b), kind in graph.links.items()]
    edges = [edge for edge in edges if edge[0] in known and edge[1] in known]
    chart = charts.lineage("Lineage", nodes, edges) if len(nodes) > 1 else None
    return {
        "lineage": chart,
        "parents": sides(graph, names, upward=True),
        "children": sides(graph, names, upward=False),
    }


def label_key(key: Key) -> str:
    """A thing's key as text."""
    return f"{key[0]}{key[1]}"


def sides(graph: Graph, names: dict[Key, tuple[str, str]], *, upward: bool) -> list[dict[str, Any]]:
    """What lies on one side, nearest first, as lines with their depth."""
    chosen = [(abs(layer), key) for key, layer in graph.layers.items() if (layer < 0) == upward and layer != 0]
    return [
        {"name": names[key][0], "url": names[key][1], "depth": depth}
        for depth, key in sorted(chosen, key=lambda item: (item[0], names.get(item[1], ("",))[0]))
        if key in names
    ]
