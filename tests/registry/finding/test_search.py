"""One search over artifacts, versions, projects and runs: names with faults, words, ids; within reach only."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Alias, Artifact, ArtifactVersion
from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.factories.door import Door
from tests.factories.sending import make_version, send

Api = Callable[..., Client]
SAID = {
    "encoder.target": "replaces each category by the smoothed mean of the outcome",
    "imputer-median": "fills gaps in numeric columns by their middle value",
    "churn-schema": "columns of the customers' table, one row a customer and month",
    "lightgbm-template": "gradient boosted trees with a search space for tabular data",
}


@pytest.fixture
def client(acme: Tenant, api: Api) -> Client:
    made = api(acme)
    for name, description in SAID.items():
        make_version(made, name)
        Artifact.objects.filter(name=name).update(description=description)
    Artifact.objects.filter(name="churn-schema").update(kind="schema", owner="ana")
    return made


def found(client: Client, **query: Any) -> list[tuple[str, str]]:
    answer = client.get("/api/v1/search/", query)
    assert answer.status_code == 200, answer.content
    return [(row["thing"], row["name"]) for row in answer.json()["results"]]


def first(client: Client, text: str) -> str:
    return next(iter(name for _, name in found(client, q=text, thing="artifact")), "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("encoder.target", "encoder.target"),
        ("encodr taget", "encoder.target"),
        ("inputer_median", "imputer-median"),
        ("filling missing gaps", "imputer-median"),
        ("boosting trees", "lightgbm-template"),
        ("customer tables", "churn-schema"),
        ("category", "encoder.target"),
        ("lightg", "lightgbm-template"),
    ],
)
def test_names_with_faults_and_words_of_what_is_said_are_found(client: Client, text: str, name: str) -> None:
    assert first(client, text) == name


def test_a_version_is_found_as_people_write_it(client: Client) -> None:
    version = ArtifactVersion.objects.get(artifact__name="encoder.target")
    Alias.objects.create(artifact=version.artifact, version=version, name="tried")
    texts = ("encoder.target v1", "encoder.target/1", "encoder.target@tried", version.pk.hex, version.digest[:12])
    for text in texts:
        assert ("version", "encoder.target v1") in found(client, q=text), text


def test_a_run_is_found_by_its_id_the_beginning_of_it_its_name_and_its_note(client: Client) -> None:
    door = Door(client)
    run = door.run(run_name="mellow-fox")
    door.post("runs/set-tag", {"run_id": run, "key": "mlflow.note.content", "value": "diverged on the 3rd fold"})
    for text in (run, run[:12], "mellow", "3rd fold"):
        assert ("run", "mellow-fox") in found(client, q=text), text
    door.post("runs/delete", {"run_id": run})
    assert all(("run", "mellow-fox") not in found(client, q=text) for text in (run, "mellow", "3rd fold"))


def test_facets_narrow_and_count(client: Client) -> None:
    assert found(client, kind="schema") == [("artifact", "churn-schema")]
    assert found(client, owner="ana", q="customer") == [("artifact", "churn-schema")]
    assert found(client, owner="nobody") == []
    facets = client.get("/api/v1/search/").json()["facets"]
    assert facets["kind"] == {"feature_pipeline": 3, "schema": 1}
    project = Project.objects.create(slug="p", name="P", problem_class="regression")
    body = {"usages": ["imputer-median@1"]}
    assert send(client, "put", f"/api/v1/projects/{project.slug}/usages/", body).status_code == 200
    assert found(client, problem_class="regression") == [("artifact", "imputer-median")]


def test_nothing_beyond_reach_is_found_or_counted(client: Client, acme: Tenant, api: Api) -> None:
    mine, theirs = (Project.objects.create(slug=slug, name=f"{slug} secret") for slug in ("mine", "theirs"))
    Artifact.objects.filter(name="churn-schema").update(project=theirs)
    Run.objects.create(
        experiment=theirs.experiments.create(name="e", created_ms=1, updated_ms=1),
        name="secret run",
        start_ms=1,
        last_write_ms=1,
    )
    outside = api(acme, project_id=mine.pk)
    assert first(outside, "customer tables") == ""
    assert "schema" not in outside.get("/api/v1/search/").json()["facets"]["kind"]
    assert [row for row in found(outside, q="secret")] == [("project", "mine secret")]


@pytest.mark.parametrize("text", ["'", "' | !x", "a:*&(", "\\", "%", "_", "💡", "a" * 200, "ⅷ ٣", "-- ;", "v v v v"])
def test_no_text_breaks_it(client: Client, text: str) -> None:
    assert client.get("/api/v1/search/", {"q": text}).status_code == 200


@pytest.mark.parametrize(
    "query", [{"q": "a" * 201}, {"q": "a\0"}, {"thing": "x"}, {"limit": "51"}, {"owner": "o" * 251}]
)
def test_a_bad_question_is_refused(client: Client, query: dict[str, str]) -> None:
    assert client.get("/api/v1/search/", query).status_code == 400


def test_the_top_bar_finds_the_same(client: Client, person: Callable[[str], Client]) -> None:
    browser = person("viewer")
    run = Door(client).run(run_name="mellow-fox")
    assert "encoder.target" in browser.get("/admin/search/", {"q": "encodr taget"}).content.decode()
    assert "mellow-fox" in browser.get("/admin/search/", {"q": run[:10]}).content.decode()
