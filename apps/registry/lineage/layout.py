"""The registry room: where the things of a lineage are drawn: every link leads to the right, as far as there is no circle. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from apps.registry.lineage.graph import Graph, Key, Link

Ways = dict[Key, list[Key]]


def lay_out(graph: Graph) -> None:
    """Give each thing a layer and a place in it. A thing stands as near as it can before what was made of it."""
    order, after = sorted_along(graph.steps, graph.links)
    before: Ways = defaultdict(list)
    for start, ends in after.items():
        for end in ends:
            before[end].append(start)
    layers: dict[Key, int] = {}
    for key in order:
        layers[key] = max((layers[one] + 1 for one in before[key]), default=0)
    for key in reversed(order):
        layers[key] = min((layers[one] - 1 for one in after[key]), default=layers[key])
    least = min(layers.values(), default=0)
    graph.layers = {key: layer - least for key, layer in layers.items()}
    place(graph, before)


def sorted_along(keys: Iterable[Key], links: Iterable[Link]) -> tuple[list[Key], Ways]:
    """Sort things so that links lead forwards, and return the links that do: one that would close a circle is left out."""
    ways: Ways = {key: [] for key in keys}
    for link in links:
        ways[link.start].append(link.end)
    kept: Ways = {key: [] for key in ways}
    order: list[Key] = []
    open_now: set[Key] = set()
    done: set[Key] = set()
    for root in ways:
        trail = [] if root in done else [(root, iter(ways[root]))]
        open_now.update(key for key, _ in trail)
        while trail:
            key, ends = trail[-1]
            end = next(ends, None)
            if end is None:
                trail.pop()
                open_now.discard(key)
                done.add(key)
                order.append(key)
            elif end not in open_now:
                kept[key].append(end)
                if end not in done:
                    open_now.add(end)
                    trail.append((end, iter(ways[end])))
    order.reverse()
    return order, kept


def place(graph: Graph, before: Ways) -> None:
    """Put things of a layer below each other in the order of what they come from, so that few links cross."""
    columns: dict[int, list[Key]] = defaultdict(list)
    for key, layer in graph.layers.items():
        columns[layer].append(key)
    for layer in sorted(columns):

        def height(key: Key) -> tuple[float, int, Key]:
            near = [graph.places[one] for one in before[key] if one in graph.places]
            return sum(near) / len(near) if near else -1.0, abs(graph.steps[key]), key

        graph.places |= {key: row for row, key in enumerate(sorted(columns[layer], key=height))}
