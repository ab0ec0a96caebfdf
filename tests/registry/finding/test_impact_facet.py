"""The facet impact: what the latest estimate says of each artifact; a refusal has no word, and who may not read it none."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.recommendations.models import ImpactModel, ImpactScore, Training
from apps.registry.models import Artifact
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.sending import make_version

Api = Callable[..., Client]
SCORES: dict[str, dict[str, Any]] = {
    "helper": {"effect": 4.0, "low": 1.0, "high": 7.0},
    "harmer": {"effect": -4.0, "low": -7.0, "high": -1.0, "status": "early"},
    "either": {"effect": 0.5, "low": -1.0, "high": 2.0},
    "unknown": {"status": "refused", "reason": "too few projects"},
}


@pytest.fixture
def client(acme: Tenant, api: Api) -> Client:
    made = api(acme)
    model = make_model(ImpactModel.State.CHAMPION)
    for name, facts in SCORES.items():
        make_version(made, name)
        artifact = Artifact.objects.get(name=name)
        ImpactScore.objects.create(model=model, artifact=artifact, **({"status": "ok"} | facts))
    make_version(made, "never-looked-at")
    return made


def make_model(state: ImpactModel.State) -> ImpactModel:
    training = Training.objects.create(why="test", state=Training.State.DONE)
    figures = {"classes": {"classification": 200, "regression": 200}}
    return ImpactModel.objects.create(training=training, target="impact", unit="project", state=state, figures=figures)


def names(client: Client, **query: str) -> list[str]:
    return [row["name"] for row in client.get("/api/v1/search/", query).json()["results"]]


def test_artifacts_are_counted_and_narrowed_by_what_their_use_goes_with(client: Client) -> None:
    facets = client.get("/api/v1/search/").json()["facets"]
    assert facets["impact"] == {"helps": 1, "hurts": 1, "unclear": 1}
    assert [names(client, impact=word) for word in ("helps", "hurts", "unclear")] == [
        ["helper"],
        ["harmer"],
        ["either"],
    ]
    assert names(client, impact="helps", kind="schema") == []
    assert client.get("/api/v1/search/", {"impact": "magic"}).status_code == 400


def test_a_class_has_its_own_estimate_and_what_was_never_used_there_none(client: Client) -> None:
    model = ImpactModel.objects.get()
    helper = Artifact.objects.get(name="helper")
    ImpactScore.objects.create(
        model=model, artifact=helper, problem_class="regression", status="ok", effect=-3.0, low=-5.0, high=-1.0
    )
    ImpactScore.objects.filter(artifact__name="harmer").update(used_by_class={"regression": 0})
    project = Project.objects.create(slug="p", name="P", problem_class="regression")
    for name in ("helper", "harmer"):
        usage = {"usages": [f"{name}@1"]}
        put = client.put(f"/api/v1/projects/{project.slug}/usages/", usage, content_type="application/json")
        assert put.status_code == 200, put.content
    assert names(client, impact="hurts") == ["harmer"]
    facets = client.get("/api/v1/search/", {"problem_class": "regression"}).json()["facets"]
    assert facets["impact"] == {"hurts": 1}
    assert names(client, problem_class="regression", impact="hurts") == ["helper"]
    assert names(client, problem_class="regression", impact="helps") == []


def test_no_word_is_said_where_estimates_may_not_be_read_or_none_serves(
    client: Client, acme: Tenant, api: Api, person: Callable[[str], Client]
) -> None:
    project = Project.objects.create(slug="p", name="P")
    for other in (api(acme, project_id=project.pk), api(acme, scopes=["registry"])):
        assert other.get("/api/v1/search/").json()["facets"]["impact"] == {}
        assert names(other, impact="helps") == []
    browser = person("viewer")
    page = browser.get("/admin/find/", {"impact": "helps"}).content.decode()
    assert "helper" in page
    assert "Goes with more success" in page
    ImpactModel.objects.update(state=ImpactModel.State.RETIRED)
    make_model(ImpactModel.State.REFUSED)
    assert client.get("/api/v1/search/").json()["facets"]["impact"] == {}
    assert names(client, impact="helps") == []
    assert "Goes with" not in browser.get("/admin/find/").content.decode()
