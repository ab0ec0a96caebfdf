"""The registry room: walk the lineage up to what a thing came from and down to what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.registry.lineage.graph import DATASET, MODEL, PROJECT, RUN, VERSION, Graph, Key
from apps.registry.lineage.layout import lay_out
from apps.registry.lineage.links import DOWN, UP, step_from
from apps.registry.models import ArtifactVersion, LoggedModel
from apps.tracking.models import Dataset, Project, Run
from maestro.principals import Reach

KIND_OF = {ArtifactVersion: VERSION, Run: RUN, LoggedModel: MODEL, Dataset: DATASET, Project: PROJECT}
MOST_THINGS, MOST_LINKS, DEEPEST = 5_000, 10_000, 10


@dataclass(frozen=True)
class Way:
    """How far to walk: steps up and down, how many things and links at most, and how many from each thing."""

    up: int
    down: int
    things: int = MOST_THINGS
    links: int = MOST_LINKS
    fan: int = MOST_LINKS


def key_of(thing: ArtifactVersion | Run | LoggedModel | Dataset | Project) -> Key:
    """Name a row as a thing of the graph."""
    return KIND_OF[type(thing)], str(thing.pk)


def walk(starts: Iterable[Key], way: Way, reach: Reach) -> Graph:
    """Walk from some things that are within reach. One query a step."""
    graph = Graph(dict.fromkeys(starts, 0))
    for direction, steps in ((UP, way.up), (DOWN, way.down)):
        frontier = [key for key, step in graph.steps.items() if step == 0]
        for step in range(1, steps + 1):
            frontier = spread(graph, frontier, -step if direction == UP else step, way, reach)
            if not frontier:
                break
    inside = {link for link in graph.links if link.start in graph.steps and link.end in graph.steps}
    graph.links = sorted(inside, key=lambda link: (link.start, link.end, link.kind))
    lay_out(graph)
    return graph


def spread(graph: Graph, frontier: list[Key], step: int, way: Way, reach: Reach) -> list[Key]:
    """Add what lies one step further; returns what is new in it."""
    direction, room = UP if step < 0 else DOWN, way.links - len(graph.links)
    links, is_cut = step_from(frontier, direction, reach, fan=way.fan, most=max(room, 0))
    graph.is_cut |= is_cut
    following = []
    for link in links:
        near, far = (link.end, link.start) if direction == UP else (link.start, link.end)
        graph.links.append(link)
        if far not in graph.steps and len(graph.steps) < way.things:
            graph.steps[far], graph.via[far] = step, near
            following.append(far)
        graph.is_cut |= far not in graph.steps
    return following
