"""The registry room: name the things of a lineage, for a reader, one query a kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.registry.lineage.graph import DATASET, MODEL, PROJECT, RUN, VERSION, Graph, Key
from apps.registry.models import ArtifactVersion, LoggedModel
from apps.registry.scoping import artifacts_for
from apps.tracking.models import Dataset
from apps.tracking.scoping import experiments_for, projects_for, runs_for
from maestro.principals import Principal

NOTHING = {"artifact": None, "version": None, "run": None, "model": None, "dataset": None, "project": None}


@dataclass(frozen=True)
class Thing:
    """A thing as it is shown: its name, where it belongs, and how the API names it."""

    key: Key
    label: str
    note: str
    facts: dict[str, str]


def named(graph: Graph, who: Principal) -> dict[Key, Thing]:
    """Name what a reader may see of a graph."""
    found = [one for kind, find in FINDERS.items() if graph.ids_of(kind) for one in find(graph.ids_of(kind), who)]
    return {thing.key: thing for thing in found}


def versions(ids: list[str], who: Principal) -> Iterator[Thing]:
    """Versions, by their artifact's name and their number."""
    rows = ArtifactVersion.objects.filter(pk__in=ids, artifact__in=artifacts_for(who))
    for pk, name, kind, number in rows.values_list("pk", "artifact__name", "artifact__kind", "number"):
        facts = {"artifact": name, "version": str(number)}
        yield Thing((VERSION, str(pk)), f"{name} v{number}", kind.replace("_", " "), facts)


def runs(ids: list[str], who: Principal) -> Iterator[Thing]:
    """Runs, and in which experiment they are."""
    for pk, name, place in runs_for(who).filter(pk__in=ids).values_list("pk", "name", "experiment__name"):
        yield Thing((RUN, str(pk)), name, place, {"run": pk.hex})


def models(ids: list[str], who: Principal) -> Iterator[Thing]:
    """Logged models."""
    rows = LoggedModel.objects.filter(pk__in=ids, experiment__in=experiments_for(who))
    for pk, name, kind in rows.values_list("pk", "name", "model_type"):
        yield Thing((MODEL, str(pk)), name, kind, {"model": f"m-{pk.hex}"})


def datasets(ids: list[str], who: Principal) -> Iterator[Thing]:
    """Datasets that runs told of, by name and digest."""
    rows = Dataset.objects.filter(pk__in=ids, experiment__in=experiments_for(who))
    for pk, name, digest in rows.values_list("pk", "name", "digest"):
        yield Thing((DATASET, str(pk)), name, f"digest {digest}", {"dataset": f"{name}@{digest}"})


def projects(ids: list[str], who: Principal) -> Iterator[Thing]:
    """Projects that said what they use."""
    for pk, name, slug in projects_for(who).filter(pk__in=ids).values_list("pk", "name", "slug"):
        yield Thing((PROJECT, str(pk)), name, slug, {"project": slug})


FINDERS = {VERSION: versions, RUN: runs, MODEL: models, DATASET: datasets, PROJECT: projects}


def described(graph: Graph, who: Principal) -> dict[str, Any]:
    """Write a graph for the API's readers, without what they may not see."""
    shown = named(graph, who)
    order = sorted(shown, key=lambda key: (graph.layers[key], graph.places[key]))
    nodes = [
        {
            "id": name_of(key),
            "kind": key[0],
            "label": shown[key].label,
            **NOTHING,
            **shown[key].facts,
            "layer": graph.layers[key],
            "place": graph.places[key],
            "steps": graph.steps[key],
        }
        for key in order
    ]
    links = [
        {"from": name_of(link.start), "to": name_of(link.end), "kind": link.kind}
        for link in graph.links
        if link.start in shown and link.end in shown
    ]
    return {"nodes": nodes, "edges": links, "truncated": graph.is_cut}


def name_of(key: Key) -> str:
    """A thing's id in the API's graph."""
    return f"{key[0]}:{key[1].replace('-', '')}"
