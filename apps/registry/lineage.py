"""The registry room: walk the lineage up to what a thing came from and down to what came of it; lay it out in layers."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from apps.registry.models import ArtifactVersion, Edge, LoggedModel
from apps.registry.scoping import artifacts_for
from apps.tracking.models import Run
from apps.tracking.scoping import experiments_for, runs_for
from maestro.principals import Actor, Principal

VERSION, RUN, MODEL = "version", "run", "model"
KINDS = (VERSION, RUN, MODEL)
Key = tuple[str, uuid.UUID]
UP, DOWN = "up", "down"
MOST_THINGS = 500
MOST_EDGES = 2_000


@dataclass(frozen=True)
class Link:
    """Something was made from something."""

    start: Key
    end: Key
    kind: str


@dataclass
class Graph:
    """What was found: each thing's layer (0 is leftmost, sources first) and place in it, and the links between them."""

    layers: dict[Key, int] = field(default_factory=dict)
    places: dict[Key, int] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    is_cut: bool = False

    def keys_of(self, kind: str) -> list[uuid.UUID]:
        """Ids of the things of one kind."""
        return [identity for name, identity in self.layers if name == kind]


def ends_of(edge: Edge) -> Link | None:
    """Read an edge's two ends; None if it has lost one."""
    start = next(((kind, getattr(edge, f"from_{kind}_id")) for kind in KINDS if getattr(edge, f"from_{kind}_id")), None)
    end = next(((kind, getattr(edge, f"to_{kind}_id")) for kind in KINDS if getattr(edge, f"to_{kind}_id")), None)
    return Link(start, end, edge.kind) if start and end else None


def touching(keys: Collection[Key], side: str) -> Q:
    """Ask for edges that have one of these things on a side."""
    asked = (Q(**{f"{side}_{kind}__in": [i for name, i in keys if name == kind]}) for kind in KINDS)
    return reduce(or_, asked)


def walk(starts: Iterable[Key], *, up: int, down: int) -> Graph:
    """Walk from some things: `up` steps towards sources and `down` steps towards uses. One query a step."""
    graph, depth = Graph(), {key: 0 for key in starts}
    for direction, steps in ((UP, up), (DOWN, down)):
        frontier = [key for key, at in depth.items() if at == 0]
        for step in range(1, steps + 1):
            links = step_from(frontier, direction, graph)
            found = {link.start if direction == UP else link.end for link in links}
            frontier = sorted((key for key in found if key not in depth), key=str)
            room = MOST_THINGS - len(depth)
            graph.is_cut = graph.is_cut or len(frontier) > room
            frontier = frontier[:room]
            depth |= {key: -step if direction == UP else step for key in frontier}
            if not frontier:
                break
    lay_out(graph, depth)
    return graph


def step_from(frontier: Collection[Key], direction: str, graph: Graph) -> list[Link]:
    """Fetch the links that lead one step further, and add them to the graph."""
    if not frontier:
        return []
    side = "to" if direction == UP else "from"
    rows = list(Edge.objects.filter(touching(frontier, side)).order_by("-id")[: MOST_EDGES + 1])
    graph.is_cut = graph.is_cut or len(rows) > MOST_EDGES
    links = [link for link in map(ends_of, rows[:MOST_EDGES]) if link]
    graph.links += links
    return links


def lay_out(graph: Graph, depth: dict[Key, int]) -> None:
    """Give each thing a layer by its distance and a place within it; drop links to what was cut off."""
    least = min(depth.values(), default=0)
    graph.layers = {key: at - least for key, at in depth.items()}
    used: dict[int, int] = {}
    for key in sorted(graph.layers, key=lambda one: (graph.layers[one], one[0], str(one[1]))):
        layer = graph.layers[key]
        graph.places[key] = used.get(layer, 0)
        used[layer] = graph.places[key] + 1
    inside = {link for link in graph.links if link.start in graph.layers and link.end in graph.layers}
    graph.links = sorted(inside, key=lambda one: (str(one.start), str(one.end), one.kind))


def described(graph: Graph, principal: Principal | Actor) -> dict[str, Any]:
    """Write a graph for its reader, without what they may not see."""
    shown = dict(describe(graph, principal))
    names = {key: f"{key[0]}:{key[1].hex}" for key in shown}
    nodes = [
        {"id": names[key], "kind": key[0], "layer": graph.layers[key], "place": graph.places[key], **facts}
        for key, facts in sorted(shown.items(), key=lambda one: (graph.layers[one[0]], graph.places[one[0]]))
    ]
    links = [
        {"from": names[link.start], "to": names[link.end], "kind": link.kind}
        for link in graph.links
        if link.start in names and link.end in names
    ]
    return {"nodes": nodes, "edges": links, "truncated": graph.is_cut}


def describe(graph: Graph, principal: Principal | Actor) -> Iterable[tuple[Key, dict[str, Any]]]:
    """Name the things of a graph, in three queries."""
    versions = ArtifactVersion.objects.select_related("artifact").filter(
        pk__in=graph.keys_of(VERSION), artifact__in=artifacts_for(principal)
    )
    for version in versions:
        facts = {"artifact": version.artifact.name, "version": str(version.number), "run": None, "model": None}
        yield (VERSION, version.pk), {"label": str(version), **facts}
    for run in runs_for(principal).filter(pk__in=graph.keys_of(RUN)).only("id", "name"):
        yield (RUN, run.pk), {"label": run.name, "artifact": None, "version": None, "run": run.pk.hex, "model": None}
    models = LoggedModel.objects.filter(pk__in=graph.keys_of(MODEL), experiment__in=experiments_for(principal))
    for model in models:
        facts = {"artifact": None, "version": None, "run": None, "model": model.model_id}
        yield (MODEL, model.pk), {"label": model.name, **facts}


def keys_for(things: Iterable[ArtifactVersion | Run | LoggedModel]) -> list[Key]:
    """Name rows as things of the graph."""
    kinds = {ArtifactVersion: VERSION, Run: RUN, LoggedModel: MODEL}
    return [(kinds[type(thing)], thing.pk) for thing in things]
