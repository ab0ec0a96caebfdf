"""Lineage: walked over everything that links two things, within reach, laid out from left to right."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.registry.lineage.built_on import built_on
from apps.registry.lineage.graph import Graph, Key, Link
from apps.registry.lineage.layout import lay_out
from apps.registry.lineage.walking import Way, key_of, walk
from apps.registry.models import Artifact, ArtifactVersion, Edge, LoggedModel, Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Dataset, Experiment, Project, Run, RunInput
from maestro.clock import from_ms
from maestro.principals import MAESTRO, Principal
from tests.tracking.admin.test_page_costs import counted

ApiFor = Callable[..., Client]
AT = from_ms(1_000)


def make_project(slug: str) -> Experiment:
    project = Project.objects.create(slug=slug, name=slug.title())
    return Experiment.objects.create(name=f"e-{slug}", project=project, created_ms=1, updated_ms=1)


def make_run(experiment: Experiment, name: str) -> Run:
    return Run.objects.create(experiment=experiment, name=name, start_ms=1, last_write_ms=1)


def make_version(name: str, **facts: Any) -> ArtifactVersion:
    project = facts.pop("project", None)
    artifact = Artifact.objects.create(name=name, project=project, created_ms=1, updated_ms=1)
    return ArtifactVersion.objects.create(
        artifact=artifact, number=1, state="ready", created_ms=1, updated_ms=1, **facts
    )


def use(version: ArtifactVersion, run: Run) -> None:
    Usage.objects.create(version=version, project_id=run.experiment.project_id, run=run, observed="api", at=AT)


class Story:
    """A dataset and a shared encoder, read by a run of A, whose model is registered and used by B's run and by C's word."""

    def __init__(self) -> None:
        self.a, self.b, self.c = make_project("a"), make_project("b"), make_project("c")
        self.encoder = make_version("encoder")
        self.fit = make_run(self.a, "fit")
        use(self.encoder, self.fit)
        self.data = Dataset.objects.create(experiment=self.a, name="rows", digest="77")
        RunInput.objects.create(run=self.fit, dataset=self.data)
        self.logged = LoggedModel.objects.create(
            experiment=self.a, run=self.fit, name="net", created_ms=1, updated_ms=1
        )
        self.model = make_version("model", run=self.fit, logged_model=self.logged)
        Edge.objects.create(from_model=self.logged, to_version=self.model, kind="registered")
        self.score = make_run(self.b, "score")
        use(self.model, self.score)
        self.report = make_version("report", run=self.score, project=self.b.project)
        Usage.objects.create(version=self.model, project=self.c.project, observed="api", at=AT)


@pytest.fixture
def story(acme: Tenant) -> Story:
    return Story()


def columns(graph: Graph, *things: Any) -> list[int]:
    return [graph.layers[key_of(thing)] for thing in things]


def test_a_walk_meets_usages_producers_inputs_models_and_what_projects_said(story: Story) -> None:
    graph = walk([key_of(story.model)], Way(up=3, down=3), None)
    assert columns(graph, story.data, story.encoder, story.fit, story.logged, story.model) == [0, 0, 1, 2, 3]
    assert columns(graph, story.score, story.c.project, story.report) == [4, 4, 5]
    assert {(link.start[0], link.end[0], link.kind) for link in graph.links} == {
        ("dataset", "run", "read"),
        ("version", "run", "used"),
        ("run", "model", "produced"),
        ("model", "version", "registered"),
        ("version", "project", "used"),
        ("run", "version", "produced"),
    }
    assert (len(graph.links), graph.is_cut) == (7, False)
    assert graph.steps[key_of(story.encoder)] == -3


def test_each_step_is_one_query_and_depth_bounds_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with counted(monkeypatch) as told:
        graph = walk([key_of(story.model)], Way(up=1, down=2), None)
    assert len(told) == 3
    assert set(graph.steps) == {
        key_of(one) for one in (story.model, story.logged, story.score, story.c.project, story.report)
    }


def test_nothing_beyond_reach_is_met_counted_or_walked_through(story: Story) -> None:
    """From within C, the model's run and what came of it at B are not there, nor that there is more."""
    within = [story.c.project.pk]
    graph = walk([key_of(story.model)], Way(up=5, down=5), within)
    assert set(graph.steps) == {key_of(story.model), key_of(story.c.project)}
    assert not graph.is_cut
    few = walk([key_of(story.model)], Way(up=5, down=5, fan=1), within)
    assert not few.is_cut
    shared = walk([key_of(story.encoder)], Way(up=0, down=9), [story.b.project.pk])
    assert set(shared.steps) == {key_of(story.encoder)}


def test_what_was_built_on_a_version_is_flat_with_counts(story: Story) -> None:
    found = built_on(story.encoder, MAESTRO)
    assert [(one.thing.label, one.steps) for one in found.items] == [
        ("fit", 1),
        ("net", 2),
        ("model v1", 3),
        ("score", 4),
        ("report v1", 5),
    ]
    assert found.counts == {"versions": 2, "runs": 2, "models": 1, "projects": 3}
    assert [(one.slug, one.runs, one.is_said) for one in found.projects] == [
        ("a", 1, False),
        ("b", 1, False),
        ("c", 0, True),
    ]
    theirs = built_on(story.encoder, Principal("person", "1", "x", "", "acme", projects=[story.a.project.pk]))
    assert theirs.counts == {"versions": 1, "runs": 1, "models": 1, "projects": 1}


def test_the_api_answers_the_same_graph(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        story = Story()
    whole = api(acme).get(f"/api/v1/runs/{story.fit.pk.hex}/lineage/").json()
    assert [(one["kind"], one["label"], one["layer"], one["steps"]) for one in whole["nodes"]] == [
        ("dataset", "rows", 0, -1),
        ("version", "encoder v1", 0, -1),
        ("run", "fit", 1, 0),
        ("model", "net", 2, 1),
        ("version", "model v1", 3, 2),
        ("project", "C", 4, 3),
        ("run", "score", 4, 3),
        ("version", "report v1", 5, 4),
    ]
    address = "/api/v1/artifacts/encoder/versions/1/built-on/"
    found = api(acme).get(address).json()
    assert found["counts"] == {"versions": 2, "runs": 2, "models": 1, "projects": 3}
    assert found["items"][0]["run"] == story.fit.pk.hex
    assert [one["slug"] for one in found["projects"]] == ["a", "b", "c"]
    assert api(acme).get(f"{address}?depth=1").json()["counts"]["versions"] == 0
    for bad in ("depth=0", "depth=11", "depth=x", "depth=%00"):
        assert api(acme).get(f"{address}?{bad}").status_code == 400
    within = api(acme, project_id=story.c.project.pk)
    assert within.get(address).json()["counts"] == {"versions": 0, "runs": 0, "models": 0, "projects": 0}
    assert within.get(address.replace("encoder", "report")).status_code == 404
    assert api(globex).get(address).status_code == 404


def many(count: int) -> ArtifactVersion:
    """A version, so many runs that use it, and one version by each."""
    experiment = make_project("many")
    start = make_version("start")
    runs = Run.objects.bulk_create(
        Run(experiment=experiment, name=f"r{n}", start_ms=n, last_write_ms=1) for n in range(count)
    )
    Usage.objects.bulk_create(
        Usage(version=start, project_id=experiment.project_id, run=run, observed="tag", at=AT) for run in runs
    )
    out = Artifact.objects.create(name="out", created_ms=1, updated_ms=1)
    ArtifactVersion.objects.bulk_create(
        ArtifactVersion(artifact=out, number=n + 1, run=run, state="ready", created_ms=n, updated_ms=1)
        for n, run in enumerate(runs)
    )
    return start


def test_bounds_cut_and_say_so_the_newest_stay(acme: Tenant) -> None:
    start = many(30)
    by_fan = walk([key_of(start)], Way(up=0, down=2, fan=8), None)
    assert (len(by_fan.steps), by_fan.is_cut) == (17, True)
    assert columns(by_fan, start) == [0]
    by_things = walk([key_of(start)], Way(up=0, down=2, things=11), None)
    assert (len(by_things.steps), by_things.is_cut) == (11, True)
    by_links = walk([key_of(start)], Way(up=0, down=2, links=40), None)
    assert (len(by_links.links), by_links.is_cut) == (40, True)
    assert not walk([key_of(start)], Way(up=0, down=2), None).is_cut


def test_ten_thousand_links_are_two_queries(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    start = many(5_000)
    with counted(monkeypatch) as told:
        graph = walk([key_of(start)], Way(up=0, down=2, things=20_000), None)
    assert (len(graph.links), len(graph.steps), graph.is_cut) == (10_000, 10_001, False)
    assert len(told) == 2


def key(name: str) -> Key:
    return "run", name


def test_a_circle_is_laid_out_without_the_link_that_closes_it() -> None:
    graph = Graph({key("a"): 0, key("b"): 1, key("c"): 2})
    graph.links = [Link(key(x), key(y), "used") for x, y in ("ab", "bc", "ca", "aa")]
    lay_out(graph)
    assert [graph.layers[key(name)] for name in "abc"] == [0, 1, 2]


def test_a_source_stands_beside_what_was_made_of_it() -> None:
    """c uses the late source d as well, which is drawn before it, not at the far left."""
    graph = Graph({key(name): 0 for name in "abcd"})
    graph.links = [Link(key(x), key(y), "used") for x, y in ("ab", "bc", "dc")]
    lay_out(graph)
    assert [graph.layers[key(name)] for name in "abcd"] == [0, 1, 2, 1]
    assert sorted(graph.places[key(name)] for name in "bd") == [0, 1]


def test_ids_that_are_nobodys_lead_nowhere(acme: Tenant) -> None:
    assert walk([("version", str(uuid4()))], Way(3, 3), None).links == []
