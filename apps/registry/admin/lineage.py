"""The registry room's admin: what came from what, as boxes and as a nested list: a card, and pages of its own."""

import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from apps.registry.lineage.graph import DATASET, KINDS, MODEL, PROJECT, RUN, VERSION, Graph, Key
from apps.registry.lineage.layout import lay_out
from apps.registry.lineage.naming import Thing, named
from apps.registry.lineage.walking import DEEPEST, Way, key_of, walk
from apps.tenants.access.people.principal import looker
from apps.tracking.scoping import runs_for
from maestro import charts
from maestro.admin.sites import tenant_site
from maestro.principals import Principal

UP, DOWN, FAN = 3, 2, 8
ON_A_CARD, ON_A_PAGE = 40, 150
PAGES = {
    VERSION: "admin:registry_artifactversion_change",
    RUN: "admin:tracking_run_change",
    PROJECT: "admin:tracking_project_change",
}
WORDS = {VERSION: "version", RUN: "run", MODEL: "logged model", DATASET: "dataset", PROJECT: "project"}


def on_card(focus: Key, who: Principal) -> dict[str, Any]:
    """A few steps each way, the newest few of each thing."""
    return pictured(walk([focus], Way(UP, DOWN, things=200, fan=FAN), who.projects), focus, who, ON_A_CARD)


def on_page(request: HttpRequest, focus: Key, title: str, context: Mapping[str, Any]) -> HttpResponse:
    """The page of a lineage: `?up=3&down=2` say how far it goes."""
    who = looker(request)
    up, down = steps_in(request, "up", UP), steps_in(request, "down", DOWN)
    graph = walk([focus], Way(up, down), who.projects)
    shown = {"title": title, "up": up, "down": down, "depths": range(DEEPEST + 1), **context}
    shown |= {"counts": counts_of(graph, focus), "fan": FAN, **pictured(graph, focus, who, ON_A_PAGE)}
    return tenant_site.page(request, "admin/registry/lineage.html", shown)


def steps_in(request: HttpRequest, name: str, usual: int) -> int:
    """How many steps the address asks for; what is no such number is the usual."""
    text = request.GET.get(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= 2
    return min(int(text), DEEPEST) if is_number else usual


def run_lineage(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """What a run used, and what came of it."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    run = runs_for(looker(request)).select_related("experiment").filter(pk=pk).first()
    if run is None:
        raise Http404
    place = {"back": run.name, "back_url": reverse(PAGES[RUN], args=[run.pk]), "list": "Runs"}
    place["list_url"] = reverse("admin:tracking_run_changelist")
    return on_page(request, key_of(run), f"Lineage of {run.name}", place)


def pictured(graph: Graph, focus: Key, who: Principal, most: int) -> dict[str, Any]:
    """The chart and the nested lists of a walked graph, of the things that are drawn."""
    drawn = nearest(graph, most)
    names = named(drawn, who)
    nodes = [
        charts.Node(id_of(key), thing.label, key[0], drawn.layers[key], drawn.places[key], url_of(key), key == focus)
        for key, thing in names.items()
    ]
    edges = [(id_of(link.start), id_of(link.end), link.kind) for link in drawn.links]
    known = {node.key for node in nodes}
    edges = [edge for edge in edges if edge[0] in known and edge[1] in known]
    return {
        "lineage": charts.lineage("What came from what", nodes, edges) if len(nodes) > 1 else None,
        "parents": tree(drawn, names, focus, up=True),
        "children": tree(drawn, names, focus, up=False),
        "is_cut": graph.is_cut,
        "drawn": len(nodes) - 1,
        "hidden": len(graph.steps) - len(drawn.steps),
    }


def nearest(graph: Graph, most: int) -> Graph:
    """The part of a graph that is drawn: the first few of each thing's, nearest first, then the others."""
    breadth: dict[Key, int] = {}
    siblings: Counter[tuple[Key, bool]] = Counter()
    for key, step in graph.steps.items():
        near = graph.via.get(key)
        if near is None:
            breadth[key] = 0
            continue
        siblings[near, step < 0] += 1
        breadth[key] = max(breadth[near], (siblings[near, step < 0] - 1) // FAN)
    order = sorted(graph.steps, key=lambda key: (breadth[key], abs(graph.steps[key])))
    chosen = set(order[:most])
    part = Graph({key: step for key, step in graph.steps.items() if key in chosen}, graph.via)
    part.links = [link for link in graph.links if link.start in chosen and link.end in chosen]
    lay_out(part)
    return part


def tree(graph: Graph, names: Mapping[Key, Thing], focus: Key, *, up: bool) -> list[dict[str, Any]]:
    """What lies on one side, each below the thing by which it was found."""
    below: dict[Key, list[dict[str, Any]]] = {}
    for key, step in graph.steps.items():
        if key in names and step != 0 and (step < 0) == up:
            thing = names[key]
            item: dict[str, Any] = {"name": thing.label, "note": thing.note, "kind": key[0], "url": url_of(key)}
            item["below"] = below.setdefault(key, [])
            below.setdefault(graph.via[key], []).append(item)
    return below.get(focus, [])


def counts_of(graph: Graph, focus: Key) -> list[tuple[str, int]]:
    """How many things of each kind were found, where there are any."""
    found = Counter(key[0] for key in graph.steps if key != focus)
    return [(WORDS[kind], found[kind]) for kind in KINDS if found[kind]]


def url_of(key: Key) -> str:
    """The page of a thing, if it has one."""
    return reverse(PAGES[key[0]], args=[key[1]]) if key[0] in PAGES else ""


def id_of(key: Key) -> str:
    """A thing's key as text."""
    return ":".join(key)


tenant_site.add_page("runs/<uuid:pk>/lineage/", run_lineage, "run_lineage", by_project=True)
