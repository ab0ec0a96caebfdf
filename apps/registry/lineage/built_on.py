"""The registry room: what was built on a version: everything that came of it, flat, with counts."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count

from apps.registry.lineage.graph import MODEL, PROJECT, RUN, VERSION, Graph
from apps.registry.lineage.naming import Thing, named
from apps.registry.lineage.walking import DEEPEST, Way, key_of, walk
from apps.registry.models import ArtifactVersion
from apps.tracking.models import Run
from apps.tracking.scoping import projects_for
from maestro.principals import Principal

KINDS = (VERSION, RUN, MODEL)


@dataclass(frozen=True)
class Built:
    """A version, run or logged model that came of it, so many steps on."""

    thing: Thing
    steps: int


@dataclass(frozen=True)
class ProjectBuilt:
    """A project that relies on it: by how many of its runs, and whether it said so itself."""

    id: str
    slug: str
    name: str
    runs: int
    is_said: bool


@dataclass(frozen=True)
class Impact:
    """All that was found, nearest first."""

    items: list[Built]
    projects: list[ProjectBuilt]
    counts: dict[str, int]
    is_cut: bool


def built_on(version: ArtifactVersion, who: Principal, depth: int = DEEPEST) -> Impact:
    """Walk down from a version, as far as somebody sees."""
    start = key_of(version)
    graph = walk([start], Way(up=0, down=depth), who.projects)
    shown = named(graph, who)
    items = [Built(shown[key], step) for key, step in graph.steps.items() if key in shown and key != start]
    items = sorted((one for one in items if one.thing.key[0] in KINDS), key=lambda one: one.steps)
    projects = projects_of(graph, who)
    found = Counter(one.thing.key[0] for one in items)
    counts = {f"{kind}s": found[kind] for kind in KINDS} | {"projects": len(projects)}
    return Impact(items, projects, counts, graph.is_cut)


def projects_of(graph: Graph, who: Principal) -> list[ProjectBuilt]:
    """The projects of the runs that were found, and those that said that they use it; those with most runs first."""
    by_run = Run.objects.filter(pk__in=graph.ids_of(RUN)).values("experiment__project_id").annotate(runs=Count("pk"))
    runs = {row["experiment__project_id"]: row["runs"] for row in by_run}
    said = set(graph.ids_of(PROJECT))
    rows = projects_for(who).filter(pk__in={*runs, *said}).values_list("pk", "slug", "name")
    found = [ProjectBuilt(str(pk), slug, name, runs.get(pk, 0), str(pk) in said) for pk, slug, name in rows]
    return sorted(found, key=lambda one: (-one.runs, one.slug))
